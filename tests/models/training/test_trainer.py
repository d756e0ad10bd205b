"""The loop of a training: its seed, its end, its log and what it keeps."""

import itertools
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from nfgen.errors import ConfigError, NfgenError
from nfgen.models.base import SequenceModel
from nfgen.models.generation.generate import sample
from nfgen.models.registry import create, load_model
from nfgen.models.training import trainer

from .small_trainings import CODES, MODELS, NUMBERS, OVERFIT, data, every_model, labelled, learn, log


@every_model
def test_same_seed_same_bytes_and_global_randomness_is_left_alone(tmp_path: Path, name: str) -> None:
    torch.manual_seed(1)
    learn(tmp_path / "a", MODELS[name], name=name)
    first = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(1), first)
    learn(tmp_path / "b", MODELS[name], name=name)
    learn(tmp_path / "c", MODELS[name], name=name, seed=1)
    a, b, c = ((tmp_path / run / "last.safetensors").read_bytes() for run in "abc")
    assert a == b != c


def test_training_stops_when_unseen_sequences_get_no_likelier(tmp_path: Path) -> None:
    result = learn(tmp_path, steps=400, patience=3, learning_rate=1e-2)  # random tokens: nothing can be learned of them
    assert result.stopped == "patience"
    assert result.best_step == result.steps - 3 * 4
    assert load_model(tmp_path, "last").loss(data(CODES, 20)[16:], labelled(20)[16:]).item() > (result.val_loss or 0)


def test_training_stops_at_so_many_times_the_steps_of_the_lowest_loss(tmp_path: Path) -> None:
    result = learn(tmp_path, steps=400, past_best=1.5, learning_rate=1e-2)
    assert result.stopped == "past best"
    assert result.steps == math.ceil(1.5 * result.best_step) < 400
    assert [line["step"] for line in log(tmp_path) if line["val_loss"] is not None][-1] == result.steps
    assert learn(tmp_path / "long", steps=40, past_best=100.0, learning_rate=1e-2).stopped == "steps"


@every_model
def test_the_best_weights_have_the_loss_that_is_said(tmp_path: Path, name: str) -> None:
    vocabulary = MODELS[name]
    result = learn(tmp_path, vocabulary, name=name, precision="float32")
    tokens, labels = data(vocabulary, 20)[16:], labelled(20)[16:]
    loss = load_model(tmp_path).loss(tokens, labels).item()
    assert loss == pytest.approx(result.val_loss, abs=1e-5)
    bits = None if vocabulary.continuous else pytest.approx(loss * 12 / math.log(2), abs=1e-3)
    assert result.bits_per_field == bits


def test_the_log_has_its_lines(tmp_path: Path) -> None:
    learn(tmp_path)
    lines = log(tmp_path)
    assert [line["step"] for line in lines] == [2, 4, 6, 8, 10, 12]
    assert all(set(line) == {"step", "loss", "val_loss", "tokens_per_second", "lr"} for line in lines)
    assert [line["val_loss"] is None for line in lines] == [True, False] * 3


def test_time_ends_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count()
    # Every step and every evaluation takes a twentieth of a second.
    monkeypatch.setattr(trainer, "time", SimpleNamespace(monotonic=lambda: next(ticks) / 20))
    result = learn(tmp_path, steps=None, minutes=0.01, patience=0)
    assert result.stopped == "minutes"
    assert 0.6 <= result.seconds < 0.8
    assert log(tmp_path)[-1]["lr"] < 0.2 * 6e-3


@pytest.mark.parametrize("name", ["regression", "diffusion"])
def test_a_loss_that_is_not_finite_keeps_the_last_checkpoint(tmp_path: Path, name: str) -> None:
    def augment(epoch: int) -> Tensor:
        return data(NUMBERS, 16) if epoch < 3 else torch.full((16, 12, 2), 3e38)  # finite, but not their sum

    with pytest.raises(NfgenError, match="finite at step 6") as caught:
        learn(tmp_path, NUMBERS, name=name, augment=augment)
    assert "step 4 is kept" in caught.value.remedy
    assert "learning rate" in caught.value.remedy
    assert sample(load_model(tmp_path, "last"), 1).isfinite().all()


def test_a_batch_may_go_through_in_parts(tmp_path: Path) -> None:
    whole = learn(tmp_path / "whole", model=OVERFIT, precision="float32")
    parts = learn(tmp_path / "parts", model=OVERFIT, precision="float32", tokens_per_pass=36)
    assert parts.loss == pytest.approx(whole.loss, abs=1e-4)
    assert parts.val_loss == pytest.approx(whole.val_loss, abs=1e-4)


def test_samples_on_the_way_are_of_the_averaged_model(tmp_path: Path) -> None:
    steps = []

    def look(model: SequenceModel, step: int) -> None:
        assert not model.training
        assert sample(model, 2).shape == (2, 12)
        steps.append(step)

    learn(tmp_path / "seen", on_sample=look, sample_every=5)
    learn(tmp_path / "unseen", sample_every=5)
    assert steps == [5, 10]
    seen, unseen = ((tmp_path / run / "last.safetensors").read_bytes() for run in ("seen", "unseen"))
    assert seen == unseen


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"out": 20}, "no training rows"),
        ({"augment": lambda epoch: torch.zeros(3, 12, dtype=torch.int64)}, "augmented"),
        ({"augment": lambda epoch: torch.full((16, 12), 20)}, "not allowed at position"),
        ({"tokens": torch.zeros(20, 12)}, "codes"),
        ({"batch_size": 0}, "batch_size"),
        ({"average": 1.0}, "average"),
        ({"minutes": -1.0}, "minutes"),
        ({"device": "abacus"}, "device"),
    ],
)
def test_wrong_data_and_settings_are_named(tmp_path: Path, change: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        learn(tmp_path, **change)


@every_model
def test_a_trained_model_is_the_same_when_loaded(tmp_path: Path, name: str) -> None:
    models: list[SequenceModel] = []
    learn(tmp_path, MODELS[name], name=name, on_sample=lambda model, step: models.append(model), sample_every=12)
    loaded = load_model(tmp_path, "last")
    assert loaded.vocabulary == models[0].vocabulary
    assert loaded.config == models[0].config
    # Numbers, unlike codes, show that weights elsewhere in memory may be summed in another order.
    torch.testing.assert_close(sample(loaded, 4, seed=1), sample(models[0], 4, seed=1), rtol=1e-5, atol=1e-6)
    assert create(name, MODELS[name], loaded.config).parameter_count == loaded.parameter_count
