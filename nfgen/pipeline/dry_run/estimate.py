"""What a command would do, and what it would take: for `--dry-run`."""

import contextlib
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nfgen.runtime.progress import hidden_progress

PROBE_STEPS = 2, 8
"""Turns that long loops are timed for: the difference is the turns', the rest is paid once."""


@dataclass(frozen=True)
class Plan:
    """What a command would make, the memory of this process at its peak, and the time of each part."""

    counts: Mapping[str, int | str]
    """Fields, parameters, tokens and the like."""
    seconds: dict[str, float]
    """Of each part, from a short measured probe on this machine as busy as it is now."""
    memory_bytes: int
    device_memory_bytes: int | None = None
    """Of the accelerator, where it computes on one that tells."""
    device_free_bytes: int | None = None
    """What it has now."""

    @property
    def total_seconds(self) -> float:
        """Of all parts."""
        return sum(self.seconds.values())

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            **self.counts,
            "memory_bytes": self.memory_bytes,
            **({} if self.device_memory_bytes is None else {"device_memory_bytes": self.device_memory_bytes}),
            "seconds": self.total_seconds,
            "parts": {key: round(value, 3) for key, value in self.seconds.items()},
        }

    def lines(self) -> list[str]:
        """As text."""
        parts = ", ".join(f"{key} {duration(value)}" for key, value in self.seconds.items())
        counts: dict[str, str] = {
            key: f"{value:,}" if isinstance(value, int) else value for key, value in self.counts.items()
        }
        text = counts | {
            "memory": f"about {self.memory_bytes / 1e9:.2g} GB",
            **self._device(),
            "time": f"about {duration(self.total_seconds)} ({parts})",
        }
        return [*(f"{key:<22}{value}" for key, value in text.items()), "nothing was written"]

    def _device(self) -> dict[str, str]:
        if self.device_memory_bytes is None:
            return {}
        free = "" if self.device_free_bytes is None else f" of {self.device_free_bytes / 1e9:.2g} GB free"
        return {"device memory": f"about {self.device_memory_bytes / 1e9:.2g} GB{free}"}


def duration(seconds: float) -> str:
    """A time in words."""
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def timed(work: Callable[[], Any]) -> float:
    """Seconds that some work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def per_turn(work: Callable[[int], Any]) -> tuple[float, float]:
    """Seconds paid once, and seconds a turn, of work that takes a number of turns."""
    few, more = PROBE_STEPS
    work(1)  # the first call pays for memory and threads
    short, long = timed(lambda: work(few)), timed(lambda: work(more))
    turn = max(long - short, 0.0) / (more - few)
    return max(short - few * turn, 0.0), turn


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Show no progress, and no warning, of what is only a probe."""
    with hidden_progress(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a codebook of two steps has collapsed, of course
        yield
