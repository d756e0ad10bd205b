"""A training that was interrupted goes on to the same bits, and only as the training that it was."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nfgen.errors import ArtifactError, ConfigError
from nfgen.io import files
from nfgen.models.base import SequenceModel
from nfgen.models.generation.generate import sample
from nfgen.models.registry import load_model
from nfgen.models.training import trainer

from .small_trainings import CODES, MODELS, data, every_model, learn, log


@every_model
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_interrupted_and_resumed_equals_never_interrupted(tmp_path: Path, name: str, precision: str) -> None:
    vocabulary = MODELS[name]

    def augment(epoch: int) -> Tensor:
        fresh = data(vocabulary, 16, seed=100 + epoch)
        if epoch == interrupted_at:
            raise KeyboardInterrupt
        return fresh

    interrupted_at = -1
    learn(tmp_path / "whole", vocabulary, name=name, augment=augment, precision=precision)
    interrupted_at = 3  # two steps an epoch: the sixth step, between two checkpoints
    with pytest.raises(KeyboardInterrupt):
        learn(tmp_path / "parts", vocabulary, name=name, augment=augment, precision=precision)
    assert log(tmp_path / "parts")[-1]["step"] == 6
    interrupted_at = -1
    learn(tmp_path / "parts", vocabulary, name=name, augment=augment, precision=precision, resume=True)
    for name in ("best", "last"):
        whole, parts = ((tmp_path / run / f"{name}.safetensors").read_bytes() for run in ("whole", "parts"))
        assert whole == parts
    speedless = [[{**line, "tokens_per_second": 0} for line in log(tmp_path / run)] for run in ("whole", "parts")]
    assert speedless[0] == speedless[1]


def test_an_interruption_before_an_evaluation_does_not_lose_it(tmp_path: Path) -> None:
    def interrupt(model: SequenceModel, step: int) -> None:
        raise KeyboardInterrupt

    learn(tmp_path / "whole", sample_every=8)
    with pytest.raises(KeyboardInterrupt):
        learn(tmp_path / "parts", sample_every=8, on_sample=interrupt)
    learn(tmp_path / "parts", sample_every=8, resume=True)
    whole, parts = ((tmp_path / run / "best.safetensors").read_bytes() for run in ("whole", "parts"))
    assert whole == parts
    assert [line["val_loss"] for line in log(tmp_path / "whole")] == [
        line["val_loss"] for line in log(tmp_path / "parts")
    ]


@pytest.mark.parametrize("moment", ["between two lines", "as a line is written", "after a line", "by a sample"])
def test_an_interruption_at_any_moment_leaves_no_trace_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Lines stand at steps 3, 6, 8, 9, 12, 15 and 16; those of 8 and 16 have a held-out loss."""
    settings = {"steps": 16, "evaluate_every": 8, "log_every": 3, "sample_every": 4}
    written, sent = trainer.append_log, list[int]()

    def interrupt(step: int, at: int) -> None:
        if step == at and not sent:
            sent.append(step)
            signal.raise_signal(signal.SIGINT)

    def augment(epoch: int) -> Tensor:
        if moment == "between two lines":
            interrupt(2 * epoch, at=10)  # an epoch has two steps
        return data(CODES, 16, seed=100 + epoch)

    def append_log(run: Path, line: dict[str, Any]) -> None:
        if moment == "as a line is written":
            interrupt(line["step"], at=8)
        written(run, line)

    def on_log(line: dict[str, Any]) -> None:
        if moment == "after a line":
            interrupt(line["step"], at=8)

    def on_sample(model: SequenceModel, step: int) -> None:
        if moment == "by a sample":
            interrupt(step, at=8)

    learn(tmp_path / "whole", augment=lambda epoch: data(CODES, 16, seed=100 + epoch), **settings)
    monkeypatch.setattr(trainer, "append_log", append_log)
    called = {"augment": augment, "on_sample": on_sample, "on_log": on_log}
    with pytest.raises(KeyboardInterrupt):
        learn(tmp_path / "parts", **called, **settings)
    assert sent
    learn(tmp_path / "parts", resume=True, **called, **settings)
    whole, parts = ([{**line, "tokens_per_second": 0} for line in log(tmp_path / run)] for run in ("whole", "parts"))
    assert parts == whole
    for name in ("best", "last"):
        assert len({(tmp_path / run / f"{name}.safetensors").read_bytes() for run in ("whole", "parts")}) == 1


class Killed(BaseException):
    """Ends a training as SIGKILL does: without a checkpoint."""


