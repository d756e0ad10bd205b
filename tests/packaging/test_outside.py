"""Tests that read the package's source find it where it is installed, not beside themselves."""

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


def test_tests_that_read_the_source_pass_away_from_it(tmp_path: Path) -> None:
    # As `make package` runs them: all that an sdist holds but the package's own folders.
    shutil.copytree(TESTS, tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__", OWN))
    shutil.copytree(TESTS.parent / "benchmarks", tmp_path / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TESTS.parent / "pyproject.toml", tmp_path)
    texts = {path: path.read_text(encoding="utf-8") for path in sorted((tmp_path / "tests").rglob("test_*.py"))}
    readers = [path for path, text in texts.items() if "ast.parse(" in text and "Path(__file__)" in text]
    assert readers
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    command = [sys.executable, "-m", "pytest", "-q", "-k", f"not {LONG}", *readers]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
