"""Ctrl-C, held back while something must be done completely or not at all."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def sigint_calls(handler: Callable[[], None]) -> Iterator[Any]:
    """Let Ctrl-C call `handler` until the block ends; gives the handler that was there before.

    Only the main thread gets signals: elsewhere nothing changes, and None is given.
    """
    if threading.current_thread() is not threading.main_thread():
        yield None
        return
    before = signal.signal(signal.SIGINT, lambda *_: handler())
    try:
        yield before
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back until the block ends, so that a step or a checkpoint is complete or not there at all.

    Then the earlier handler is called: by default it raises KeyboardInterrupt.
    """
    presses: list[bool] = []
    with sigint_calls(lambda: presses.append(True)) as before:
        yield
    if presses:
        if not callable(before):
            raise KeyboardInterrupt
        before(signal.SIGINT, None)
