"""Grids of a level that is negative inside, such as signed distances, as shapes."""

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ShapeError
from nfgen.shapes.base import MARGIN_SCALE, Floats, Shape, Transform, sample_simplices
from nfgen.shapes.mesh_distance import signed_distance
from nfgen.shapes.stairs import without_stairs

if TYPE_CHECKING:
    import trimesh

CUBE = (0.0, 0.0, 0.0), 2.0
"""Center and longest side of grids that do not say where they lie."""
LEAST = np.float32(1e-6)  # of the largest level: a border of 0 is outside, too


class LevelSetShape(Shape):
    """A grid [x, y, z] of a level that is negative inside; it crosses zero between the voxel centres.

    Only the sign and the zero crossing of the level count: the distance is that to the surface, whatever the unit of
    the values, and also where they are cut off. The grid's longest side spans [-1, 1] in the file's frame, voxel i's
    centre at -1 + (2 i + 1) / n, and only the margin (a factor of 0.95) is applied, so that all grids of an array stay
    aligned.

    Args:
        level: negative inside.
        smooth: go through the stairs of levels of one size, see `stairs`.
        spacing: sides of a voxel, in any unit.
        world: center and longest side of the grid in the file's own frame, if it states one.

    Raises:
        ShapeError: the level is negative nowhere.
    """

    dims: ClassVar[Literal[2, 3]] = 3

    def __init__(
        self,
        level: NDArray[np.floating],
        *,
        id: str = "voxels",
        label: str | None = None,
        smooth: bool = False,
        spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
        world: tuple[tuple[float, ...], float] = CUBE,
    ) -> None:
        from skimage.measure import marching_cubes

        center, side = world
        super().__init__(id, label, Transform(center, MARGIN_SCALE * 2 / side))
        # The border's own values go on around it, but outside: what touches the border ends half a voxel beyond.
        level = np.asarray(level, np.float32)
        padded = np.maximum(np.abs(np.pad(level, 1, mode="edge")), LEAST * np.abs(level).max())
        padded[1:-1, 1:-1, 1:-1] = level
        if not (padded < 0).any():
            raise ShapeError(f"{id}: the grid is empty (negative nowhere)", "check the grid")
        size, sides = np.array(level.shape), np.asarray(spacing, np.float64)
        voxel = sides * MARGIN_SCALE * 2 / (size * sides).max()
        vertices, faces, _, _ = marching_cubes(padded, 0.0, gradient_direction="descent")
        faces, vertices = faces.astype(np.int64), vertices.astype(np.float64)
        if smooth:
            vertices = without_stairs(vertices, faces, padded < 0)
        self._vertices, self._faces = np.ascontiguousarray((vertices - (size + 1) / 2) * voxel), faces

    def value(self, points: Floats) -> Floats:
        return signed_distance(points, self._vertices, self._faces)

    def surface(self, n: int, rng: np.random.Generator) -> Floats:
        return sample_simplices(self._vertices, self._faces, n, rng)

    def mesh(self) -> "trimesh.Trimesh":
        import trimesh

        return trimesh.Trimesh(self._vertices, self._faces, process=False)
