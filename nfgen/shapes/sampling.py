"""Sampling many shapes: over processes, with a cache, each shape by its own seed, the unusable ones named."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from nfgen.errors import ShapeError
from nfgen.runtime.machine import processors
from nfgen.runtime.progress import Progress, progress
from nfgen.runtime.worker_pool import Submit, worker_pool

from .base import Samples, Transform, shape_rng
from .sample_cache import SampleCache
from .shape_ref import ShapeRef

CHUNK = 16  # shapes handed to a process at once: enough to hide the hand-over, few enough to end together
ALONE_SECONDS = 1.0  # other processes need about so long to start; what is done by then needs none


class Sampled(NamedTuple):
    """One shape that was sampled."""

    ref: ShapeRef
    """Which shape."""
    transform: Transform
    """From its file's frame to the field's."""
    samples: Samples
    """Its points and values."""
    notes: tuple[str, ...] = ()
    """What reading chose, and what looks wrong."""
    lost: float = 0.0
    """Share of the file's surface that the solid does not have."""


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


Outcome = tuple[Transform, Samples, tuple[str, ...], float] | ShapeError


def sample_shapes(
    refs: Sequence[ShapeRef],
    near: int,
    uniform: int,
    seed: int,
    workers: int | None = None,
    strict: bool = False,
    cache: Path | None = None,
) -> tuple[list[Sampled], list[Skipped]]:
    """Sample shapes, `near` points about each surface and `uniform` in the cube (see `Shape.sample`).

    The points of a shape depend on `seed` and its id alone, not on the number of workers or on the other shapes.

    Args:
        refs: the shapes, from `find_shapes`.
        near: points about the surface of each shape.
        uniform: points in [-1, 1]^d for each shape.
        seed: of all random numbers.
        workers: processes; one for each processor if None, none but this one if 1.
        strict: raise the error of the first unusable shape that is met instead of skipping it.
        cache: folder in which samples are kept for the next time, by the file's content and the arguments.

    Returns:
        The sampled shapes, in the order of the refs, and the skipped ones with their reasons.

    Raises:
        ShapeError: a shape is unusable and `strict` is set.
    """
    kept = None if cache is None else SampleCache(cache)
    outcomes: dict[int, Outcome] = {}
    with progress(len(refs), "sample", "shape") as bar:
        if kept is not None:
            for i, ref in enumerate(refs):
                found = kept.read(ref, near, uniform, seed)
                if found is not None:
                    outcomes[i] = found
            bar.update(len(outcomes))
        do_each(_Job(near, uniform, seed, strict, kept), refs, outcomes, workers, bar)
    done, skipped = [], []
    for i, ref in enumerate(refs):
        outcome = outcomes[i]
        if isinstance(outcome, ShapeError):
            if strict:
                raise outcome
            skipped.append(Skipped.of(ref.id, outcome))
        else:
            done.append(Sampled(ref, *outcome))
    return done, skipped


T = TypeVar("T")


class Job(Protocol[T]):
    """Something to do with each of many shapes, in this process or others."""

    def do(self, ref: ShapeRef) -> T | ShapeError:
        """Do it with one shape."""

    def do_all(self, refs: list[ShapeRef]) -> list[T | ShapeError]:
        """Do it with some shapes."""


def do_each(
    job: Job[T], refs: Sequence[ShapeRef], outcomes: dict[int, T | ShapeError], workers: int | None, bar: Progress
) -> None:
    """Do a job with each shape that has no outcome yet: the first second's worth here, the others over processes.

    A shape that ends its process gets a ShapeError as its outcome.

    Args:
        outcomes: by the place of the shape in `refs`; filled.
        workers: processes; one for each processor if None, none but this one if 1.
    """
    missing = [i for i in range(len(refs)) if i not in outcomes]
    processes = processors() if workers is None else max(workers, 1)
    started = time.monotonic()
    while missing and (processes == 1 or time.monotonic() - started < ALONE_SECONDS):
        i = missing.pop(0)
        outcomes[i] = job.do(refs[i])
        bar.update()
    if missing:
        _do_over_processes(job, refs, missing, min(processes, len(missing)), outcomes, bar)


class _Job(NamedTuple):
    near: int
    uniform: int
    seed: int
    strict: bool
    cache: SampleCache | None

    def do(self, ref: ShapeRef) -> Outcome:
        try:
            shape = ref.load()
            samples = shape.sample(self.near, self.uniform, shape_rng(self.seed, ref.id))
        except ShapeError as error:
            if self.strict:
                raise
            return error
        if self.cache is not None:
            self.cache.write(ref, self.near, self.uniform, self.seed, shape, samples)
        return shape.transform, samples, shape.notes, shape.lost

    def do_all(self, refs: list[ShapeRef]) -> list[Outcome]:
        return [self.do(ref) for ref in refs]


def _do_over_processes(
    job: Job[T],
    refs: Sequence[ShapeRef],
    missing: list[int],
    processes: int,
    outcomes: dict[int, T | ShapeError],
    bar: Progress,
) -> None:
    size = max(1, min(CHUNK, len(missing) // (4 * processes)))
    chunks = [missing[start : start + size] for start in range(0, len(missing), size)]
    with contextlib.suppress(BrokenProcessPool), worker_pool(processes) as submit:
        for chunk, results in _finished(submit, job, refs, chunks):
            outcomes.update(zip(chunk, results, strict=True))
            bar.update(len(chunk))
    # Only after a process died: each remaining shape in a process of its own, so that the one to blame is found.
    for i in missing:
        if i not in outcomes:
            try:
                with worker_pool(1) as submit:
                    outcomes[i] = submit(job.do, refs[i]).result()
            except BrokenProcessPool:
                outcomes[i] = ShapeError(f"{refs[i].id}: ended the process that read it", "is there enough memory?")
            bar.update()


def _finished(
    submit: Submit, job: Job[T], refs: Sequence[ShapeRef], chunks: list[list[int]]
) -> Iterator[tuple[list[int], list[T | ShapeError]]]:
    futures = {submit(job.do_all, [refs[i] for i in chunk]): chunk for chunk in chunks}
    for future in as_completed(futures):
        yield futures[future], future.result()
