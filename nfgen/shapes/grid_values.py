"""What the numbers of a voxel grid mean, and where they cross from outside to inside."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ShapeError
from nfgen.shapes.reading import Values

OCCUPIED = 0.5  # a voxel is solid above this
BORDER = 0.9  # share of a grid's border that must lie outside for its sign to be known


class Solid(NamedTuple):
    """A voxel grid understood: which voxels are solid or, more finely, where a level crosses zero."""

    occupied: NDArray[np.bool_] | None
    """[x, y, z], or None where there is a level."""
    level: NDArray[np.float32] | None
    """[x, y, z], negative inside, or None."""
    notes: tuple[str, ...]
    """What was chosen, and what looks wrong."""


def understand(grid: NDArray[Any], values: Values, id: str) -> Solid:
    """Say where a grid [x, y, z] of numbers is solid.

    Raises:
        ShapeError: not finite, nothing solid, or it cannot be known what the numbers mean.
    """
    if grid.dtype.kind == "f" and not np.isfinite(grid).all():
        raise ShapeError(f"{id}: a voxel is not finite (NaN or infinite)", "mend the grid")
    notes: tuple[str, ...] = ()
    if values == "auto":
        values, notes = _guessed(grid, id)
    if values == "occupancy":
        occupied = grid > OCCUPIED
        if not occupied.any():
            raise ShapeError(f"{id}: the grid is empty (no voxel above {OCCUPIED})", "check the threshold of the grid")
        if occupied.all():
            notes += ("every voxel is solid: is the grid what it should be?",)
        return Solid(occupied, None, notes)
    level = np.asarray(grid, np.float32) * np.float32(1 if values == "sdf" else -1)
    if not (level < 0).any():
        side = "below" if values == "sdf" else "above"
        raise ShapeError(f"{id}: the grid is empty (no value {side} 0)", "check --values")
    if (level < 0).all():
        notes += ("every voxel is solid: is --values right?",)
    return Solid(None, level, notes)


def _guessed(grid: NDArray[Any], id: str) -> tuple[Values, tuple[str, ...]]:
    if grid.dtype.kind == "b":
        return "occupancy", ()
    low, high = float(grid.min()), float(grid.max())
    found = f"values from {low:.4g} to {high:.4g}"
    if low < 0:
        outer = np.concatenate(
            [face.ravel() for axis in range(3) for face in (grid.take(0, axis), grid.take(-1, axis))]
        )
        if grid.dtype.kind == "f" and high > 0 and (outer > 0).mean() >= BORDER:
            return "sdf", ("values below 0 are read as signed distances, negative inside (--values sdf)",)
        raise ShapeError(
            f"{id}: {found}, not positive at the border: it cannot be known which side is solid",
            "say --values sdf (solid below 0), logits (above 0) or occupancy (above 0.5)",
        )
    if high <= 1 or (low == 0 and bool(((grid == low) | (grid == high)).all())):
        return "occupancy", ()
    raise ShapeError(
        f"{id}: {found}: it cannot be known what they mean",
        "say --values occupancy where all above 0.5 is solid, else make a grid of 0 and 1",
    )