@pytest.mark.parametrize("step", [3, 8, 16])
def test_a_kill_after_an_interruption_leaves_no_trace_in_the_log(tmp_path: Path, step: int) -> None:
    """Ctrl-C keeps a checkpoint of a step that has no line yet; the resumed training writes the line, and is killed."""
    settings = {"steps": 16, "evaluate_every": 8, "log_every": 3, "sample_every": 1}

    def interrupt(model: SequenceModel, at: int) -> None:
        if at == step:
            raise KeyboardInterrupt

    def kill(line: dict[str, Any]) -> None:
        if line["step"] == step:
            raise Killed

    learn(tmp_path / "whole", **settings)
    with pytest.raises(KeyboardInterrupt):
        learn(tmp_path / "parts", on_sample=interrupt, **settings)
    with pytest.raises(Killed):
        learn(tmp_path / "parts", on_log=kill, resume=True, **settings)
    learn(tmp_path / "parts", resume=True, **settings)
    whole, parts = ([{**line, "tokens_per_second": 0} for line in log(tmp_path / run)] for run in ("whole", "parts"))
    assert parts == whole


OLD_NAMES = (
    ("start_embedding.weight", "starts.weight"),
    ("position_embedding.weight", "places.weight"),
    ("attention.qkv.", "attention.read."),
    ("attention.proj.", "attention.write."),
    ("feedforward.up.", "feedforward.read."),
    ("feedforward.proj.", "feedforward.write."),
    ("head.in_proj.", "head.read."),
    ("head.digit_embedding.", "head.earlier."),
    ("head.out_proj.", "head.write."),
)
"""Names of weights today, and those of version 0.1."""


@pytest.mark.parametrize("head", ["digits", "untied"])
@pytest.mark.parametrize("name", MODELS)
def test_weights_of_version_0_1_load_and_its_trainings_go_on(tmp_path: Path, name: str, head: str) -> None:
    def interrupted(epoch: int) -> Tensor:
        if epoch == 4:
            raise KeyboardInterrupt
        return data(MODELS[name], 16)

    model = {"head": head} if name == "gpt" else {}
    learn(tmp_path / "whole", MODELS[name], name=name, model=model, augment=lambda epoch: data(MODELS[name], 16))
    with pytest.raises(KeyboardInterrupt):
        learn(tmp_path / "parts", MODELS[name], name=name, model=model, augment=interrupted)
    sampled = sample(load_model(tmp_path / "parts"), 2)
    for path in (tmp_path / "parts").rglob("*.safetensors"):
        renamed = {}
        for key, tensor in files.read_tensors(path).items():
            for new, old in OLD_NAMES:
                key = key.replace(new, old)
            renamed[key] = tensor.clone()
        assert any("attention.read" in key for key in renamed)
        files.write_tensors(path, renamed)
    assert torch.equal(sample(load_model(tmp_path / "parts"), 2), sampled)
    augment = {"augment": lambda epoch: data(MODELS[name], 16)}
    learn(tmp_path / "parts", MODELS[name], name=name, model=model, resume=True, **augment)
    whole, parts = ((tmp_path / run / "last.safetensors").read_bytes() for run in ("whole", "parts"))
    assert whole == parts


def test_a_finished_training_can_go_on_for_longer(tmp_path: Path) -> None:
    first = learn(tmp_path, steps=8)
    assert learn(tmp_path, steps=8, resume=True).steps == first.steps
    assert learn(tmp_path, steps=12, resume=True).steps == 12
    assert [line["step"] for line in log(tmp_path)] == [2, 4, 6, 8, 10, 12]


def test_resuming_where_nothing_is_begins(tmp_path: Path) -> None:
    assert learn(tmp_path / "new", resume=True).steps == 12


def test_resuming_drops_half_a_line_of_the_log(tmp_path: Path) -> None:
    learn(tmp_path, steps=8)
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 10, "lo')
    learn(tmp_path, steps=12, resume=True)
    assert [line["step"] for line in log(tmp_path)] == [2, 4, 6, 8, 10, 12]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"seed": 2}, "seed"),
        ({"batch_size": 4}, "batch_size"),
        ({"model": {"layers": 1}}, "settings"),
        ({"tokens": data(CODES, 20, seed=9)}, "data"),
    ],
)
def test_a_resumed_training_must_be_the_same(tmp_path: Path, changed: dict[str, object], said: str) -> None:
    learn(tmp_path, steps=4)
    with pytest.raises(ConfigError, match=said):
        learn(tmp_path, resume=True, **changed)


def test_a_training_is_not_overwritten_unasked(tmp_path: Path) -> None:
    learn(tmp_path, steps=4)
    with pytest.raises(ArtifactError, match="already"):
        learn(tmp_path, steps=4)


def test_damaged_folders_are_refused(tmp_path: Path) -> None:
    learn(tmp_path, steps=4)
    state = next((tmp_path / "training").glob("*.safetensors"))
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(ArtifactError):
        learn(tmp_path, resume=True)
    described = json.loads((tmp_path / "model.json").read_text())
    described["settings"]["width"] = 64
    (tmp_path / "model.json").write_text(json.dumps(described))
    with pytest.raises(ArtifactError, match="damaged"):
        load_model(tmp_path)
