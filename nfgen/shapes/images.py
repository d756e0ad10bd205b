"""Images as 2-D shapes: their brightness, or the signed distance to the outline of what is bright."""

from functools import cached_property
from typing import Any, ClassVar, Literal

import igl
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from nfgen.errors import ShapeError

from .base import MARGIN_SCALE, Floats, Kind, Samples, Shape, Transform, sample_simplices

CORNER = 1e-9  # of an edge's length: nearer to its end than rounding
MAX_PIECES = 200_000  # of an outline: they take two seconds; a field holds some hundreds
BRIGHT = 0.5  # the outline runs where brightness crosses this


class ImageShape(Shape):
    """A grey image [rows, columns] of brightness in [0, 1].

    Rows go from top to bottom: the first coordinate, x, runs to the right with the columns, the second, y, upwards
    against the rows. The longest side spans [-1, 1] in the file's frame, pixel j's centre at x = -1 + (2 j + 1) / n.

    Args:
        brightness: [rows, columns] in [0, 1].
        kind: "brightness" gives the bilinear brightness itself, without a margin, the border's continuing outside;
            "sdf" the signed distance, negative where it is bright, to the outline at 0.5, which is placed between the
            pixels' centres by linear interpolation (marching squares); a margin factor of 0.95, and dark outside.

    Raises:
        ShapeError: not a 2-D image of finite brightness, or, for "sdf", with no outline or too long a one.
    """

    dims: ClassVar[Literal[2, 3]] = 2

    def __init__(
        self, brightness: NDArray[Any], *, id: str = "image", label: str | None = None, kind: Kind = "sdf"
    ) -> None:
        scale = MARGIN_SCALE if kind == "sdf" else 1.0
        super().__init__(id, label, Transform((0.0, 0.0), scale))
        brightness = np.asarray(brightness, np.float64)
        if brightness.ndim != 2 or not brightness.size:
            raise ShapeError(f"{id}: is not a 2-D image (shape {list(brightness.shape)})", "give [rows, columns]")
        if not (brightness.min() >= 0 and brightness.max() <= 1):
            raise ShapeError(f"{id}: brightness is not within [0, 1]", "divide by the brightest value")
        self._brightness = brightness
        self._pixel = scale * 2 / max(brightness.shape)
        self.kind: Kind = kind
        if kind == "sdf" and not len(self._outline[1]):
            shade = "bright" if brightness.flat[0] > BRIGHT else "dark"
            raise ShapeError(f"{id}: is all {shade}: it has no outline", "give an image of a bright shape on dark")

    def value(self, points: Floats) -> Floats:
        points = np.ascontiguousarray(points, np.float64)
        if self.kind == "sdf":
            return self._signed_distance(points)
        rows, columns = self._brightness.shape
        index = [(rows - 1) / 2 - points[:, 1] / self._pixel, points[:, 0] / self._pixel + (columns - 1) / 2]
        return ndimage.map_coordinates(self._brightness, index, order=1, mode="nearest")

    def surface(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw n points [n, 2] uniformly by length from the outline at brightness 0.5.

        Raises:
            ShapeError: a brightness image without an outline.
        """
        if not len(self._outline[1]):
            raise ShapeError(f"{self.id}: has no outline at brightness {BRIGHT}")
        return sample_simplices(*self._outline, n, rng)

    def sample(self, near: int, uniform: int, rng: np.random.Generator) -> Samples:
        """As for every shape; the near points of a brightness image without an outline are uniform too."""
        try:
            outlined = len(self._outline[1]) > 0
        except ShapeError:  # too long an outline: noise
            outlined = False
        return super().sample(near, uniform, rng) if outlined else super().sample(0, near + uniform, rng)

    def _signed_distance(self, points: Floats) -> Floats:
        vertices, edges = self._outline
        squared, edge, closest = igl.point_mesh_squared_distance(points, vertices, edges)
        start, end = vertices[edges[edge, 0]], vertices[edges[edge, 1]]
        normal = self._normals[edge]
        # Nearest to a corner, the side follows from the sum of both edges' normals (Baerentzen and Aanaes 2005).
        along = np.einsum("nd,nd->n", closest - start, end - start) / np.einsum("nd,nd->n", end - start, end - start)
        before, after = self._neighbours[edge].T
        normal = normal + np.where((along < CORNER)[:, None], self._normals[before], 0)
        normal = normal + np.where((along > 1 - CORNER)[:, None], self._normals[after], 0)
        return np.copysign(np.sqrt(squared), np.einsum("nd,nd->n", points - closest, normal))

    @cached_property
    def _normals(self) -> Floats:
        """Unit normals [e, 2] of the outline's edges, towards the dark side."""
        vertices, edges = self._outline
        along = vertices[edges[:, 1]] - vertices[edges[:, 0]]
        return np.stack([along[:, 1], -along[:, 0]], axis=1) / np.linalg.norm(along, axis=1, keepdims=True)

    @cached_property
    def _neighbours(self) -> NDArray[np.int64]:
        """The edges [e, 2] before and after each edge; every vertex begins one edge and ends one."""
        edges = self._outline[1]
        beginning, ending = np.argsort(edges[:, 0]), np.argsort(edges[:, 1])
        return np.stack([ending[edges[:, 0]], beginning[edges[:, 1]]], axis=1)

    @cached_property
    def _outline(self) -> tuple[Floats, NDArray[np.int64]]:
        """Vertices [v, 2] and edges [e, 2], closed, the dark side to the right of each edge."""
        from skimage.measure import find_contours

        padded = np.pad(self._brightness, 1)
        bright = padded > BRIGHT
        pieces = sum(int((np.diff(bright, axis=axis)).sum()) for axis in (0, 1))
        if pieces > MAX_PIECES:
            raise ShapeError(
                f"{self.id}: its outline at brightness {BRIGHT} is of {pieces:,} pieces, more than {MAX_PIECES:,}",
                "make the picture smaller, or remove its noise",
            )
        vertices, edges = [np.zeros((0, 2))], [np.zeros((0, 2), np.int64)]
        start = 0
        for loop in find_contours(padded, BRIGHT, fully_connected="low", positive_orientation="low"):
            count = len(loop) - 1  # the last point repeats the first
            vertices.append(loop[:-1])
            here = start + np.arange(count)
            edges.append(np.stack([np.roll(here, -1), here], axis=1))
            start += count
        row, column = np.concatenate(vertices).T
        rows, columns = padded.shape
        points = np.stack([column - (columns - 1) / 2, (rows - 1) / 2 - row], axis=1)
        return np.ascontiguousarray(points * self._pixel), np.concatenate(edges)
