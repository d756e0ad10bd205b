"""Which device is taken, and what happens when its memory is full."""

from pathlib import Path
from typing import Any

import pytest
import torch

from nfgen.errors import ConfigError, NfgenError
from nfgen.fields.mlp import initial_weights
from nfgen.fields.spec import FieldSpec
from nfgen.fitting import in_memory
from nfgen.fitting.config import FitConfig
from nfgen.fitting.optimize import fit_batch
from nfgen.models.generation import generate
from nfgen.models.generation.config import SamplingConfig
from nfgen.models.generation.generate import fitting_batch, sample
from nfgen.models.gpt import GPT
from nfgen.models.registry import create
from nfgen.models.training.config import TrainerConfig
from nfgen.models.training.trainer import train
from nfgen.pipeline.dry_run.estimate import Plan
from nfgen.pipeline.fit import fit
from nfgen.pipeline.make_shapes import write_shapes
from nfgen.runtime import halving
from nfgen.runtime.device import CPU, describe, find_device, supports, why
from nfgen.tokens.vocabulary import Vocabulary

SPEC = FieldSpec(frequencies=1, hidden=(8, 8))


@pytest.mark.parametrize("name", ["meta", "cuda:a", "tpu", "cpu:1", ""])
def test_what_is_no_device_is_refused_with_those_that_are(name: str) -> None:
    with pytest.raises(ConfigError, match="no device") as error:
        find_device(name)
    assert "auto, cpu, cuda" in error.value.remedy


def test_without_an_accelerator_auto_is_the_cpu_and_others_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available=False: None)
    assert find_device("auto") == find_device("cpu") == CPU
    assert describe(CPU).startswith("cpu")
    assert "CPU" in why()
    with pytest.raises(ConfigError, match="no cuda here") as error:
        find_device("cuda")
    assert "--device auto" in error.value.remedy


def test_float64_is_missing_on_mps_alone() -> None:
    assert supports(CPU, torch.float64)
    assert supports(torch.device("mps"), torch.float32)
    assert not supports(torch.device("mps"), torch.float64)


def test_a_fit_that_runs_out_of_memory_goes_on_with_half_of_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(5, 32, 3, generator=generator) * 2 - 1
    values, start = points.norm(dim=-1) - 0.5, initial_weights(SPEC, 5, generator)
    config = FitConfig(steps=3, points=16)
    room = 2

    def little_memory(spec: FieldSpec, points: torch.Tensor, *others: Any) -> Any:
        if len(points) > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return fit_batch(spec, points, *others)

    monkeypatch.setattr(in_memory, "fit_batch", little_memory)
    monkeypatch.setattr(halving.log, "propagate", True)
    parts, whole = (
        in_memory.fit_in_memory(SPEC, points, values, start, config),
        fit_batch(SPEC, points, values, start, config),
    )
    torch.testing.assert_close(parts.weights, whole.weights)
    torch.testing.assert_close(parts.losses, whole.losses)
    assert "out of memory with 5 fields at once: 3 at once from now on" in caplog.text
    room = 0
    with pytest.raises(NfgenError, match="out of memory with one of 5 fields"):
        in_memory.fit_in_memory(SPEC, points, values, start, config)


