"""The laws that every built-in tokenizer keeps.

A new tokenizer joins by a line in `CASES`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nfgen.errors import ArtifactError, ConfigError
from nfgen.fields.field_set import FieldSet
from nfgen.fields.mlp import evaluate_in_chunks, inside
from nfgen.fields.spec import FieldSpec
from nfgen.io import files
from nfgen.tokenizers import registry
from nfgen.tokenizers.base import Tokenizer
from nfgen.tokens.round_trip import token_report


@dataclass(frozen=True)
class Case:
    """A tokenizer with settings for tiny fields, and what it states of itself there."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    iou: float = 1.0
    """Least mean overlap of the insides of fields and of those decoded from their tokens."""
    idempotent: bool = True
    """Whether encode(decode(t)) == t for all allowed sequences."""
    bitwise: bool = True
    """Whether a batch equals its members to the last bit, not only to rounding."""

    def __str__(self) -> str:
        return "-".join([self.name, *(f"{value}" for value in self.settings.values())])


VQ = {"max_tokens": 11, "levels": [8, 5], "probes": 4, "width": 16, "channels": 16, "decoder_blocks": 1,
      "steps": 60, "batch_size": 12, "points": 96, "learning_rate": 4e-3, "augment": 0.0}  # fmt: skip

CASES = [
    Case("identity"),
    Case("identity", {"unit": "scalar", "normalise": "none", "target": "weights"}),
    Case("identity", {"unit": "chunk", "chunk": 7, "normalise": "tensor"}),
    Case("histogram", iou=0.99),
    Case("histogram", {"kind": "uniform", "scope": "global"}, iou=0.95),
    Case("histogram", {"kind": "quantile", "bins": 64}, iou=0.9),
    Case("histogram", {"kind": "lloyd-max", "scope": "global", "target": "weights"}, iou=0.9),
    Case("codebook", {"codes": 64, "steps": 5}, iou=0.6),
    Case("codebook", {"codes": 32, "steps": 5, "depth": 3}, iou=0.6, idempotent=False),
    Case("codebook", {"codes": 64, "steps": 5, "unit": "chunk", "chunk": 5, "depth": 2}, iou=0.7, idempotent=False),
    Case("codebook", {"codes": 127, "steps": 5, "unit": "scalar", "normalise": "none"}, iou=0.95),
    Case("vq", VQ, iou=0.4, idempotent=False),
    Case("pretrained", {"steps": 0}, iou=0.4, idempotent=False),
    Case("graph", {**VQ, "steps": 120, "encoder_blocks": 1, "edge_channels": 4}, iou=0.4, idempotent=False),
]
every_case = pytest.mark.parametrize("case", CASES, ids=str)
discrete_case = pytest.mark.parametrize("case", [case for case in CASES if case.name != "identity"], ids=str)


@pytest.fixture(scope="session")
def fitted(tiny_fields: FieldSet) -> Callable[[Case], Tokenizer]:
    """The fitted tokenizer of a case; each is fitted once."""

    @cache
    def fit(index: int) -> Tokenizer:
        return registry.create(CASES[index].name, **CASES[index].settings).fit(tiny_fields)

    return lambda case: fit(CASES.index(case))


Fitted = Callable[[Case], Tokenizer]


def overlap(spec: FieldSpec, weights: Tensor, other_spec: FieldSpec, other: Tensor) -> Tensor:
    """IoU of the insides of two lots of fields."""
    points = torch.rand(2000, 3, generator=torch.Generator().manual_seed(1)) * 2 - 1
    one, two = (inside(s, evaluate_in_chunks(s, w, points)) for s, w in ((spec, weights), (other_spec, other)))
    return (one & two).sum(1) / (one | two).sum(1).clamp(min=1)


def any_tokens(tokenizer: Tokenizer, count: int, seed: int = 0) -> Tensor:
    """Random sequences of allowed tokens, or random numbers."""
    vocabulary, generator = tokenizer.vocabulary, torch.Generator().manual_seed(seed)
    if vocabulary.continuous:
        return torch.randn(count, vocabulary.length, vocabulary.width, generator=generator)
    low, high = vocabulary.bounds()
    chance = torch.rand(count, vocabulary.length, generator=generator, dtype=torch.float64)
    return low + (chance * (high - low)).long()


def test_every_built_in_tokenizer_is_under_these_laws() -> None:
    assert {case.name for case in CASES} == set(registry.BUILT_IN)
    assert registry.names()[: len(registry.BUILT_IN)] == list(registry.BUILT_IN)


@every_case
def test_round_trip_keeps_the_shape(case: Case, fitted: Fitted, tiny_fields: FieldSet) -> None:
    tokenizer = fitted(case)
    decoded = tokenizer.decode(tokenizer.encode(tiny_fields.weights))
    assert decoded.dtype == torch.float32
    assert overlap(tiny_fields.spec, tiny_fields.weights, tokenizer.decoded_spec, decoded).mean() >= case.iou


