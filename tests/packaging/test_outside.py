"""Tests pass away from the checkout: the package is where it is installed, the folder where they are started any."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nfgen

PACKAGE = Path(nfgen.__file__).parent
TESTS = Path(__file__).parents[1]
OWN = Path(__file__).name
LONG = "test_shapes_to_samples_without_what_only_some_systems_have"
"""It stands beside tests that read the source, and reads none."""
SENT = "shapes/test_guarded.py"
"""Objects of its own go to other processes, which import it."""


def test_tests_of_source_and_processes_pass_away_from_the_checkout(tmp_path: Path) -> None:
    # As `make package` runs them: all that an sdist holds but the package's own folders.
    # Under another name, as those of a checkout may be on the path.
    tests = tmp_path / "tried"
    shutil.copytree(TESTS, tests, ignore=shutil.ignore_patterns("__pycache__", OWN))
    shutil.copytree(TESTS.parent / "benchmarks", tmp_path / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TESTS.parent / "pyproject.toml", tmp_path)
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(tests.rglob("test_*.py"))}
    readers = [path for path, text in texts.items() if "ast.parse(" in text and "Path(__file__)" in text]
    assert readers
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    command = [sys.executable, "-m", "pytest", "-q", "-k", f"not {LONG}", *readers, tests / SENT]
    (tmp_path / "elsewhere").mkdir()
    done = subprocess.run(command, cwd=tmp_path / "elsewhere", env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
