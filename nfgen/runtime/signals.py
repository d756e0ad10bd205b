"""Ctrl-C, held back while something must be done wholly or not at all."""

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back until the block ends, so that a step or a checkpoint is done wholly or not at all.

    It then does what it did before: an exception, unless somebody listens.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread gets signals
        return
    pressed = False

    def remember(*_: object) -> None:
        nonlocal pressed
        pressed = True

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        if not callable(before):
            raise KeyboardInterrupt
        before(signal.SIGINT, None)
