"""Which device is taken, and what happens when its memory is full."""

from typing import Any

import pytest
import torch

from nfgen.errors import ConfigError, NfgenError
from nfgen.fields.mlp import initial_weights
from nfgen.fields.spec import FieldSpec
from nfgen.fitting import halving
from nfgen.fitting.config import FitConfig
from nfgen.fitting.optimize import fit_batch
from nfgen.runtime.device import CPU, describe, find_device, supports, why

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

    monkeypatch.setattr(halving, "fit_batch", little_memory)
    monkeypatch.setattr(halving.log, "propagate", True)
    parts, whole = (
        halving.fit_in_memory(SPEC, points, values, start, config),
        fit_batch(SPEC, points, values, start, config),
    )
    torch.testing.assert_close(parts.weights, whole.weights)
    torch.testing.assert_close(parts.losses, whole.losses)
    assert "out of memory with 5 fields at once: 3 are fitted at once" in caplog.text
    room = 0
    with pytest.raises(NfgenError, match="a single field does not fit"):
        halving.fit_in_memory(SPEC, points, values, start, config)
