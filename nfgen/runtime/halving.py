"""Work on many rows, as many at once as a device has memory for: where it runs out, half of them, which is said."""

import logging
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

from nfgen.errors import NfgenError

Result = TypeVar("Result")
log = logging.getLogger("nfgen")


def in_halves(
    work: Callable[[slice], Result], count: int, at_once: int, rows: str, remedy: str
) -> Iterator[tuple[slice, Result]]:
    """Slices of at most `at_once` of `count` rows, and what the work gives for each.

    Args:
        work: on a slice; it is repeated with smaller ones where memory runs out.
        rows: what a row is, in the plural.
        remedy: where memory does not suffice for one.

    Raises:
        NfgenError: if memory does not suffice for one row.
    """
    start, at_once = 0, max(1, min(at_once, count))
    while start < count:
        here = slice(start, min(start + at_once, count))
        try:
            result = work(here)
        except torch.OutOfMemoryError:
            if at_once == 1:
                raise NfgenError(f"out of memory with one of {count} {rows}", remedy) from None
        else:
            yield here, result
            start = here.stop
            continue
        # Out of the handler, whose traceback holds the tensors.
        before, at_once = at_once, (at_once + 1) // 2
        log.warning("out of memory with %d %s at once: %d at once from now on", before, rows, at_once)
