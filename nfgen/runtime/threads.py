"""Many small tasks in several threads."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import torch

Task = TypeVar("Task")
Result = TypeVar("Result")


def in_threads(function: Callable[[Task], Result], tasks: Iterable[Task], workers: int) -> Iterator[Result]:
    """Results of all tasks, in order; tasks that have not started are dropped if the caller stops iterating.

    Torch uses one thread per task meanwhile: the tasks are too small to be split, and more threads would compete for
    the same cores.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    pool = ThreadPoolExecutor(workers, initializer=partial(torch.set_num_threads, 1))  # the setting is per thread
    try:
        yield from pool.map(function, tasks)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)
