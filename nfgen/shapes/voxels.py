"""Voxel grids as shapes: occupancy, holes filled, to a signed distance that is trilinear between the voxel centres."""

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nfgen.errors import ShapeError

from .base import MARGIN_SCALE, Floats, Shape, Transform, sample_simplices
from .grid_values import understand

if TYPE_CHECKING:
    import trimesh

MAX_VOXELS = 256**3  # SciPy's distance transform takes some 50 bytes a voxel: about 1 GB in every process
PADDING = 2  # empty voxels on every side: the surface closes, and the field's whole cube is covered at 32 voxels


class VoxelShape(Shape):
    """A grid of occupancy [x, y, z]; what is closed off from the border counts as solid.

    The grid's longest side spans [-1, 1] in the file's frame, voxel i's centre at -1 + (2 i + 1) / n, and only the
    margin (a factor of 0.95) is applied, so that all grids of an array stay aligned. The distance is the Euclidean
    distance transform outside minus that inside, taken to the faces halfway between voxels: exact straight from a
    face, within half a voxel's diagonal elsewhere.

    Args:
        occupancy: [x, y, z] of bool, integers or floats; solid above 0.5.
        world: center and longest side of the grid in the file's own frame, if it states one.

    Raises:
        ShapeError: not a 3-D grid of numbers, too large, not finite, or without a solid voxel.
    """

    dims: ClassVar[Literal[2, 3]] = 3

    def __init__(
        self,
        occupancy: NDArray[Any],
        *,
        id: str = "voxels",
        label: str | None = None,
        world: tuple[tuple[float, ...], float] = ((0.0, 0.0, 0.0), 2.0),
    ) -> None:
        center, side = world
        super().__init__(id, label, Transform(center, MARGIN_SCALE * 2 / side))
        check_grid(occupancy.shape, occupancy.dtype, id)
        understood = understand(occupancy, "occupancy", id)
        assert understood.occupied is not None
        self.notes = understood.notes
        solid = filled(np.pad(understood.occupied, PADDING))
        self._voxel = MARGIN_SCALE * 2 / max(occupancy.shape)
        distance = ndimage.distance_transform_edt(~solid) - ndimage.distance_transform_edt(solid)
        # The transforms measure to voxel centres; the surface is half a voxel before them.
        distance -= np.copysign(0.5, distance)
        self._distance = (distance * self._voxel).astype(np.float32)

    def value(self, points: Floats) -> Floats:
        size = np.array(self._distance.shape)
        index = np.asarray(points, np.float64) / self._voxel + (size - 1) / 2
        within = index.clip(0, size - 1)
        inner = ndimage.map_coordinates(self._distance, within.T, order=1, mode="nearest", output=np.float64)
        # Beyond the grid: on from its border, at least the true distance and zero nowhere.
        return inner + self._voxel * np.linalg.norm(index - within, axis=1)

    def surface(self, n: int, rng: np.random.Generator) -> Floats:
        return sample_simplices(*self._triangles, n, rng)

    def mesh(self) -> "trimesh.Trimesh":
        import trimesh

        return trimesh.Trimesh(*self._triangles, process=False)

    @cached_property
    def _triangles(self) -> tuple[Floats, NDArray[np.int64]]:
        from skimage.measure import marching_cubes

        vertices, faces, _, _ = marching_cubes(self._distance, 0.0, gradient_direction="descent")
        middle = (np.array(self._distance.shape) - 1) / 2
        return (vertices - middle) * self._voxel, faces.astype(np.int64)


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
