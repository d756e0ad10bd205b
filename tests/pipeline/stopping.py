"""Small settings, functions that stop in the midst of their work, and what a folder holds bit by bit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

VQ: dict[str, Any] = {
    "max_tokens": 11,
    "levels": (8, 5),
    "codebook": 16,
    "probes": 4,
    "width": 16,
    "channels": 32,
    "decoder_blocks": 1,
    "steps": 12,
    "batch_size": 6,
    "points": 32,
    "save_every": 4,
    "minutes": 60.0,
}
SMALL = {"layers": 1, "width": 32, "heads": 1, "dropout": 0.0}


def stopping(function: Callable[..., Any], after: int, error: BaseException) -> Callable[..., Any]:
    """The function, which raises an error instead of its call number `after`."""
    calls = iter(range(10**6))

    def call(*arguments: Any, **named: Any) -> Any:
        if next(calls) == after:
            raise error
        return function(*arguments, **named)

    return call


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
