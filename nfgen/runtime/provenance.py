"""The running command line, which artifacts store."""

import contextlib
import shlex
from collections.abc import Iterator, Sequence

_command: str | None = None


def command() -> str | None:
    """The command line; None in a program that calls the library."""
    return _command


@contextlib.contextmanager
def made_by(words: Sequence[str] | None) -> Iterator[None]:
    """Set the command line of all artifacts that the body writes.

    Args:
        words: those after `nfgen`; None = no command line, in copies that are shared: it names paths of this machine.
    """
    global _command
    before, _command = _command, None if words is None else shlex.join(["nfgen", *words])
    try:
        yield
    finally:
        _command = before
