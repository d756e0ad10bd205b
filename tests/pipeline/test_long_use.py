"""Short forms of benchmarks that take hours: kills at random moments, and memory over many generations."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_killed_at_random_moments_every_command_ends_with_the_same_bits() -> None:
    """The short form of `make soak`."""
    command = [sys.executable, ROOT / "benchmarks" / "soak.py", "--kills", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("all equal an uninterrupted run") == 4


def test_memory_stays_flat_over_many_generations(run: Path) -> None:
    """The short form of `benchmarks/long_use.py`."""
    command = [sys.executable, ROOT / "benchmarks" / "long_use.py", "--calls", "30", "--run", run, "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["growth_mb"] < 30
