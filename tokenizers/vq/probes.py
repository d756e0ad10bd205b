"""Values of fields at probe points in the boxes of their shapes; weights are not looked at."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from nfgen.fields.mlp import evaluate_in_chunks, evaluate_on_grid
from nfgen.fields.spec import FieldSpec, Output

from .bounding_box import Box, extent
from .networks import centres
from .warps import Interval, Warp

COARSE = {2: 32, 3: 14}  # probes along each axis that find the box

QueryFn = Callable[[Tensor], Tensor]
"""Values [N, n] of N fields at the same points [n, dims], or at points of each field's own [N, n, dims]."""
GridQueryFn = Callable[[tuple[int, ...], Box | None], Tensor]
"""Values [N, n] of N fields at cell centres: counts of cells along each axis of their boxes, or of [-1, 1]^d."""


def make_query(spec: FieldSpec, weights: Float[Tensor, "fields weights"], warp: Warp | None = None) -> QueryFn:
    """The query function of fields, of warped ones if there is a warp."""

    def query(points: Tensor) -> Tensor:
        return evaluate_in_chunks(spec, weights, points if warp is None else warp(points.expand(len(weights), -1, -1)))

    return query


def on_grid(query: QueryFn, device: torch.device) -> GridQueryFn:
    """A query at the points of grids, on the device of its fields."""

    def query_grid(counts: tuple[int, ...], box: Box | None) -> Tensor:
        points = centres(counts, device)
        return query(points if box is None else box.to_space(points))

    return query_grid


def make_grid_query(spec: FieldSpec, weights: Float[Tensor, "fields weights"], warp: Warp | None = None) -> GridQueryFn:
    """`on_grid` of `make_query`; faster without a warp, as each axis is evaluated separately in the first layer."""
    if warp is not None:
        return on_grid(make_query(spec, weights, warp), weights.device)

    def query_grid(counts: tuple[int, ...], box: Box | None) -> Tensor:
        lines = [centres((count,), weights.device)[:, 0].expand(len(weights), -1) for count in counts]
        if box is not None:
            lines = [box.centre[:, i, None] + box.half[:, i, None] * line for i, line in enumerate(lines)]
        return evaluate_on_grid(spec, weights, lines)

    return query_grid


def find_interval(spec: FieldSpec, query: GridQueryFn) -> Interval:
    """Lowest and highest coordinates of the shapes of fields of a spec; lowest > highest where there is no shape."""
    counts = (COARSE[spec.dims],) * spec.dims
    sign = 1 if spec.output == "sdf" else -1
    values = sign * query(counts, None)
    points = centres(counts, values.device)
    return extent(values, points, counts, distances=spec.output == "sdf")


def find_box(spec: FieldSpec, query: GridQueryFn) -> Box:
    """Boxes of the shapes of fields of a spec."""
    return Box.enclosing(*find_interval(spec, query))


def probe(
    spec: FieldSpec, query: GridQueryFn, counts: tuple[int, ...], truncation: float
) -> tuple[Float[Tensor, "fields probes"], Box]:
    """The input of a probe encoder: truncated values at `counts` probes along each axis of the boxes, and the boxes."""
    box = find_box(spec, query)
    return truncated_value(spec.output, query(counts, box), truncation), box


def truncated_value(output: Output, values: Tensor, truncation: float) -> Tensor:
    """Field values of any kind, mapped to [-1, 1] and positive outside: tanh(distance / truncation), or
    1 - 2 sigmoid(logit)."""
    return torch.tanh(values / truncation) if output == "sdf" else -torch.tanh(values / 2)
