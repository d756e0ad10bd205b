"""Further shapes from known ones: mirrored, and scaled along each axis."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from .axis_scaling import Warp
from .base import shape_rng

if TYPE_CHECKING:
    from .shape_ref import ShapeRef

LARGEST_SCALING = 0.1  # chairs a tenth wider are still chairs of the same kind


def augmented(refs: "Sequence[ShapeRef]", copies: int, seed: int) -> "list[ShapeRef]":
    """The shapes, each followed by `copies` warped ones: mirrored in x every other time, scaled by up to 10 %.

    The warp of a copy depends on `seed`, the shape's id and the copy's number alone.
    """
    result = []
    for ref in refs:
        result.append(ref)
        for copy in range(1, copies + 1):
            id = f"{ref.id}~{copy}"
            factors = 1 + shape_rng(seed, id).uniform(-LARGEST_SCALING, LARGEST_SCALING, ref.dims)
            factors[0] *= -1 if copy % 2 else 1
            result.append(replace(ref, id=id, warp=Warp(tuple(map(float, factors)))))
    return result
