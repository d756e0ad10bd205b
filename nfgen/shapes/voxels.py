"""Voxel grids of occupancy as shapes: holes filled, and a smooth surface through the stairs of the voxels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nfgen.errors import ShapeError

from .grid_values import understand
from .level_set import CUBE, LevelSetShape

MAX_VOXELS = 256**3


class VoxelShape(LevelSetShape):
    """A grid of occupancy [x, y, z]; what is closed off from the border counts as solid.

    Voxels are samples of a shape, and their stairs are not part of it: a field that learns them spends itself on what
    nobody wants. So the surface halfway between solid and empty voxels is smoothed, see `stairs`. The grid lies in the
    field as that of a `LevelSetShape` does.

    Args:
        occupancy: [x, y, z] of bool, integers or floats; solid above 0.5.
        smooth: False keeps the stairs, with edges bevelled by half a voxel.
        spacing, world: as for `LevelSetShape`.

    Raises:
        ShapeError: not a 3-D grid of numbers, too large, not finite, or without a solid voxel.
    """

    def __init__(
        self,
        occupancy: NDArray[Any],
        *,
        id: str = "voxels",
        label: str | None = None,
        smooth: bool = True,
        spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
        world: tuple[tuple[float, ...], float] = CUBE,
    ) -> None:
        check_grid(occupancy.shape, occupancy.dtype, id)
        understood = understand(occupancy, "occupancy", id)
        assert understood.occupied is not None
        solid = filled(np.pad(understood.occupied, 1))[1:-1, 1:-1, 1:-1]
        level = (0.5 - solid).astype(np.float32)
        super().__init__(level, id=id, label=label, smooth=smooth, spacing=spacing, world=world)
        self.notes = understood.notes


def check_grid(shape: tuple[int, ...], dtype: np.dtype[Any], id: str) -> None:
    """Refuse what cannot be one grid, before anything of its size is claimed.

    Raises:
        ShapeError: not three sides, a side of zero, more than MAX_VOXELS, or not of real numbers.
    """
    if len(shape) != 3 or min(shape) < 1:
        raise ShapeError(f"{id}: is not a 3-D voxel grid (shape {list(shape)})", "give [x, y, z] or [n, x, y, z]")
    if dtype.kind not in "biuf":
        raise ShapeError(f"{id}: voxels of type {dtype} are no occupancy", "give bool, integers or floats")
    count = np.prod([int(side) for side in shape], dtype=object)
    if count > MAX_VOXELS:
        raise ShapeError(
            f"{id}: {count:,} voxels are more than {MAX_VOXELS:,}", "resample the grid to 256 a side or less"
        )


def filled(solid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Make what is closed off from the corner solid, too."""
    # Same as binary_fill_holes, which dilates step by step and takes twenty times as long.
    empty, _ = ndimage.label(~solid)
    return empty != empty[0, 0, 0]
