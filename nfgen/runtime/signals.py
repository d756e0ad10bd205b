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
def noted_sigint() -> Iterator[list[bool]]:
    """Give a list that is no longer empty once Ctrl-C was pressed, also where a library that was being imported makes
    an error of its own of the KeyboardInterrupt."""
    presses: list[bool] = []

    def note() -> None:
        presses.append(True)
        raise KeyboardInterrupt

    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with sigint_calls(note) if usual else contextlib.nullcontext():
        yield presses


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back until the block ends, so that a step or a checkpoint is complete or not there at all.

    Then the earlier handler is called: by default it raises KeyboardInterrupt.
    """
    presses: list[bool] = []
    with sigint_calls(lambda: presses.append(True)) as before:
        yield
    if presses and before is not signal.SIG_IGN:  # a process that was started deaf to Ctrl-C stays so
        if not callable(before):
            raise KeyboardInterrupt
        before(signal.SIGINT, None)
