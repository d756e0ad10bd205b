"""Runs the laws of devices, each file in a process of its own.

Torch takes no new device after the first backward pass of a process, and other tests should not see a simulated one.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from nfgen.runtime.device import CPU, find_device, why

HERE = Path(__file__).parent
LAWS = ("laws.py", "laws_of_commands.py")
SIMULATED = (*LAWS, "laws_of_waits.py")


def run(laws: str, marked: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-m", marked, str(HERE / laws)]
    done = subprocess.run(command, cwd=HERE.parent.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


@pytest.mark.parametrize("laws", SIMULATED)
def test_laws_hold_on_a_simulated_device(laws: str) -> None:
    run(laws, "not gpu")


@pytest.mark.gpu
@pytest.mark.parametrize("laws", LAWS)
def test_laws_hold_on_the_accelerator(laws: str) -> None:
    if find_device() == CPU:
        pytest.skip(f"no accelerator: {why()}")
    run(laws, "gpu")
