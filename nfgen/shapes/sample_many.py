"""Points of many shapes: over processes, with a cache, each shape by its own seed, the unusable ones named."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from nfgen.errors import ShapeError
from nfgen.runtime.progress import progress

from .base import Samples, Transform, shape_rng
from .guarded import SECONDS_A_POINT
from .over_processes import Skipped, do_each
from .sample_cache import Kept, SampleCache
from .shape_ref import ShapeRef


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


Outcome = Kept | ShapeError


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
    kept = None if cache is None else SampleCache(cache, near, uniform, seed)
    outcomes: dict[int, Outcome] = {}
    with progress(len(refs), "sample", "shape") as bar:
        if kept is not None:
            for i, ref in enumerate(refs):
                if (found := kept.read(ref)) is not None:
                    outcomes[i] = found
            bar.update(len(outcomes))
        seconds = (near + uniform) * SECONDS_A_POINT
        do_each(_Job(near, uniform, seed, strict, kept), refs, outcomes, workers, bar, seconds=seconds)
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
            self.cache.write(ref, shape, samples)
        return shape.transform, samples, shape.notes, shape.lost
