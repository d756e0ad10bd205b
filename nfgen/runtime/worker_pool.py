"""Processes that work for this one: they end with it, however it ends, and run none of the caller's script."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

Submit = Callable[..., Future[Any]]
"""Gives a function and its arguments to a worker."""


@contextlib.contextmanager
def worker_pool(processes: int) -> Iterator[Submit]:
    """Begin worker processes; yields what gives work to them.

    An error in the block, as Ctrl-C, ends them at once, whatever they do.
    """
    # Spawned, not forked: a fork of a process whose libraries have threads (torch) can hang.
    before = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), initializer=_begin)

    def submit(function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        with _hidden_main():
            return pool.submit(function, *arguments)

    try:
        yield submit
    except BaseException:
        # Ctrl-C must not wait for the work: a hard shape takes minutes.
        for worker in set(multiprocessing.active_children()) - before:
            worker.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C and ends its workers in order
    os.environ["IGL_NUM_THREADS"] = "1"  # the processes are the parallelism
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A killed parent tells its workers nothing: without this they would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextlib.contextmanager
def _hidden_main() -> Iterator[None]:
    """Keep spawned processes from running the caller's script again: they need none of it, and it may lack a guard."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
