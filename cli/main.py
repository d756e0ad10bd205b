"""`nfgen`: the group of all commands, and how a mistake is reported."""

import itertools
import shlex
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from nfgen import __version__
from nfgen.errors import ConfigError, NfgenError
from nfgen.runtime.launcher import count, is_first_to_end, is_main
from nfgen.runtime.machine import slowed_threads
from nfgen.runtime.malloc import keep_freed_memory
from nfgen.runtime.provenance import made_by
from nfgen.runtime.signals import noted_sigint

from .app import app
from .check import check
from .completion import completion
from .config_options import nearest_option
from .demo import demo
from .doctor import doctor
from .edit import edit
from .evaluate import evaluate
from .export import export
from .fit import fit
from .generate import generate
from .info import info
from .make import make
from .options import say_notes
from .plain_output import plain_output
from .push import push
from .report import report
from .shapes import shapes
from .tokenize import tokenize
from .train import train

INTERRUPTED = 130  # what shells give for SIGINT
MISTAKE = 2
NO_MEMORY = ("can't allocate memory", "out of memory", "Storage size calculation overflowed")
"""Words of torch's errors."""
NO_THREAD = ("can't start new thread", "Resource temporarily unavailable")
"""Words of errors of Python and torch."""

COMPUTING = ("fit", "tokenize", "train", "make", "demo")
"""Commands that compute in several threads for long."""
GOING_ON = ("make", "demo")
"""Commands that go on where they stopped when they are called again."""


class Group(click.Group):
    """Commands in the order of the work, errors as a line of problem and a line of remedy."""

    _words: Sequence[str] = ()

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def main(self, args: Sequence[str] | None = None, *rest: Any, **kwargs: Any) -> Any:
        self._words = words = sys.argv[1:] if args is None else args
        with plain_output():
            try:
                _require_values(words)
                with made_by(words):
                    return super().main(args, *rest, **kwargs)
            except Exception as error:
                if "--debug" in words:
                    raise
                if (mistake := _in_words(error)) is not None:
                    _end(MISTAKE, *mistake)
                _end(1, f"unexpected {type(error).__name__}: {error}", "run it again with --debug to see where")

    def invoke(self, ctx: click.Context) -> Any:
        keep_freed_memory()
        named = next((word for word in self._words if word in self.commands), "")
        if named in COMPUTING and count() == 1 and (slowed := slowed_threads()) is not None:
            click.echo(f"warning: {slowed}", err=True)
        with noted_sigint() as pressed:
            try:
                return super().invoke(ctx)
            except click.NoSuchOption as error:
                raise nearest_option(error) from None
            except KeyboardInterrupt:  # here and not in `main`, where click has already made an "Aborted!" of it
                self._interrupted(named)
            except Exception:
                if pressed:
                    self._interrupted(named)
                raise

    def _interrupted(self, named: str) -> NoReturn:
        """End a command after Ctrl-C, and say how it goes on."""
        again, remedy = ["nfgen", *(word for word in self._words if word not in ("--resume", "--overwrite"))], None
        if named in GOING_ON:
            remedy = f"go on with: {shlex.join(again)}"
        elif named and any(parameter.name == "resume" for parameter in self.commands[named].params):
            launched = ", by as many processes as you like" if count() > 1 else ""
            remedy = f"go on with{launched}: {shlex.join([*again, '--resume'])}"
        _end(INTERRUPTED, "interrupted", remedy)


def _require_values(words: Sequence[str]) -> None:
    """Refuse words that mean nothing: an empty one would be the folder that one is in."""
    for before, word in itertools.pairwise(["nfgen", *words]):
        if not word or (word.startswith("--") and word.find("=") == len(word) - 1):
            remedy = "give a value, or leave it out; a variable of the shell may be empty"
            raise ConfigError(f"nothing stands after {word or before}", remedy)
        if "\0" in word:
            raise ConfigError(f"the word after {before} holds a NUL character", "give it without")


def _in_words(error: Exception) -> tuple[str, str] | None:
    """Problem and remedy of what is no mistake of ours: one of the user, a disk, a folder's rights, memory. None if it
    may be one."""
    if isinstance(error, NfgenError):
        return error.problem, error.remedy
    if isinstance(error, OSError):
        place = "" if error.filename is None else f"{error.filename}: "
        return f"{place}{error.strerror or error}", "check the path, its rights and the disk"
    of_torch = str(error) if isinstance(error, RuntimeError) else ""
    if isinstance(error, MemoryError) or any(words in of_torch for words in NO_MEMORY):
        return "there is not enough memory", "give smaller numbers or batches, or use a larger machine"
    if any(words in of_torch for words in NO_THREAD):
        return "the system starts no more threads", "end other programs, or raise the limits of processes and memory"
    return None


def _end(code: int, problem: str, remedy: str | None) -> NoReturn:
    """Say why, once for all processes that train together, and end."""
    if is_first_to_end():
        click.echo(f"nfgen: {problem}", err=True)
        if remedy:
            click.echo(f"       {remedy}", err=True)
    sys.exit(code)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="nfgen")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option("--deterministic", is_flag=True, help="One thread, deterministic algorithms: the same bits everywhere.")
def main(debug: bool, deterministic: bool) -> None:
    """Generate neural fields: shapes → fields → tokens → transformer → new fields and meshes."""
    say_notes(is_main())
    if deterministic:
        from nfgen.runtime.determinism import make_deterministic

        make_deterministic()


for command in (
    shapes,
    check,
    fit,
    tokenize,
    train,
    generate,
    edit,
    evaluate,
    report,
    export,
    app,
    push,
    info,
    make,
    demo,
    doctor,
    completion,
):
    main.add_command(command)
