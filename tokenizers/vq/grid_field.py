"""The base field of the VQ tokenizer: a plain ReLU MLP whose second layer is a grid of local basis functions.

    layer 1   kinks of each coordinate at the node positions                             fixed, seen from the box
    layer 2   one bump a node, an octahedron around it: relu(1 - sum_a |x_a - node_a| / reach_a)           fixed
    layer 3   sums of bumps: one row of weights a node                                                   decoded
    layer 4   and the output                                                                     learned, shared

So the rows are a feature grid, read by an MLP, and yet all of it is one ordinary field of `spec`: nothing has to be
approximated when a shape's rows are written into its weights. A row acts near its node only.
"""

import functools
import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from nfgen.fields.mlp import flatten
from nfgen.fields.spec import FieldSpec, Output

from .bounding_box import Box
from .networks import Cells

REACH = 2.2  # radius of a bump in node spacings: every point lies inside about a dozen of them
PASS_SHIFT = 2.0  # relu(x + 2) - 2 = x wherever bumps reach: one neuron hands a coordinate on unchanged


class LocalField(nn.Module):
    """The shared part of all decoded fields.

    Args:
        cells: how the box is cut.
        per_cell: nodes along each axis of a cell.
        width: neurons of layers 3 and 4, hence numbers in a row.
        output: kind of field to decode to.
        truncation: distance at which signed distances saturate; scales the output of the other kinds.
    """

    def __init__(self, cells: Cells, per_cell: int, width: int, output: Output, truncation: float) -> None:
        super().__init__()
        self.cells, self.per_cell = cells, per_cell
        counts = cells.across(per_cell)
        self.spec = FieldSpec(
            dims=len(counts),
            frequencies=0,
            hidden=(sum(counts) + len(counts), math.prod(counts), width, width),
            activation="relu",
            output_bias=True,
            output=output,
        )
        # tanh(distance / truncation) and 1 - 2 sigmoid(logit) are the same signal, positive outside.
        self.gain = 1.0 if output == "sdf" else -2.0 / truncation
        self.sum_bias = nn.Parameter(torch.zeros(width))
        self.mix = nn.Linear(width, width)
        self.out = nn.Linear(width, 1)
        nn.init.normal_(self.mix.weight, std=(2 / width) ** 0.5)
        nn.init.normal_(self.out.weight, std=0.05 / width**0.5)
        # Most of space is outside: half a truncation is where untrained fields had better start.
        nn.init.constant_(self.out.bias, truncation / 2)

    @functools.cached_property
    @torch.inference_mode(mode=False)  # or what is kept could not be trained with later
    def hats(self) -> "Hats":
        """The two layers that are the same for all shapes."""
        return hats(self.cells.nodes(self.per_cell), self.cells.across(self.per_cell))

    def forward(
        self, rows: Float[Tensor, "fields nodes width"], box: Box, points: Float[Tensor, "fields points dims"]
    ) -> Float[Tensor, "fields points"]:
        """Signed distances at each field's own points of space: what `weights` evaluates to, but for the gain."""
        with torch.no_grad():
            bumps = functional.relu(functional.linear(box.within(points), self.hats.first_matrix, self.hats.first_bias))
            bumps = functional.relu(functional.linear(bumps, self.hats.bump_matrix, self.hats.bump_bias))
        hidden = functional.relu(torch.baddbmm(self.sum_bias.to(bumps.dtype), bumps, rows.to(bumps.dtype)))
        values: Tensor = self.out(functional.relu(self.mix(hidden)))
        return values[..., 0]

    def weights(self, rows: Float[Tensor, "fields nodes width"], box: Box) -> Float[Tensor, "fields weights"]:
        """Flat weights of `spec`: the way into the box's frame is part of the first layer."""
        first = self.hats.first_matrix / box.half[:, None]
        layers = [
            (first, self.hats.first_bias - (first @ box.centre[..., None])[..., 0]),
            (self.hats.bump_matrix, self.hats.bump_bias),
            (rows.mT, self.sum_bias),
            (self.mix.weight, self.mix.bias),
            (self.out.weight * self.gain, self.out.bias * self.gain),
        ]
        count = len(rows)
        return flatten([(matrix.expand(count, -1, -1), bias.expand(count, -1)) for matrix, bias in layers])


class Hats(NamedTuple):
    """Weights of the first two layers."""

    first_matrix: Float[Tensor, "kinks dims"]
    first_bias: Float[Tensor, "kinks"]
    bump_matrix: Float[Tensor, "nodes kinks"]
    bump_bias: Float[Tensor, "nodes"]


def hats(nodes: Int[Tensor, "nodes dims"], counts: tuple[int, ...]) -> Hats:
    """The layers that make bumps at nodes, which stand at 0 … counts - 1 along each axis of the box.

    Of |x - t| = 2 relu(x - t) - x + t, layer 1 computes relu(x - t) for all node positions t, and relu(x + 2) for x.
    """
    number, dims = nodes.shape
    matrix, bias = torch.zeros(sum(counts) + dims, dims), torch.zeros(sum(counts) + dims)
    bumps, bump_bias = torch.zeros(number, sum(counts) + dims), torch.ones(number)
    start = 0
    for axis, count in enumerate(counts):
        positions = (torch.arange(count) + 0.5) / count * 2 - 1
        reach = REACH * 2 / count
        matrix[start : start + count + 1, axis] = 1
        bias[start : start + count + 1] = torch.cat([torch.tensor([PASS_SHIFT]), -positions])
        bumps[:, start] = 1 / reach
        bumps[torch.arange(number), start + 1 + nodes[:, axis]] = -2 / reach
        bump_bias -= (PASS_SHIFT + positions[nodes[:, axis]]) / reach
        start += count + 1
    return Hats(matrix, bias, bumps, bump_bias)
