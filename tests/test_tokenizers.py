"""The laws that every built-in tokenizer keeps, and what each of them states for itself.

A new tokenizer joins by a line in `CASES`.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nfgen.errors import ArtifactError, CollapsedCodebookWarning, ConfigError
from nfgen.field import evaluate_in_chunks, inside
from nfgen.field_set import FieldSet
from nfgen.round_trip import token_report
from nfgen.spec import PRESETS, FieldSpec
from nfgen.tokenizers import registry
from nfgen.tokenizers.base import Tokenizer


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


VQ = {"codes": 8, "levels": [8, 5], "probes": 8, "nodes": 4, "width": 16, "channels": 16, "decoder_blocks": 1,
      "steps": 20, "batch": 12, "points": 96, "augment": 0.0}  # fmt: skip

CASES = [
    Case("identity"),
    Case("identity", {"unit": "scalar", "normalise": "none", "target": "weights"}),
    Case("identity", {"unit": "chunk", "chunk": 7, "normalise": "tensor"}),
    Case("histogram", iou=0.99),
    Case("histogram", {"kind": "uniform", "scope": "global"}, iou=0.95),
    Case("histogram", {"kind": "quantile", "bins": 64}, iou=0.9),
    Case("histogram", {"kind": "lloyd-max", "scope": "global", "target": "weights"}, iou=0.9),
    Case("codebook", {"codes": 64, "steps": 5}, iou=0.6),
    Case("codebook", {"codes": 32, "steps": 5, "books": "shared", "depth": 3}, iou=0.6, idempotent=False),
    Case("codebook", {"codes": 64, "steps": 5, "unit": "chunk", "chunk": 5, "depth": 2}, iou=0.7, idempotent=False),
    Case("codebook", {"codes": 127, "steps": 5, "unit": "scalar", "normalise": "none"}, iou=0.95),
    Case("vq", VQ, iou=0.4, idempotent=False, bitwise=False),
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
            with pytest.raises(ConfigError, match=f"token {token} may not stand at position {position}"):
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


# What each tokenizer states for itself.


def test_unknown_names_settings_and_values_are_named() -> None:
    with pytest.raises(ConfigError, match="no tokenizer 'histogramm'") as caught:
        registry.create("histogramm")
    assert "histogram" in caught.value.remedy
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("identity", {"chunk": 0}),
        ("identity", {"normalise": "row"}),
        ("histogram", {"bins": 1}),
        ("histogram", {"bins": 2.5}),
        ("histogram", {"kind": "log"}),
        ("histogram", {"seed": -1}),
        ("codebook", {"codes": 1}),
        ("codebook", {"depth": 0}),
        ("codebook", {"steps": -1}),
        ("codebook", {"unit": "layer"}),
        ("codebook", {"seed": -1}),
        ("codebook", {"beam": 4}),
    ]
    for name, setting in wrong:
        with pytest.raises(ConfigError, match=next(iter(setting))):
            registry.create(name, **setting)


def test_a_chunk_larger_than_the_field_is_refused(tiny_fields: FieldSet) -> None:
    with pytest.raises(ConfigError, match="larger than the field"):
        registry.create("identity", unit="chunk", chunk=1000).fit(tiny_fields)


@pytest.mark.parametrize("name", ["identity", "histogram", "codebook"])
def test_fields_of_another_spec_are_refused_by_name(name: str, tiny_fields: FieldSet) -> None:
    tokenizer = registry.create(name, **({"codes": 8, "steps": 0} if name == "codebook" else {})).fit(tiny_fields)
    with pytest.raises(ConfigError, match="another spec") as caught:
        tokenizer.encode(tiny_fields.weights, replace(tiny_fields.spec, activation="relu"))
    assert "vq" in caught.value.remedy


@pytest.mark.parametrize("name", ["identity", "histogram", "codebook"])
@pytest.mark.parametrize("unit", ["scalar", "chunk", "row"])
def test_any_architecture_and_a_single_field_will_do(name: str, unit: str) -> None:
    spec = PRESETS["mnist"]
    weights = torch.randn(1, spec.size, generator=torch.Generator().manual_seed(0))
    fields = FieldSet(spec, weights, ("3",), torch.tensor([-1]))
    settings: dict[str, Any] = {} if name == "histogram" else {"unit": unit}
    if name == "codebook":
        settings |= {"steps": 2, "codes": 256}
    tokenizer = registry.create(name, **settings).fit(fields)
    decoded = tokenizer.decode(tokenizer.encode(weights))
    # With as many codes as vectors nearly every vector has its own.
    assert (decoded - weights).square().mean() < 0.05


def test_identity_without_normalisation_is_exact(tiny_fields: FieldSet) -> None:
    for unit in ("scalar", "chunk", "row"):
        tokenizer = registry.create("identity", target="weights", normalise="none", unit=unit).fit(tiny_fields)
        assert torch.equal(tokenizer.decode(tokenizer.encode(tiny_fields.weights)), tiny_fields.weights)


@pytest.mark.parametrize("target", ["weights", "delta"])
@pytest.mark.parametrize("normalise", ["entry", "tensor", "none"])
def test_identity_is_wrong_by_its_stated_rounding_at_most(target: str, normalise: str, tiny_fields: FieldSet) -> None:
    tokenizer = registry.create("identity", target=target, normalise=normalise).fit(tiny_fields)
    weights = torch.cat([tiny_fields.weights, 10 * tiny_fields.weights, torch.zeros(1, 448)])
    error = (tokenizer.decode(tokenizer.encode(weights)).double() - weights.double()).abs()
    offset = tokenizer.tensors()["offset"].double()
    assert (error <= 2.0**-22 * (weights.double().abs() + offset.abs())).all()


def test_identity_by_entry_has_mean_zero_and_deviation_one(tiny_fields: FieldSet) -> None:
    noise = torch.randn(12, 448, generator=torch.Generator().manual_seed(0))
    varied = replace(tiny_fields, weights=tiny_fields.weights + noise)
    tokens = registry.create("identity", unit="scalar").fit(varied).encode(varied.weights)[..., 0]
    torch.testing.assert_close(tokens.mean(0), torch.zeros(448), atol=1e-3, rtol=0)
    torch.testing.assert_close(tokens.std(0, correction=0), torch.ones(448), atol=1e-3, rtol=0)


def test_a_weight_that_never_varied_makes_no_huge_token(tiny_fields: FieldSet) -> None:
    still = tiny_fields.weights.clone()
    still[:, 7] = 0.25
    tokenizer = registry.create("identity", unit="scalar").fit(replace(tiny_fields, weights=still))
    assert tokenizer.encode(tiny_fields.weights).abs().max() < 1000


def test_padding_of_rows_is_zero_and_ignored(tiny_fields: FieldSet) -> None:
    tokenizer = registry.create("identity").fit(tiny_fields)
    tokens = tokenizer.encode(tiny_fields.weights)
    assert tokens.shape == (12, 16 + 16 + 1, 17)  # neurons; the widest has 16 inputs and a bias
    padding = torch.zeros_like(tokens[0], dtype=torch.bool)
    padding[:16, 10:], padding[32:, 16:] = True, True
    assert tokens[:, padding].eq(0).all()
    noisy = tokens + padding * 9.0
    assert torch.equal(tokenizer.decode(noisy), tokenizer.decode(tokens))


@pytest.mark.parametrize("name", ["identity", "histogram", "codebook"])
def test_delta_without_a_base_is_weights(name: str, tiny_fields: FieldSet) -> None:
    settings = {"codes": 16, "steps": 1} if name == "codebook" else {}
    baseless = replace(tiny_fields, base=None)
    delta, weights = (registry.create(name, target=target, **settings).fit(baseless) for target in ("delta", "weights"))
    assert torch.equal(delta.encode(baseless.weights), weights.encode(baseless.weights))


@pytest.mark.parametrize("scope", ["global", "tensor"])
def test_lloyd_max_has_the_least_squared_error(scope: str, tiny_fields: FieldSet) -> None:
    def error(kind: str) -> float:
        tokenizer = registry.create("histogram", kind=kind, scope=scope, bins=8).fit(tiny_fields)
        return float((tokenizer.decode(tokenizer.encode(tiny_fields.weights)) - tiny_fields.weights).square().mean())

    assert error("lloyd-max") < min(error("uniform"), error("quantile"))


def test_lloyd_max_reaches_the_known_optimum_of_a_normal_distribution() -> None:
    spec = FieldSpec(hidden=(64, 64))
    weights = torch.randn(20, spec.size, generator=torch.Generator().manual_seed(0))
    fields = FieldSet(spec, weights, tuple(map(str, range(20))), torch.full((20,), -1))
    tokenizer = registry.create("histogram", scope="global", bins=4).fit(fields)
    # Max 1960, table I: for 4 levels the points are 0.4528 and 1.510, the error 0.1175.
    points = tokenizer.tensors()["points"][0]
    torch.testing.assert_close(points, torch.tensor([-1.510, -0.4528, 0.4528, 1.510]), atol=0.01, rtol=0)
    error = (tokenizer.decode(tokenizer.encode(weights)) - weights).square().mean()
    assert float(error) == pytest.approx(0.1175, abs=1e-3)


def test_quantile_bins_are_used_alike_and_uniform_ones_lie_evenly(tiny_fields: FieldSet) -> None:
    quantile = registry.create("histogram", kind="quantile", scope="global", bins=8).fit(tiny_fields)
    uniform = registry.create("histogram", kind="uniform", scope="global", bins=8).fit(tiny_fields)
    gaps = uniform.tensors()["points"][0].diff()
    torch.testing.assert_close(gaps, gaps.mean().expand(7), atol=1e-4, rtol=1e-4)

    def least_and_most(tokenizer: Tokenizer) -> float:
        counts = torch.bincount(tokenizer.encode(tiny_fields.weights).flatten(), minlength=8).double()
        return float(counts.min() / counts.max())

    assert least_and_most(quantile) > 0.2
    assert least_and_most(uniform) < 0.1


@pytest.mark.parametrize("kind", ["uniform", "quantile", "lloyd-max"])
def test_weights_beyond_the_ends_go_to_the_end_values(kind: str, tiny_fields: FieldSet) -> None:
    tokenizer = registry.create("histogram", kind=kind, bins=32).fit(tiny_fields)
    assert tokenizer.encode(torch.full((1, 448), 1e6)).eq(31).all()
    assert tokenizer.encode(torch.full((1, 448), -1e6)).eq(0).all()


@pytest.mark.parametrize("kind", ["uniform", "quantile", "lloyd-max"])
def test_equal_and_tied_weights_keep_every_code_decodable(kind: str, tiny_fields: FieldSet) -> None:
    weights = tiny_fields.weights.clone()
    first, second = tiny_fields.spec.layers[:2]
    one, two = (weights[:, layer.start : layer.bias_start] for layer in (first, second))
    one[:] = 0.3  # a whole matrix of one value
    two[:] = (two > 0).float()  # and one of two values
    tied = replace(tiny_fields, weights=weights, base=None)
    tokenizer = registry.create("histogram", kind=kind, bins=64).fit(tied)
    error = (tokenizer.decode(tokenizer.encode(weights)) - weights).abs()
    assert max(error[:, layer.start : layer.bias_start].max() for layer in (first, second)) < 0.02
    tokens = any_tokens(tokenizer, 20)
    assert torch.equal(tokenizer.encode(tokenizer.decode(tokens)), tokens)
    points = tokenizer.tensors()["points"]
    assert (points.diff() > 0).all()
    assert (points[0] - 0.3).abs().max() < 1e-3


def test_more_codes_and_more_depth_are_nearer(tiny_fields: FieldSet) -> None:
    def error(**settings: Any) -> float:
        tokenizer = registry.create("codebook", **{"steps": 5, "codes": 8} | settings).fit(tiny_fields)
        return float((tokenizer.decode(tokenizer.encode(tiny_fields.weights)) - tiny_fields.weights).square().mean())

    assert error(codes=32) < 0.8 * error()
    assert error(depth=3) < 0.8 * error()


def test_codes_of_layers_and_levels_have_ids_of_their_own(tiny_fields: FieldSet) -> None:
    tokenizer = registry.create("codebook", codes=8, depth=2, steps=1).fit(tiny_fields)
    low, high = tokenizer.vocabulary.bounds()
    assert tokenizer.vocabulary.length == 2 * 33
    books = list(dict.fromkeys(zip(low.tolist(), high.tolist(), strict=True)))
    assert len(books) == 3 * 2  # layers, levels
    assert books[0][0] == 0
    assert all(one[1] == two[0] for one, two in itertools.pairwise(books))  # side by side, none shared
    assert books[-1][1] == tokenizer.vocabulary.codes
    assert list(zip(low[:4].tolist(), high[:4].tolist(), strict=True)) == [*books[:2], *books[:2]]


def test_the_nearest_code_is_taken(tiny_fields: FieldSet) -> None:
    settings = {"codes": 64, "steps": 1, "unit": "chunk", "chunk": 4, "target": "weights", "normalise": "none"}
    tokenizer = registry.create("codebook", **settings).fit(tiny_fields)
    codes = tokenizer.tensors()["codes"]
    vectors = tiny_fields.weights.reshape(12, -1, 4)
    expected = (vectors[:, :, None] - codes).square().sum(-1).argmin(-1)
    assert torch.equal(tokenizer.encode(tiny_fields.weights), expected)


def test_another_seed_gives_other_codes(tiny_fields: FieldSet) -> None:
    one, two = (registry.create("codebook", codes=8, steps=1, seed=seed).fit(tiny_fields) for seed in (0, 1))
    assert not torch.equal(one.tensors()["codes"], two.tensors()["codes"])


def test_a_collapsed_codebook_warns_and_still_works(tiny_fields: FieldSet) -> None:
    assert tiny_fields.base is not None
    alike = replace(tiny_fields, weights=tiny_fields.base.expand(12, -1).clone())
    with pytest.warns(CollapsedCodebookWarning, match=r"collapsed.*use fewer codes"):
        tokenizer = registry.create("codebook", steps=1).fit(alike)
    torch.testing.assert_close(tokenizer.decode(tokenizer.encode(alike.weights)), alike.weights)


def test_stored_tensors_of_a_wrong_shape_are_refused(tiny_fields: FieldSet, tmp_path: Path) -> None:
    from nfgen import artifact

    for name, key in (("identity", "scale"), ("histogram", "points"), ("codebook", "codes"), ("codebook", "sizes")):
        path = tmp_path / f"{name}-{key}"
        tokenizer = registry.create(name, **({"codes": 8, "steps": 0} if name == "codebook" else {})).fit(tiny_fields)
        tokenizer.save(path)
        tensors = artifact.read_tensors(path / "tokenizer.safetensors")
        artifact.write_tensors(path / "tokenizer.safetensors", tensors | {key: tensors[key][1:]})
        with pytest.raises(ArtifactError, match="damaged"):
            registry.load(path)
        artifact.write_tensors(path / "tokenizer.safetensors", {k: v for k, v in tensors.items() if k != key})
        with pytest.raises(ArtifactError, match="damaged"):
            registry.load(path)
