"""Every command with words that work, on small artifacts; what a refusal must look like."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import trimesh
from click.testing import CliRunner, Result

from nfgen.cli.main import main

STORED = Path(__file__).parent.parent / "fixtures" / "v0.1"
ARTIFACTS = ("fields", "tokens", "run", "samples")
LONG = "n" * 300

WORDS: dict[str, list[str]] = {
    "shapes": ["vase", "-n", "1", "--resolution", "16", "-o", "OUT"],
    "check": ["SHAPES", "-n", "1", "--workers", "1"],
    "fit": ["SHAPES", "--steps", "1", "--near", "64", "--uniform", "64", "--workers", "1", "-o", "OUT"],
    "tokenize": ["FIELDS", "--tokenizer", "identity", "-o", "OUT"],
    "train": ["TOKENS", "--steps", "1", "--layers", "1", "--width", "8", "--heads", "1", "-o", "OUT"],
    "generate": ["RUN", "-n", "1", "--resolution", "8", "-o", "OUT"],
    "edit": ["interpolate", "RUN", "SAMPLES#0", "SAMPLES#1", "-n", "2", "--resolution", "8", "-o", "OUT"],
    "evaluate": ["SAMPLES", "--reference", "SHAPES", "--points", "16", "--no-pictures", "-o", "OUT"],
    "report": ["SAMPLES", "-o", "OUT"],
    "export": ["FIELDS", "-n", "1", "--resolution", "8", "-o", "OUT"],
    "app": ["RUN", "--port", "65536"],
    "push": ["RUN", "--samples", "SAMPLES", "-o", "OUT"],
    "info": ["RUN"],
    "demo": ["-o", "TAKEN"],
    "make": ["SHAPES", "-o", "TAKEN"],
    "doctor": [],
    "completion": ["bash"],
}
"""Words that work, by command. Those in capitals are places of `Places`. A demo would take minutes: its place is taken,
which it must find out before it begins. The app would serve for ever: there is no such port."""


class Places:
    """A folder with one artifact of each kind and some shapes.

    Args:
        folder: an empty one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ARTIFACTS:
            shutil.copytree(STORED / name, folder / name)
        # As later versions write it.
        shutil.copy(folder / "samples" / "sample-0000.png", folder / "samples" / "contact_sheet.png")
        (folder / "shapes").mkdir()
        (folder / "taken").mkdir()
        (folder / "taken" / "thesis.txt").write_text("mine")
        for i in range(4):
            trimesh.creation.box((1, 1 + i / 4, 1)).export(folder / "shapes" / f"{i}.stl")

    def word(self, word: str) -> str:
        """A word of `WORDS` with its place in it."""
        if word == "OUT":
            (self.folder / "out").mkdir(exist_ok=True)
            return str(self.folder / "out" / "it")
        return str(self.folder / word.lower()) if word.isupper() else word

    def words(self, command: str) -> list[str]:
        """A command's words that work, with its name first."""
        return [command, *map(self.word, WORDS[command])]

    def clear(self) -> None:
        """Remove what a command has written."""
        shutil.rmtree(self.folder / "out", ignore_errors=True)


def parameters(words: list[str]) -> list[click.Parameter]:
    """All parameters of a command, those of its configuration with them."""
    command = main.commands[words[0]]
    context = command.make_context(words[0], words[1:])
    return command.get_params(context)


def valued(words: list[str]) -> Iterator[click.Option]:
    """The options of a command that take a value."""
    for parameter in parameters(words):
        if isinstance(parameter, click.Option) and not (parameter.is_flag or parameter.is_bool_flag):
            yield parameter


def run(words: list[str]) -> Result:
    return CliRunner().invoke(main, words)


def refusal(done: Result, words: list[str], must_refuse: bool = False) -> str:
    """What a command said, after checking the law: it did its work, or gave a line of problem and one of remedy."""
    said = done.stderr.replace("unexpected extra argument", "")
    about = f"{words}: {done.output[-1000:]}"
    assert "unexpected" not in said, about
    assert "Traceback" not in said, about
    assert done.exception is None or isinstance(done.exception, SystemExit), about
    assert done.exit_code in ((1, 2) if must_refuse else (0, 1, 2)), about
    lines = [line for line in said.splitlines() if line.strip()]
    if done.exit_code and "Usage: " not in said:
        assert lines[-2].startswith("nfgen: "), about
        assert len(lines[-2]) > len("nfgen: "), about
        assert lines[-1].startswith("       "), about
    return said
