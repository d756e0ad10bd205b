"""Further shapes from known ones: mirrored, and scaled along each axis."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .base import Floats, Shape

if TYPE_CHECKING:
    import trimesh

    from .discovery import ShapeRef

LARGEST_SCALING = 0.1  # chairs a tenth wider are still chairs of the same kind
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


def augmented(refs: "Sequence[ShapeRef]", copies: int, seed: int) -> "list[ShapeRef]":
    """The shapes, each followed by `copies` warped ones: mirrored in x every other time, scaled by up to 10 %.

    The warp of a copy depends on `seed`, the shape's id and the copy's number alone.
    """
    from .sampling import shape_rng

    result = []
    for ref in refs:
        result.append(ref)
        for copy in range(1, copies + 1):
            id = f"{ref.id}~{copy}"
            factors = 1 + shape_rng(seed, id).uniform(-LARGEST_SCALING, LARGEST_SCALING, ref.dims)
            factors[0] *= -1 if copy % 2 else 1
            result.append(replace(ref, id=id, warp=Warp(tuple(map(float, factors)))))
    return result
