"""Progress of long work: a bar on a terminal, lines elsewhere, nothing in library calls."""

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TextIO

from tqdm import tqdm

PLAIN_SECONDS = 10.0  # between lines in a log file

_shown = False


def show_progress(shown: bool) -> None:
    """Turn progress on standard error on or off; the command line turns it on."""
    global _shown
    _shown = shown


@contextlib.contextmanager
def hidden_progress() -> Iterator[None]:
    """Hide the progress of parts of a longer work that shows its own."""
    shown = _shown
    show_progress(False)
    try:
        yield
    finally:
        show_progress(shown)


class Progress:
    """Progress of one long work; `update` advances it and may show named figures."""

    def __init__(self, total: int, label: str, unit: str, stream: TextIO | None, done: int = 0) -> None:
        self.total, self.label, self.unit, self.stream = total, label, unit, stream
        self.done = self.begun = done
        self._started = self._reported = time.monotonic()
        on_terminal = stream is not None and stream.isatty()
        self._bar = tqdm(total=total, initial=done, desc=label, unit=unit, file=stream) if on_terminal else None

    def update(self, count: int = 1, **figures: float | str) -> None:
        """Advance by `count` units; `figures` are shown beside the bar."""
        self.done += count
        if self._bar is not None:
            self._bar.set_postfix({k: _short(v) for k, v in figures.items()}, refresh=False)
            self._bar.update(count)
        elif self.stream is not None and self.done < self.total and time.monotonic() - self._reported >= PLAIN_SECONDS:
            self._reported = time.monotonic()
            seconds = self._reported - self._started
            shown = "".join(f", {k} {_short(v)}" for k, v in figures.items())
            if self.done > self.begun:
                left = seconds / (self.done - self.begun) * (self.total - self.done)
                shown += f", {left:.0f} s left"
            print(f"{self.label}: {self.done}/{self.total} {self.unit}{shown}", file=self.stream)

    def close(self) -> None:
        """Close the bar, or print the last line."""
        if self._bar is not None:
            self._bar.close()
        elif self.stream is not None:
            seconds = time.monotonic() - self._started
            print(f"{self.label}: {self.done}/{self.total} {self.unit} in {seconds:.1f} s", file=self.stream)


@contextlib.contextmanager
def progress(total: int, label: str, unit: str = "it", done: int = 0) -> Iterator[Progress]:
    """Show the progress of a long work of `total` units, of which some were done before."""
    work = Progress(total, label, unit, sys.stderr if _shown else None, done)
    try:
        yield work
    finally:
        work.close()


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"
