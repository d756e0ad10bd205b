"""Many small pieces of work in several threads."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import torch

Task = TypeVar("Task")
Result = TypeVar("Result")


def in_threads(function: Callable[[Task], Result], tasks: Iterable[Task], workers: int) -> Iterator[Result]:
    """Results of all tasks, in their order; tasks not yet begun are dropped if the caller stops asking.

    Torch starts no threads of its own meanwhile: they would share out what is too small to be shared, and fight with
    those of other tasks for the same cores.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    pool = ThreadPoolExecutor(
        workers, initializer=partial(torch.set_num_threads, 1)
    )  # the setting is each thread's own
    try:
        yield from pool.map(function, tasks)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)
