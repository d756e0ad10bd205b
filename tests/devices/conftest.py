"""Devices of tests: a simulated one everywhere, and the real one where there is one (`pytest -m gpu`)."""

from collections.abc import Iterator

import pytest
import torch

from nfgen.runtime.device import CPU, find_device, why

from .simulated_device import simulated_device


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> Iterator[torch.device]:
    with simulated_device(monkeypatch) as there:
        yield there


@pytest.fixture(params=["simulated", pytest.param("real", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> torch.device:
    """A device that is not the CPU."""
    if request.param == "simulated":
        found: torch.device = request.getfixturevalue("simulated")
        return found
    if find_device() == CPU:
        pytest.skip(f"no accelerator: {why()}")
    return find_device()