@every_case
def test_tokens_are_what_the_vocabulary_says(case: Case, fitted: Fitted, tiny_fields: FieldSet) -> None:
    tokenizer, vocabulary = fitted(case), fitted(case).vocabulary
    tokens = tokenizer.encode(tiny_fields.weights)
    assert vocabulary.classes == tiny_fields.classes
    assert (tokenizer.vocab_size is None) == vocabulary.continuous == tokens.is_floating_point()
    assert tokenizer.sequence_length == vocabulary.length + 2
    if vocabulary.continuous:
        assert tokens.shape == (len(tiny_fields), vocabulary.length, vocabulary.width)
        assert tokens.dtype == torch.float32
        return
    assert tokens.shape == (len(tiny_fields), vocabulary.length)
    assert tokens.dtype == torch.int64
    sequences = vocabulary.wrap(tokens, tiny_fields.labels)
    mask = torch.stack([tokenizer.allowed(position) for position in range(tokenizer.sequence_length)])
    assert mask.shape == (tokenizer.sequence_length, tokenizer.vocab_size)
    assert mask[torch.arange(tokenizer.sequence_length), sequences].all()
    assert torch.equal(vocabulary.unwrap(sequences), tokens)


@discrete_case
def test_masks_allow_specials_only_where_they_belong(case: Case, fitted: Fitted) -> None:
    tokenizer = fitted(case)
    specials, codes = tokenizer.specials, tokenizer.vocabulary.codes
    assert codes is not None
    starts = {specials[name] for name in ("BOS", "class:sphere", "class:box")}
    assert set(tokenizer.allowed(0).nonzero()[:, 0].tolist()) == starts
    assert tokenizer.allowed(tokenizer.sequence_length - 1).nonzero()[:, 0].tolist() == [specials["EOS"]]
    assert tokenizer.allowed(tokenizer.sequence_length).nonzero()[:, 0].tolist() == [specials["PAD"]]
    low, high = tokenizer.vocabulary.bounds()
    for position in range(tokenizer.vocabulary.length):
        mask = tokenizer.allowed(position + 1)
        assert not mask[codes:].any()
        assert mask.nonzero()[:, 0].tolist() == list(range(int(low[position]), int(high[position])))


@every_case
def test_every_allowed_sequence_decodes(case: Case, fitted: Fitted) -> None:
    tokenizer = fitted(case)
    decoded = tokenizer.decode(any_tokens(tokenizer, 5))
    assert decoded.shape == (5, tokenizer.decoded_spec.size)
    assert torch.isfinite(decoded).all()


@pytest.mark.parametrize("case", [case for case in CASES if case.idempotent and case.name != "identity"], ids=str)
def test_decoded_tokens_encode_to_themselves(case: Case, fitted: Fitted) -> None:
    tokenizer = fitted(case)
    tokens = any_tokens(tokenizer, 20)
    assert torch.equal(tokenizer.encode(tokenizer.decode(tokens)), tokens)


