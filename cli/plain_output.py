"""What commands print: UTF-8 on every terminal, and no text of a file commands it."""

import contextlib
import io
import re
import sys
from collections.abc import Iterator

# Control characters but tab, newline and carriage return (of progress bars), and those that turn a text's direction.
_COMMANDS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class _Plain(io.TextIOWrapper):
    def write(self, text: str) -> int:
        return super().write(_COMMANDS.sub("?", text))


@contextlib.contextmanager
def plain_output() -> Iterator[None]:
    """Print as UTF-8, with a question mark for each character that would command the terminal."""
    before = sys.stdout, sys.stderr
    plain = [_plain(stream) if isinstance(stream, io.TextIOWrapper) else None for stream in before]
    sys.stdout, sys.stderr = (new or old for new, old in zip(plain, before, strict=True))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for stream in plain:
            if stream is not None:
                with contextlib.suppress(OSError, ValueError):  # nobody reads any more
                    stream.flush()
                    stream.detach()


def _plain(stream: io.TextIOWrapper) -> _Plain:
    stream.flush()
    return _Plain(stream.buffer, encoding="utf-8", errors="backslashreplace", newline="", write_through=True)
