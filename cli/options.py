"""Options that mean the same in every command, and settings given as options of their own name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


class Artifact(click.Path):
    """The path of an artifact, or the address `hf://owner/name` of one on the Hugging Face Hub, which is fetched."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str) and value.startswith("hf://"):
            from nfgen.io.hub import fetch

            return fetch(value)
        return super().convert(value, param, ctx)


artifact = Artifact(path_type=Path)

out = click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
seed = click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all random numbers.")
overwrite = click.option("--overwrite", is_flag=True, help="Replace an artifact that is there already.")
resume = click.option("--resume", is_flag=True, help="Go on where an interrupted run stopped.")
device = click.option("--device", default="cpu", show_default=True, help="Where to compute: cpu, cuda, …")
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


def _set_quiet(ctx: click.Context, parameter: click.Parameter, quiet: bool) -> None:
    from nfgen.runtime.launcher import is_main
    from nfgen.runtime.progress import show_progress

    show_progress(not quiet and is_main())


preset = click.option("--preset", help="A whole recipe, which options override: nef-gpt or nef-gpt-mnist.")

quiet = click.option(
    "--quiet",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_set_quiet,
    help="Print results only, no progress.",
)

FREE_SETTINGS = {"ignore_unknown_options": True, "allow_extra_args": True}
"""Context settings of a command that takes settings as options it does not declare."""


def words(metavar: str) -> Callable[[Command], Command]:
    """The argument that takes nouns and settings alike: `parse_words` tells them apart."""
    return click.argument(
        "words", nargs=-1, required=True, type=click.UNPROCESSED, metavar=f"{metavar} [--SETTING VALUE]…"
    )


def parse_words(words: tuple[str, ...]) -> tuple[list[str], dict[str, Any]]:
    """Nouns, and settings as a dict: `chairs --codes 64 --levels 8,5,5,5 --target delta`.

    Values are JSON, lists by comma, or texts.

    Raises:
        click.UsageError: if a setting has no value, or there is no noun.
    """
    nouns: list[str] = []
    found: dict[str, Any] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            nouns.append(word)
            continue
        name, equals, value = word[2:].partition("=")
        if not equals:
            if not rest:
                raise click.UsageError(f"{word} needs a value")
            value = rest.pop(0)
        found[name.replace("-", "_")] = _value(value)
    if not nouns:
        raise click.UsageError("there is no path to work on")
    return nouns, found


def parse_one(words: tuple[str, ...]) -> tuple[Path, dict[str, Any]]:
    """`parse_words` for a command that takes a single noun, a path."""
    nouns, found = parse_words(words)
    if len(nouns) > 1:
        raise click.UsageError(f"{nouns[1]!r} is one argument too many")
    return Path(nouns[0]), found


def _value(text: str) -> Any:
    for attempt in (text, f"[{text}]" if "," in text else text):
        try:
            return json.loads(attempt)
        except ValueError:
            continue
    return text


def load_spec(name: str) -> Any:
    """A field spec by the name of a preset, or from a JSON file."""
    from nfgen.fields.spec import FieldSpec
    from nfgen.io.files import read_json

    return FieldSpec.from_json(read_json(Path(name))) if name.endswith(".json") else name
