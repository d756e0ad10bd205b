"""Training that begins with the model of another run."""

import json
from pathlib import Path

import pytest
import torch

from nfgen.errors import ArtifactError, ConfigError
from nfgen.fields.field_set import FieldSet
from nfgen.io.shipped import here
from nfgen.models.base import OF_CLASSES
from nfgen.models.registry import load_model
from nfgen.pipeline.config import TrainConfig
from nfgen.pipeline.initial_model import new_model
from nfgen.pipeline.run import Run
from nfgen.pipeline.tokenize import tokenize
from nfgen.pipeline.train import train
from nfgen.tokenizers.registry import load_tokenizer
from nfgen.tokens.token_set import TokenSet

SMALL = {"layers": 1, "width": 32, "heads": 1, "dropout": 0.0}


@pytest.fixture(scope="module")
def tokens(tiny_fields: FieldSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokens") / "tokens"
    tokenize(tiny_fields, folder, "histogram", bins=8, heldout=0.25)
    return folder


@pytest.fixture(scope="module")
def run(tokens: Path) -> Path:
    folder = tokens.parent / "run"
    train(tokens, folder, TrainConfig(steps=40, evaluate_every=40, learning_rate=1e-2), model_settings=SMALL)
    return folder


def test_it_goes_on_from_the_weights_of_the_run(run: Path, tokens: Path, tmp_path: Path) -> None:
    nothing_learned = TrainConfig(steps=1, learning_rate=1e-9, weight_decay=1e-9, init=str(run))
    again = train(tokens, tmp_path / "again", nothing_learned)
    first = Run.load(run)
    assert again.model.config == first.model.config, "its size and parts hold"
    for ours, theirs in zip(again.model.parameters(), first.model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
    assert json.loads((tmp_path / "again" / "config.json").read_text())["train"]["init"] == str(run)


def test_parts_without_weights_can_be_set_and_others_cannot(run: Path, tokens: Path, tmp_path: Path) -> None:
    config = TrainConfig(steps=1, init=str(run))
    wetter = train(tokens, tmp_path / "wetter", config.with_settings({"dropout": 0.3}))
    assert wetter.model.config.to_json() == {**Run.load(run).model.config.to_json(), "dropout": 0.3}
    with pytest.raises(ConfigError, match="another size"):
        train(tokens, tmp_path / "wider", config.with_settings({"width": 64}))


def test_other_tokens_and_what_is_no_run_are_refused(run: Path, tiny_fields: FieldSet, tmp_path: Path) -> None:
    tokenize(tiny_fields, tmp_path / "other", "histogram", bins=16)
    with pytest.raises(ConfigError, match="other tokens"):
        train(tmp_path / "other", tmp_path / "out", TrainConfig(steps=1, init=str(run)))
    with pytest.raises(ArtifactError):
        train(tmp_path / "other", tmp_path / "out", TrainConfig(steps=1, init=str(tmp_path / "other")))


@pytest.fixture(scope="module")
def base_tokens(tiny_fields: FieldSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tokens of the tokenizer that ships with nfgen, as it is."""
    folder = tmp_path_factory.mktemp("base") / "tokens"
    tokenize(tiny_fields, folder, "pretrained", steps=0, views=0)
    return folder


NOTHING_LEARNED = TrainConfig(steps=1, learning_rate=1e-9, weight_decay=1e-9)


def test_tokens_of_the_shipped_tokenizer_are_learned_from_the_model_beside_it(
    base_tokens: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "nfgen"):
        run = train(base_tokens, tmp_path / "run", NOTHING_LEARNED, model_settings={"dropout": 0.3})
    theirs = load_model(here("base-3d")).state_dict()
    for name, ours in run.model.state_dict().items():
        known = theirs[name][:1].expand_as(ours) if name in OF_CLASSES else theirs[name]  # all classes are new
        torch.testing.assert_close(ours, known, rtol=0, atol=1e-6)
    assert run.model.config.to_json()["dropout"] == 0.3
    assert "begins with the one that ships" in caplog.text
    assert TokenSet.load(base_tokens).synthetic is None, "it knows what solids are like"


@pytest.mark.parametrize("other", [{"init": "none"}, {"width": 64}, {"random_order": 1.0}, {"model": "diffusion"}])
def test_other_sizes_and_parts_begin_with_random_weights(
    base_tokens: Path, other: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    tokenizer = load_tokenizer(base_tokens / "tokenizer")
    config = NOTHING_LEARNED.with_settings(other)
    with caplog.at_level("INFO", "nfgen"):
        _, _, init = new_model(config, tokenizer)
    assert init is None
    assert "begins with" not in caplog.text


def test_tokens_of_another_tokenizer_begin_with_random_weights(tokens: Path) -> None:
    assert new_model(TrainConfig(), load_tokenizer(tokens / "tokenizer"))[2] is None


def test_runs_of_before_there_was_such_a_model_are_made_again_from_random_weights() -> None:
    assert TrainConfig.model_validate({"init": None}).init == "none"
