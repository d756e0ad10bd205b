"""Tests of Ctrl-C hold in the background, too, where a shell has processes ignore it."""

import signal
import subprocess
import sys

import pytest


def test_ctrl_c_interrupts() -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_ctrl_c_interrupts_in_the_background() -> None:
    ignoring = "import signal, sys, pytest; signal.signal(signal.SIGINT, signal.SIG_IGN); sys.exit(pytest.main())"
    command = [sys.executable, "-c", ignoring, "-q", f"{__file__}::{test_ctrl_c_interrupts.__name__}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
