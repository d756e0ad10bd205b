"""No name and no text of a file reaches the terminal as a command to it."""

import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from nfgen.cli.main import main
from nfgen.io import artifact, files

ESCAPES = "\x1b[2J\x1b]0;owned\x07\x9b31m\x08\x7f\u202e"


@pytest.fixture
def harmful(tmp_path: Path) -> Path:
    """A folder of samples all of whose texts are full of commands."""
    with artifact.writing(tmp_path / "out", "samples") as folder:
        files.write_json(folder / "samples.json", [])
        artifact.write_config(folder, "samples", {"run": ESCAPES, "n": ESCAPES, ESCAPES: ESCAPES, "seed": 0})
    return tmp_path / "out"


@pytest.mark.parametrize(
    "words", [["info"], ["report"], ["evaluate", "--reference", "nowhere"], ["generate", "-o", "x"]]
)
def test_texts_of_an_artifact_do_not_command_the_terminal(words: list[str], harmful: Path) -> None:
    done = CliRunner().invoke(main, [words[0], str(harmful), *words[1:]])
    assert not set(ESCAPES) & set(done.output) - set("[2J]0;owned31m")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_names_of_skipped_shapes_do_not_command_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "shapes").mkdir()
    (tmp_path / "shapes" / f"{ESCAPES.replace('/', '')}.obj").write_text("nothing")
    np.save(tmp_path / "shapes" / "good.npy", np.pad(np.ones((4, 4, 4), bool), 2))
    few = "--steps 2 --points 16 --near 32 --uniform 32 --near-eval 8 --uniform-eval 32 --init random --workers 1"
    done = CliRunner().invoke(
        main, ["fit", str(tmp_path / "shapes"), *few.split(), "-o", str(tmp_path / "fields"), "--quiet"]
    )
    assert done.exit_code == 0, done.output
    assert "skipped" in done.output
    assert not set(ESCAPES) & set(done.output) - set("[2J]0;owned31m")
