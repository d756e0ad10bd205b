"""A shape mirrored, and scaled along each axis."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .base import Floats, Shape

if TYPE_CHECKING:
    import trimesh

STEP = 1e-3  # coordinate units, of the differences that give a gradient


@dataclass(frozen=True)
class Warp:
    """A linear map along the axes."""

    factors: tuple[float, ...]
    """What each coordinate is multiplied by; negative mirrors."""


class WarpedShape(Shape):
    """A shape whose points are moved by a warp.

    Its sign is exact. Its distance is exact to first order: the shape's own distance divided by how fast it changes
    along the warped axes. Brightness moves with the points.
    """

    def __init__(self, shape: Shape, warp: Warp, id: str) -> None:
        super().__init__(id, shape.label, shape.transform)
        self.notes, self.lost, self.about = shape.notes, shape.lost, shape.about
        self.dims = shape.dims  # type: ignore[misc]  # a class constant of shapes that know theirs beforehand
        self._shape = shape
        # No larger than it was, so that it stays within [-1, 1]^d.
        self._factors = np.asarray(warp.factors) / max(1.0, float(np.abs(warp.factors).max()))

    def value(self, points: Floats) -> Floats:
        own = np.asarray(points, np.float64) / self._factors
        values = self._shape.value(own)
        if getattr(self._shape, "kind", "sdf") == "brightness":
            return values
        steps = STEP * np.eye(self.dims)
        slopes = [(self._shape.value(own + step) - self._shape.value(own - step)) / (2 * STEP) for step in steps]
        gradient = np.stack(slopes, axis=1)
        rate = np.linalg.norm(gradient / self._factors, axis=1) / np.maximum(np.linalg.norm(gradient, axis=1), 1e-9)
        # Where differences see no gradient (a ridge), the distance shrinks at most by the smallest factor.
        return values / np.clip(rate, 1 / np.abs(self._factors).max(), 1 / np.abs(self._factors).min())

    def surface(self, n: int, rng: np.random.Generator) -> Floats:
        return self._shape.surface(n, rng) * self._factors

    def mesh(self) -> "trimesh.Trimesh":
        mesh = self._shape.mesh()
        mesh.apply_transform(np.diag([*self._factors, 1.0]))
        return mesh
