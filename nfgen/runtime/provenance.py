"""The running command line, which artifacts store."""

import contextlib
import shlex
from collections.abc import Iterator, Sequence

_command: str | None = None


def command() -> str | None:
    """The command line; None in a program that calls the library."""
    return _command


@contextlib.contextmanager
def made_by(words: Sequence[str]) -> Iterator[None]:
    """Set the command line (the words after `nfgen`) of all artifacts that the body writes."""
    global _command
    before, _command = _command, shlex.join(["nfgen", *words])
    try:
        yield
    finally:
        _command = before
