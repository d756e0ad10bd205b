"""Something done with each of many shapes, over processes; a shape that ends its process is named and skipped."""

import contextlib
import time
from collections.abc import Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import NamedTuple, Protocol, TypeVar

from nfgen.errors import ShapeError
from nfgen.runtime.machine import processors
from nfgen.runtime.progress import Progress
from nfgen.runtime.worker_pool import worker_pool

from .guarded import PLAIN_BYTES, budget_of, guarded, is_plain, memory_limit
from .shape_ref import ShapeRef

CHUNK = 16  # shapes handed to a process at once: enough to hide the hand-over, few enough to end together
ALONE_SECONDS = 1.0  # other processes need about so long to start; what is done by then needs none

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Skipped(NamedTuple):
    """One shape that could not be used."""

    id: str
    """Which shape."""
    reason: str
    """Why, and what to do about it, in one line that does not name the shape again."""

    @classmethod
    def of(cls, id: str, error: ShapeError) -> "Skipped":
        """Keep what an error says of a shape."""
        reason = error.problem.removeprefix(f"{id}: ")
        return cls(id, f"{reason} ({error.remedy})" if error.remedy else reason)


class Job(Protocol[T_co]):
    """Something to do with each of many shapes, in this process or others."""

    def do(self, ref: ShapeRef) -> T_co | ShapeError:
        """Do it with one shape."""


def do_each(
    job: Job[T],
    refs: Sequence[ShapeRef],
    outcomes: dict[int, T | ShapeError],
    workers: int | None,
    bar: Progress,
    *,
    seconds: float = 0.0,
    plain_bytes: int = PLAIN_BYTES,
) -> None:
    """Do a job with each shape that has no outcome yet: for a second here, then over processes.

    Files that may cost more than their size says are read in other processes, within limits (see `guarded`). A shape
    that ends its process gets a ShapeError as its outcome.

    Args:
        outcomes: by the place of the shape in `refs`; filled.
        workers: processes; one for each processor if None, none but this one (and one for files that may cost much)
            if 1.
        seconds: what the job may take for each shape, beyond what reading may.
        plain_bytes: smaller files are done in this process, where their size bounds what they cost.
    """
    missing = [i for i in range(len(refs)) if i not in outcomes]
    processes = processors() if workers is None else max(workers, 1)
    started = time.monotonic()
    here = {i for i in missing if is_plain(refs[i], plain_bytes)}
    plain, missing = [i for i in missing if i in here], [i for i in missing if i not in here]
    while plain and (processes == 1 or time.monotonic() - started < ALONE_SECONDS):
        i = plain.pop(0)
        outcomes[i] = job.do(refs[i])
        bar.update()
    missing = sorted(missing + plain)
    if missing:
        _do_over_processes(job, refs, missing, min(processes, len(missing)), outcomes, bar, seconds)


def _do_over_processes(
    job: Job[T],
    refs: Sequence[ShapeRef],
    missing: list[int],
    processes: int,
    outcomes: dict[int, T | ShapeError],
    bar: Progress,
    seconds: float,
) -> None:
    most_bytes = memory_limit(processes)
    size = max(1, min(CHUNK, len(missing) // (4 * processes)))
    chunks = [missing[start : start + size] for start in range(0, len(missing), size)]
    with contextlib.suppress(BrokenProcessPool), worker_pool(processes) as submit:
        futures = {submit(guarded, job.do, [refs[i] for i in chunk], most_bytes, seconds): chunk for chunk in chunks}
        for future in as_completed(futures):
            outcomes.update(zip(futures[future], future.result(), strict=True))
            bar.update(len(futures[future]))
    # Only after a process died: each remaining shape in a process of its own, so that the one to blame is found.
    for i in missing:
        if i not in outcomes:
            try:
                with worker_pool(1) as submit:
                    (outcomes[i],) = submit(guarded, job.do, [refs[i]], most_bytes, seconds).result()
            except BrokenProcessPool:
                words = f"{refs[i].id}: ended the process that read it ({budget_of(refs[i], most_bytes, seconds)})"
                outcomes[i] = ShapeError(words, "decimate the mesh")
            bar.update()
