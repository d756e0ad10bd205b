"""Made-up shapes: tokens of composites of fields, and of random solids."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nfgen.errors import ArtifactError, ConfigError
from nfgen.fields.field_set import FieldSet
from nfgen.fields.spec import FieldSpec
from nfgen.fitting.init import initial_weights
from nfgen.io import files
from nfgen.models.base import check_tokens
from nfgen.pipeline.tokenize import tokenize
from nfgen.pipeline.train import train
from nfgen.tokenizers import registry
from nfgen.tokenizers.vq.dataset import WarpedFields
from nfgen.tokenizers.vq.tokenizer import VQTokenizer
from nfgen.tokens.token_set import TokenSet

SMALL = {
    "max_tokens": 11, "levels": (8, 5), "probes": 4, "width": 16, "channels": 32, "decoder_blocks": 1, "steps": 4,
    "batch_size": 6, "points": 32, "base": "none",
}  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer(tiny_fields: FieldSet) -> VQTokenizer:
    return VQTokenizer(**SMALL).fit(tiny_fields)


def test_they_are_sequences_of_the_vocabulary_and_the_same_again(tokenizer: VQTokenizer, tiny_fields: FieldSet) -> None:
    tokens, labels = tokenizer.synthetic(tiny_fields, 41, seed=3)
    assert len(tokens) == len(labels) == 41
    check_tokens(tokenizer.vocabulary, tokens, labels)
    again, other = tokenizer.synthetic(tiny_fields, 41, seed=3), tokenizer.synthetic(tiny_fields, 41, seed=4)
    assert torch.equal(again[0], tokens)
    assert torch.equal(again[1], labels)
    assert not torch.equal(other[0], tokens)
    assert len(tokens.unique(dim=0)) > 30, "they differ from one another"


def test_composites_have_the_class_of_both_their_fields_and_solids_none(
    tokenizer: VQTokenizer, tiny_fields: FieldSet
) -> None:
    _, labels = tokenizer.synthetic(tiny_fields, 60, seed=0)
    assert (labels[:30] == -1).all()
    assert set(labels[30:].tolist()) == {0, 1}
    without = replace(tiny_fields, classes=(), labels=torch.full((len(tiny_fields),), -1))
    _, labels = tokenizer.synthetic(without, 60, seed=0)
    assert (labels == -1).all()


def test_a_composite_is_made_of_fields_of_one_class(
    tokenizer: VQTokenizer, tiny_fields: FieldSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs: list[tuple[list[int], list[int]]] = []
    fill = WarpedFields.fill

    def noted(self: WarpedFields) -> None:
        pairs.append((self.index[: self.size].tolist(), self.index[self.size :].tolist()))
        fill(self)

    monkeypatch.setattr(WarpedFields, "fill", noted)
    tokenizer.synthetic(tiny_fields, 60, seed=0)
    labels = tiny_fields.labels
    assert all(torch.equal(labels[one], labels[other]) for one, other in pairs)
    assert all(one != other for one, other in pairs), "most are of two fields"


def test_images_have_no_solids(tmp_path: Path) -> None:
    flat = FieldSpec(dims=2, hidden=(16,), output="occupancy")
    weights = initial_weights(flat, 6, torch.Generator().manual_seed(0))
    fields = FieldSet(spec=flat, weights=weights, ids=tuple("abcdef"), labels=torch.arange(6) % 2, classes=("x", "y"))
    tokenizer = VQTokenizer(**SMALL).fit(fields)
    _, labels = tokenizer.synthetic(fields, 12, seed=0)
    assert (labels >= 0).all()


def test_other_tokenizers_refuse_and_store_none(tiny_fields: FieldSet, tmp_path: Path) -> None:
    for name in ("identity", "histogram"):
        with pytest.raises(ConfigError, match="cannot make up shapes"):
            registry.create(name).fit(tiny_fields).synthetic(tiny_fields, 2, 0)
    with pytest.raises(ConfigError, match="cannot make up shapes"):
        registry.create("graph").synthetic(tiny_fields, 2, 0)
    with pytest.raises(ConfigError, match="cannot make up shapes"):
        tokenize(tiny_fields, tmp_path / "tokens", "histogram", synthetic=4)
    assert tokenize(tiny_fields, tmp_path / "tokens", "histogram").synthetic is None


def test_they_are_stored_with_the_tokens_and_trained_on(tiny_fields: FieldSet, tmp_path: Path) -> None:
    made = tokenize(tiny_fields, tmp_path / "tokens", "vq", synthetic=20, views=1, heldout=0.25, **SMALL)
    stored = TokenSet.load(tmp_path / "tokens")
    assert stored.synthetic is not None
    assert stored.synthetic.labels.shape == (20,)
    assert stored.synthetic.tokens.shape == (20, 11)
    assert made.settings["synthetic"] == 20
    small = {"layers": 1, "width": 16, "heads": 1}
    run = train(tmp_path / "tokens", tmp_path / "run", steps=4, batch_size=4, sample_every=0, model_settings=small)
    assert run.config["train"]["pretrain"] == 0.75
    weights = {
        share: train(
            tmp_path / "tokens", tmp_path / f"run-{share}", steps=4, batch_size=4, sample_every=0, pretrain=share,
            model_settings=small,
        ).model.state_dict()
        for share in (0.0, 0.75)
    }  # fmt: skip
    assert all(torch.equal(weights[0.75][key], value) for key, value in run.model.state_dict().items())
    assert not all(torch.equal(weights[0.0][key], value) for key, value in run.model.state_dict().items())


def test_by_default_there_are_thirty_two_a_field(tiny_fields: FieldSet, tmp_path: Path) -> None:
    made = tokenize(tiny_fields, tmp_path / "tokens", "vq", views=0, **SMALL)
    assert made.synthetic is not None
    assert len(made.synthetic.tokens) == 32 * len(tiny_fields)
    assert tokenize(tiny_fields, tmp_path / "none", "vq", views=0, synthetic=0, **SMALL).synthetic is None


def test_damaged_ones_are_refused(tiny_fields: FieldSet, tmp_path: Path) -> None:
    tokenize(tiny_fields, tmp_path / "tokens", "vq", synthetic=4, views=0, **SMALL)
    path = tmp_path / "tokens" / "tokens.safetensors"
    whole = {key: value.clone() for key, value in files.read_tensors(path).items()}
    damages = (
        {"synthetic": whole["synthetic"][:, :5]},
        {"synthetic": whole["synthetic"][:2]},
        {"synthetic": whole["synthetic"].float()},
    )
    for damage in damages:
        files.write_tensors(path, whole | {key: value.contiguous() for key, value in damage.items()})
        with pytest.raises(ArtifactError, match="is damaged"):
            TokenSet.load(tmp_path / "tokens")
    files.write_tensors(path, {key: value for key, value in whole.items() if key != "synthetic_labels"})
    with pytest.raises(ArtifactError, match="is damaged"):
        TokenSet.load(tmp_path / "tokens")
