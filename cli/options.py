"""Options that mean the same in every command, and settings given as options of their own name."""

import json
import logging
import os
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from nfgen.fields.spec import FieldSpec

Command = TypeVar("Command", bound=Callable[..., Any])


class Artifact(click.Path):
    """The path of an artifact, the name of one that ships with nfgen, or the address `hf://owner/name` of one on the
    Hugging Face Hub, which is fetched."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from nfgen.io.hub import fetch, is_address
        from nfgen.io.shipped import here

        return fetch(value) if is_address(value) else here(os.fsdecode(super().convert(value, param, ctx)))


artifact = Artifact(path_type=Path)
path = click.Path(path_type=Path)

MOST = 2**31 - 1
"""Of anything that is counted: more fits into no memory and no lifetime, and into few libraries' integers."""
count = click.IntRange(1, MOST)

out = click.option("-o", "--out", type=path, required=True, help="Folder to write.")
overwrite = click.option("--overwrite", is_flag=True, help="Replace an artifact that is there already.")
resume = click.option("--resume", is_flag=True, help="Go on where an interrupted run stopped.")
dry_run = click.option("--dry-run", is_flag=True, help="Only say what it would take: sizes, memory, time.")
_engine = click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Where to work: this process, or the machines of a Ray cluster.",
)
_address = click.option("--address", help="Of the Ray cluster: auto, ray://HOST:10001. [default: one begun here]")


def engine(command: Command) -> Command:
    """`--engine` and `--address`, which `nfgen.runtime.executor.create_engine` takes."""
    return _engine(_address(command))


as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")


def say(found: Any, lines: Iterable[str], as_json: bool) -> None:
    """Print what was found, as JSON or as lines of text."""
    for line in [json.dumps(found, allow_nan=False)] if as_json else lines:
        click.echo(line)


def _set_quiet(ctx: click.Context, parameter: click.Parameter, quiet: bool) -> None:
    from nfgen.runtime.launcher import is_main
    from nfgen.runtime.progress import show_progress

    show_progress(not quiet and is_main())
    say_notes(not quiet and is_main())


class _Said(logging.Handler):
    """What nfgen logs, on the error stream of the command: notes as they are, warnings as warnings."""

    def emit(self, record: logging.LogRecord) -> None:
        text = "".join(letter if letter.isprintable() else "?" for letter in record.getMessage())
        click.echo(f"{'warning' if record.levelno >= logging.WARNING else 'note'}: {text}", err=True)


def say_notes(notes: bool) -> None:
    """Have warnings, and if asked for notes, said by this process."""
    logger = logging.getLogger("nfgen")
    logger.setLevel(logging.INFO if notes else logging.WARNING)
    logger.propagate = False
    if not any(isinstance(handler, _Said) for handler in logger.handlers):
        logger.addHandler(_Said())


def next_line(*words: object) -> str:
    """The line that names the next command, quoted for a shell; words in capitals stand for the user's own."""
    return f"next: {shlex.join(map(str, words))}"


preset = click.option(
    "--preset", expose_value=False, help="A whole recipe, which options override: nef-gpt or nef-gpt-mnist."
)

quiet = click.option(
    "--quiet",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_set_quiet,
    help="Print results only, no progress.",
)


def load_spec(name: "FieldSpec | str") -> "FieldSpec | str":
    """A field spec, the name of one, or the one of a JSON file."""
    from nfgen.fields.spec import FieldSpec
    from nfgen.io.files import read_json

    is_file = isinstance(name, str) and name.endswith(".json")
    return FieldSpec.from_json(read_json(Path(str(name)))) if is_file else name
