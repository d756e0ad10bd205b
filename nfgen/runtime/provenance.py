"""The command line that is running: artifacts keep it, so that a report can say how each was made."""

import contextlib
import shlex
from collections.abc import Iterator, Sequence

_command: str | None = None


def command() -> str | None:
    """The command line; None in a program that calls the library."""
    return _command


@contextlib.contextmanager
def made_by(words: Sequence[str]) -> Iterator[None]:
    """Keep the words after `nfgen` as the command line of all artifacts that the body writes."""
    global _command
    before, _command = _command, shlex.join(["nfgen", *words])
    try:
        yield
    finally:
        _command = before
