"""What fields are worth in space, at probes in the boxes of their shapes: weights themselves are not looked at."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from nfgen.fields.mlp import evaluate_in_chunks, evaluate_on_grid
from nfgen.fields.spec import FieldSpec, Output

from .bounding_box import Box, extent
from .networks import centres
from .warps import Warp

COARSE = {2: 32, 3: 14}  # probes along each axis that find the box

Sight = Callable[[Tensor], Tensor]
"""What N fields are worth, [N, n], at the same points [n, dims] or at each one's own [N, n, dims]."""
GridSight = Callable[[tuple[int, ...], Box | None], Tensor]
"""What N fields are worth, [N, n], at the centres of so many cells along each axis of their boxes, or of all space."""


def sight(spec: FieldSpec, weights: Float[Tensor, "fields weights"], warp: Warp | None = None) -> Sight:
    """Fields, seen through warps if there are some."""

    def see(points: Tensor) -> Tensor:
        return evaluate_in_chunks(spec, weights, points if warp is None else warp(points.expand(len(weights), -1, -1)))

    return see


def on_grid(see: Sight) -> GridSight:
    """A sight at the points of grids."""

    def see_grid(counts: tuple[int, ...], box: Box | None) -> Tensor:
        return see(centres(counts) if box is None else box.place(centres(counts)))

    return see_grid


def grid_sight(spec: FieldSpec, weights: Float[Tensor, "fields weights"], warp: Warp | None = None) -> GridSight:
    """`on_grid` of `sight`, faster where no warp bends the grids."""
    if warp is not None:
        return on_grid(sight(spec, weights, warp))

    def see_grid(counts: tuple[int, ...], box: Box | None) -> Tensor:
        lines = [centres((count,))[:, 0].expand(len(weights), -1) for count in counts]
        if box is not None:
            lines = [box.centre[:, i, None] + box.half[:, i, None] * line for i, line in enumerate(lines)]
        return evaluate_on_grid(spec, weights, lines)

    return see_grid


def find_box(spec: FieldSpec, see: GridSight) -> Box:
    """Boxes of the shapes of fields of a spec."""
    counts = (COARSE[spec.dims],) * spec.dims
    sign = 1 if spec.output == "sdf" else -1
    return Box.enclosing(*extent(sign * see(counts, None), centres(counts), counts, distances=spec.output == "sdf"))


def probe(
    spec: FieldSpec, see: GridSight, counts: tuple[int, ...], truncation: float
) -> tuple[Float[Tensor, "fields probes"], Box]:
    """Signals of fields at so many probes along each axis of their boxes, and the boxes: all that a probe encoder sees
    of them."""
    box = find_box(spec, see)
    return signal(spec.output, see(counts, box), truncation), box


def signal(output: Output, values: Tensor, truncation: float) -> Tensor:
    """What a field says, in [-1, 1] and positive outside, whatever its kind: tanh(distance / truncation), or
    1 - 2 sigmoid(logit)."""
    return torch.tanh(values / truncation) if output == "sdf" else -torch.tanh(values / 2)
