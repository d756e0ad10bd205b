"""The basis functions of the VQ tokenizer's decoded fields: *hats*, one a node of a grid, as layers of an MLP.

    spline       products of quadratic B-splines, one an axis (de Boor 1978): they add up to one, reproduce planes, and
                 are smooth
    octahedral   relu(1 - sum_a |x_a - node_a| / reach_a), for tokenizers that were trained with them: their sum
                 ripples, and so do surfaces

Points are in the frame of the box, [-1, 1]^d; outside it hats fall to zero.
"""

import copy
import math
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import csc_array
from torch import Tensor
from torch.nn import functional

from nfgen.fields.mlp import ACTIVATIONS
from nfgen.fields.spline_layers import FixedLayer, nodes_per_unit, spline_layers, three_nearest
from nfgen.runtime.device import is_cpu

from .config import Basis
from .networks import Cells

REACH = 2.2  # radius of an octahedron in node spacings: every point lies inside about a dozen of them
PASS_SHIFT = 2.0  # relu(x + 2) - 2 = x wherever octahedra reach: one neuron hands a coordinate on unchanged


class HatBasis:
    """Hats at the nodes of a grid.

    Args:
        cells: how the box is cut.
        per_cell: nodes along each axis of a cell.

    Attributes:
        layers: an MLP from points to the hats of all nodes.
    """

    layers: tuple[FixedLayer, ...]

    def __init__(self, cells: Cells, per_cell: int) -> None:
        self.counts, self.nodes = cells.across(per_cell), cells.nodes(per_cell)

    def to(self, device: torch.device) -> Self:
        """The same basis on a device."""
        moved = copy.copy(self)
        moved.layers = tuple(
            FixedLayer(matrix.to(device), bias.to(device), activation) for matrix, bias, activation in self.layers
        )
        return moved

    def interpolate(
        self, rows: Float[Tensor, "fields nodes width"], points: Float[Tensor, "fields points dims"]
    ) -> Float[Tensor, "fields points width"]:
        """Sums of the rows of all nodes, weighted by their hats at points."""
        with torch.no_grad():
            values = points
            for matrix, bias, activation in self.layers:
                values = ACTIVATIONS[activation](functional.linear(values, matrix, bias))
        return torch.bmm(values.to(rows.dtype), rows)


class OctahedralBasis(HatBasis):
    """Octahedra around nodes in the middle of equal parts of the box."""

    def __init__(self, cells: Cells, per_cell: int) -> None:
        super().__init__(cells, per_cell)
        # Of |x - t| = 2 relu(x - t) - x + t, layer 1 computes relu(x - t) for all node positions t, and relu(x + 2).
        number, dims = self.nodes.shape
        matrix, bias = torch.zeros(sum(self.counts) + dims, dims), torch.zeros(sum(self.counts) + dims)
        hats, hat_bias = torch.zeros(number, sum(self.counts) + dims), torch.ones(number)
        start = 0
        for axis, count in enumerate(self.counts):
            positions = (torch.arange(count) + 0.5) / count * 2 - 1
            reach = REACH * 2 / count
            matrix[start : start + count + 1, axis] = 1
            bias[start : start + count + 1] = torch.cat([torch.tensor([PASS_SHIFT]), -positions])
            hats[:, start] = 1 / reach
            hats[torch.arange(number), start + 1 + self.nodes[:, axis]] = -2 / reach
            hat_bias -= (PASS_SHIFT + positions[self.nodes[:, axis]]) / reach
            start += count + 1
        self.layers = (FixedLayer(matrix, bias, "relu"), FixedLayer(hats, hat_bias, "relu"))


class SplineBasis(HatBasis):
    """Products of quadratic B-splines; the outermost nodes stand on the sides of the box."""

    def __init__(self, cells: Cells, per_cell: int) -> None:
        super().__init__(cells, per_cell)
        strides = [math.prod(self.counts[:axis]) for axis in range(len(self.counts))]
        self.strides = torch.tensor(strides)
        # Where the node at each place of the grid stands among the rows.
        self.places = (self.nodes * self.strides).sum(1).argsort()
        self.layers = spline_layers(self.counts, self.nodes)

    def to(self, device: torch.device) -> Self:
        moved = super().to(device)
        moved.strides, moved.places = self.strides.to(device), self.places.to(device)
        return moved

    def interpolate(
        self, rows: Float[Tensor, "fields nodes width"], points: Float[Tensor, "fields points dims"]
    ) -> Float[Tensor, "fields points width"]:
        """The same sums; only the nodes near a point are looked at."""
        with torch.no_grad():
            index, hats = self.near(points)
            index += torch.arange(len(rows), device=rows.device)[:, None, None] * rows.shape[1]
        add_up = _WeightedSums.apply if is_cpu(rows.device) else _weighted_sums
        sums: Tensor = add_up(rows.flatten(0, 1), index.flatten(0, 1), hats.flatten(0, 1).to(rows.dtype))
        return sums.unflatten(0, points.shape[:2])

    def near(
        self, points: Float[Tensor, "fields points dims"]
    ) -> tuple[Int[Tensor, "fields points near"], Float[Tensor, "fields points near"]]:
        """The 3^d nodes around each point, as indices of rows, and their hats there."""
        places, hats = torch.zeros(1, dtype=torch.long, device=points.device), torch.ones(1, device=points.device)
        for axis, count in enumerate(self.counts):
            at = points[..., axis] * nodes_per_unit(count) + (count - 1) / 2
            index, own = three_nearest(at, count)
            places = (places[..., None] + (index * self.strides[axis])[..., None, :]).flatten(-2)
            hats = (hats[..., None] * own[..., None, :]).flatten(-2)
        return self.places[places], hats


def _weighted_sums(
    rows: Float[Tensor, "rows width"], index: Int[Tensor, "points near"], weights: Float[Tensor, "points near"]
) -> Float[Tensor, "points width"]:
    return functional.embedding_bag(index, rows, per_sample_weights=weights, mode="sum")


class _WeightedSums(torch.autograd.Function):
    """The same, and its gradient by a sparse product: that of `embedding_bag` sorts all indices, which takes ten times
    as long on a processor."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, index: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(index, weights)
        ctx.number = len(rows)
        return _weighted_sums(rows, index, weights)

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor, None, None]:
        index, weights = ctx.saved_tensors
        starts = np.arange(0, index.numel() + 1, index.shape[1])
        matrix = csc_array((weights.flatten().numpy(), index.flatten().numpy(), starts), shape=(ctx.number, len(index)))
        return torch.from_numpy(matrix @ above[0].numpy()), None, None


BASES: dict[Basis, type[HatBasis]] = {"spline": SplineBasis, "octahedral": OctahedralBasis}