def test_sampling_and_training_halve_what_does_not_fit(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    vocabulary = Vocabulary(length=4, codes=20)
    model = create("gpt", vocabulary, layers=1, width=8, heads=1, dropout=0.0)
    whole, drawn, loss = sample(model, 5), GPT.generate, GPT.loss
    room = 2

    def little_memory(self: GPT, labels: torch.Tensor, *others: Any, **more: Any) -> torch.Tensor:
        if len(labels) > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return drawn(self, labels, *others, **more)

    def little_memory_to_learn(self: GPT, tokens: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        if len(labels) > room and self.training:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return loss(self, tokens, labels)

    def learn(folder: str, rows: int) -> float | None:
        config = TrainerConfig(steps=3, batch_size=8, tokens_per_pass=4 * rows, precision="float32", device="cpu")
        mask = torch.arange(10) < 2
        return train(
            "gpt", model.config, vocabulary, whole.repeat(2, 1), torch.full((10,), -1), mask, tmp_path / folder, config
        ).val_loss

    same = learn("two", 2)
    monkeypatch.setattr(GPT, "generate", little_memory)
    monkeypatch.setattr(GPT, "loss", little_memory_to_learn)
    monkeypatch.setattr(halving.log, "propagate", True)
    assert torch.equal(sample(model, 5), whole)
    assert "out of memory with 5 samples at once: 3 at once" in caplog.text
    assert "out of memory with 3 samples at once: 2 at once" in caplog.text
    assert learn("all", 8) == pytest.approx(same, abs=1e-6)
    assert "out of memory with 8 sequences at once: 4 go through the model at once" in caplog.text
    # A record may be kept twice, by the package's logger and by the root's.
    said = {id(record) for record in caplog.records if "sequences at once" in record.getMessage()}
    assert len(said) == 2, "later steps begin with what fitted"
    room = 0
    with pytest.raises(NfgenError, match="out of memory with one of 5 samples"):
        sample(model, 5)
    with pytest.raises(NfgenError, match="one sequence does not fit"):
        learn("none", 8)


def test_an_accelerator_takes_as_many_as_its_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    model = create("gpt", Vocabulary(length=4, codes=20), layers=1, width=8, heads=1)
    config, there = FitConfig(), torch.device("meta")
    assert in_memory.fields_at_once(SPEC, config) == config.batch_size
    assert fitting_batch(model, SamplingConfig()) == 256
    for module in (in_memory, generate):
        monkeypatch.setattr(module, "free_memory", lambda device: 80 << 30)
    assert in_memory.fields_at_once(SPEC, config, there) == 4096
    assert fitting_batch(model, SamplingConfig()) == 4096
    for module in (in_memory, generate):
        monkeypatch.setattr(module, "free_memory", lambda device: 1 << 19)
    assert in_memory.fields_at_once(SPEC, config, there) == config.batch_size, "those of a file go together"
    assert fitting_batch(model, SamplingConfig()) < 4096


def test_fits_of_several_files_at_once_are_those_of_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = {"steps": 2, "points": 16, "near": 32, "uniform": 32, "near_eval": 8, "uniform_eval": 32, "batch_size": 2}
    write_shapes("chair", tmp_path / "shapes", n=5, seed=0)
    (tmp_path / "shapes" / "no.ply").write_bytes(b"no mesh")
    at_once: list[int] = []

    def counting(spec: FieldSpec, points: torch.Tensor, *others: Any) -> Any:
        at_once.append(len(points))
        return fit_batch(spec, points, *others)

    alone = fit(tmp_path / "shapes", tmp_path / "alone", spec=SPEC, workers=1, device="cpu", **few)
    monkeypatch.setattr(in_memory, "fit_batch", counting)
    monkeypatch.setattr("nfgen.pipeline.fit.fields_at_once", lambda *_: 4)
    together = fit(tmp_path / "shapes", tmp_path / "together", spec=SPEC, workers=1, device="cpu", **few)
    assert at_once == [4, 1]
    assert together.ids == alone.ids
    assert len(together.skipped) == 1
    torch.testing.assert_close(together.weights, alone.weights)


def test_a_dry_run_tells_the_memory_of_an_accelerator() -> None:
    there = Plan({}, {"fitting": 1.0}, 10**9, 2 * 10**9, 80 * 10**9)
    assert any(line.startswith("device memory") and "2 GB of 80 GB free" in line for line in there.lines())
    assert there.to_json()["device_memory_bytes"] == 2 * 10**9
    here = Plan({}, {"fitting": 1.0}, 10**9)
    assert not any("device" in line for line in here.lines())
    assert "device_memory_bytes" not in here.to_json()