@discrete_case
def test_specials_and_misplaced_codes_never_decode(case: Case, fitted: Fitted) -> None:
    tokenizer = fitted(case)
    low, high = tokenizer.vocabulary.bounds()
    last = tokenizer.vocabulary.length - 1
    for position in (0, last // 2, last):
        wrong = [-1, int(low[position]) - 1, int(high[position]), *tokenizer.specials.values()]
        for token in wrong:
            tokens = any_tokens(tokenizer, 3)
            tokens[1, position] = token
            with pytest.raises(ConfigError, match=f"token {token} is not allowed at position {position}"):
                tokenizer.decode(tokens)


@every_case
def test_a_batch_equals_its_members(case: Case, fitted: Fitted, tiny_fields: FieldSet) -> None:
    tokenizer = fitted(case)
    together = tokenizer.encode(tiny_fields.weights)
    alone = torch.cat([tokenizer.encode(weights[None]) for weights in tiny_fields.weights])
    decoded, decoded_alone = tokenizer.decode(together), torch.cat([tokenizer.decode(one[None]) for one in together])
    if case.bitwise:
        assert torch.equal(together, alone)
        assert torch.equal(decoded, decoded_alone)
    else:  # a network rounds otherwise in another batch, which may move a number across a code's border
        assert (together == alone).double().mean() > 0.97
        torch.testing.assert_close(decoded, decoded_alone, atol=1e-4, rtol=1e-4)


@every_case
def test_every_code_stands_for_something_of_its_own_and_the_file_tells_what(
    case: Case, fitted: Fitted, tmp_path: Path
) -> None:
    tokenizer = fitted(case)
    vectors = tokenizer.code_vectors()
    tokenizer.save(tmp_path / "saved")
    file = tmp_path / "saved" / "codebook.safetensors"
    if tokenizer.vocabulary.continuous:
        assert vectors is None
        assert not file.exists()
        return
    assert vectors is not None
    # vq and graph have tokens for the box of a shape behind those of their codebooks.
    ranges = set(tokenizer.vocabulary.ranges or ((0, tokenizer.vocabulary.codes or 0),))
    of_codebook = {(low, high) for low, high in ranges if high <= len(vectors)}
    assert max(high for _, high in of_codebook) == len(vectors)
    assert of_codebook == ranges or case.name in ("vq", "graph", "pretrained")
    for low, high in of_codebook:
        assert len(vectors[low:high].unique(dim=0)) == high - low
    assert torch.equal(files.read_tensors(file)["vectors"], vectors.half())


@every_case
def test_no_fields_are_no_tokens(case: Case, fitted: Fitted) -> None:
    tokenizer = fitted(case)
    none = tokenizer.encode(torch.empty(0, tokenizer.spec.size))
    assert none.shape[:2] == (0, tokenizer.vocabulary.length)
    assert tokenizer.decode(none).shape == (0, tokenizer.decoded_spec.size)


@every_case
def test_the_same_seed_gives_the_same_bytes(case: Case, fitted: Fitted, tiny_fields: FieldSet, tmp_path: Path) -> None:
    before = torch.random.get_rng_state()
    again = registry.create(case.name, **case.settings).fit(tiny_fields)
    assert torch.equal(torch.random.get_rng_state(), before)  # the caller's random numbers are its own
    fitted(case).save(tmp_path / "one")
    again.save(tmp_path / "two")
    for file in sorted((tmp_path / "one").iterdir()):
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes(), file.name


@every_case
def test_saved_and_loaded_is_the_same(case: Case, fitted: Fitted, tiny_fields: FieldSet, tmp_path: Path) -> None:
    tokenizer = fitted(case)
    tokenizer.save(tmp_path / "tokenizer")
    loaded = registry.load(tmp_path / "tokenizer")
    assert type(loaded) is type(tokenizer)
    for key in ("config", "spec", "decoded_spec", "classes", "vocabulary"):
        assert getattr(loaded, key) == getattr(tokenizer, key), key
    tokens = tokenizer.encode(tiny_fields.weights)
    assert torch.equal(loaded.encode(tiny_fields.weights), tokens)
    assert torch.equal(loaded.decode(tokens), tokenizer.decode(tokens))
    with pytest.raises(ArtifactError, match="exists already"):
        tokenizer.save(tmp_path / "tokenizer")


@every_case
def test_a_damaged_artifact_is_refused(case: Case, fitted: Fitted, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer"
    fitted(case).save(path)
    file = path / "tokenizer.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(ArtifactError, match="cannot read"):
        registry.load(path)
    file.unlink()
    with pytest.raises(ArtifactError, match="cannot read"):
        registry.load(path)


@every_case
def test_wrong_weights_and_tokens_are_refused(case: Case, fitted: Fitted, tiny_fields: FieldSet) -> None:
    tokenizer = fitted(case)
    weights = tiny_fields.weights
    with pytest.raises(ConfigError):
        tokenizer.encode(weights[:, 1:])
    with pytest.raises(ConfigError):
        tokenizer.encode(weights[0])
    for value in (torch.nan, torch.inf):
        spoilt = weights.clone()
        spoilt[3, 5] = value
        with pytest.raises(ConfigError, match="finite"):
            tokenizer.encode(spoilt)
    tokens = tokenizer.encode(weights)
    for wrong in (tokens[:, 1:], tokens[0], tokens[..., None]):
        with pytest.raises(ConfigError, match="tokens of shape"):
            tokenizer.decode(wrong)
    with pytest.raises(ConfigError, match="must be"):
        tokenizer.decode(tokens.long() if tokens.is_floating_point() else tokens.float())


@every_case
def test_an_unfitted_tokenizer_says_so(case: Case, tiny_fields: FieldSet, tmp_path: Path) -> None:
    tokenizer = registry.create(case.name, **case.settings)
    uses: list[Callable[[], object]] = [
        lambda: tokenizer.vocabulary,
        lambda: tokenizer.vocab_size,
        lambda: tokenizer.encode(tiny_fields.weights),
        lambda: tokenizer.decode(torch.zeros(1, 4, dtype=torch.int64)),
        lambda: tokenizer.save(tmp_path / "none"),
    ]
    for use in uses:
        with pytest.raises(ConfigError, match="not fitted"):
            use()
    assert list(tmp_path.iterdir()) == []


@every_case
def test_field_sets_that_teach_nothing_are_refused(case: Case, tiny_fields: FieldSet) -> None:
    tokenizer = registry.create(case.name, **case.settings)
    with pytest.raises(ConfigError, match="no fields"):
        tokenizer.fit(tiny_fields.select(torch.tensor([], dtype=torch.int64)))
    with pytest.raises(ConfigError, match="not finite"):
        tokenizer.fit(replace(tiny_fields, weights=tiny_fields.weights.log()))


@every_case
def test_report_is_complete(case: Case, fitted: Fitted, tiny_fields: FieldSet) -> None:
    tokenizer = fitted(case)
    both = token_report(tokenizer, tiny_fields, torch.arange(12) > 8)
    report = {key: value["heldout"] for key, value in both.items()}
    expected: set[str] = set()
    if tokenizer.vocab_size is None:
        expected |= {"bits_per_field", "bits_per_weight", "codebook_usage", "perplexity"}
    if tokenizer.decoded_spec != tiny_fields.spec:
        expected |= {"weight_mse"}
    assert {key for key, value in report.items() if value is None} == expected
    assert 0.5 < report["iou_before"] <= 1
    assert 0 <= report["iou_after"] <= 1
