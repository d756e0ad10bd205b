"""The base field of the VQ tokenizer: a plain ReLU MLP whose second layer is a grid of local basis functions.

    layer 1   kinks of each coordinate at the node positions                                       shared
    layer 2   one bump a node, an octahedron around it: relu(1 - sum_a |x_a - node_a| / reach)      shared
              and some free neurons                                                                shared
    layer 3   sums of bumps: one row of weights a node                                        decoded + shared
    layer 4   and the output                                                                       shared

So the rows are a feature grid, read by an MLP, and yet all of it is one ordinary field of `spec`: nothing has to be
approximated when a shape's rows are written into its weights. A row acts near its node only.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from nfgen.field import flatten
from nfgen.spec import FieldSpec, Output

REACH = 2.2  # radius of a bump in node spacings: every point lies inside about a dozen of them
PASS_SHIFT = 2.0  # relu(x + 2) - 2 = x wherever fields are evaluated: one neuron hands a coordinate on unchanged
FREE_NEURONS = 32  # of layer 2, for what is the same in all shapes


class LocalField(nn.Module):
    """The shared part of all decoded fields.

    Args:
        nodes: positions of the basis functions, integers [nodes, dims] in 0 … side - 1.
        side: nodes along each axis.
        width: neurons of layers 3 and 4, hence numbers in a row.
        output: kind of field to decode to.
        truncation: distance at which signed distances saturate; scales the output of the other kinds.
    """

    def __init__(self, nodes: Tensor, side: int, width: int, output: Output, truncation: float) -> None:
        super().__init__()
        count, dims = nodes.shape
        free = FREE_NEURONS
        self.spec = FieldSpec(
            dims=dims,
            frequencies=0,
            hidden=(dims * (side + 1), count + free, width, width),
            activation="relu",
            output_bias=True,
            output=output,
        )
        # tanh(distance / truncation) and 1 - 2 sigmoid(logit) are the same signal, positive outside.
        self.gain = 1.0 if output == "sdf" else -2.0 / truncation
        first, bumps = hats(nodes, side)
        self.register_buffer("first_matrix", first[0], persistent=False)
        self.register_buffer("first_bias", first[1], persistent=False)
        self.first_matrix: Tensor
        self.first_bias: Tensor
        inputs = len(first[1])
        self.bump_matrix = nn.Parameter(torch.cat([bumps[0], torch.randn(free, inputs) * 0.3 / inputs**0.5]))
        self.bump_bias = nn.Parameter(torch.cat([bumps[1], torch.zeros(free)]))
        self.rows = nn.Parameter(torch.randn(count + free, width) * 0.05)
        self.sum_bias = nn.Parameter(torch.zeros(width))
        self.mix = nn.Linear(width, width)
        self.out = nn.Linear(width, 1)
        nn.init.normal_(self.mix.weight, std=(2 / width) ** 0.5)
        nn.init.normal_(self.out.weight, std=0.05 / width**0.5)
        # Most of space is outside: half a truncation is where untrained fields had better start.
        nn.init.constant_(self.out.bias, truncation / 2)

    def forward(self, rows: Float[Tensor, "fields nodes width"], points: Float[Tensor, "fields points dims"]) -> Tensor:
        """Signed distances [N, n] at each field's own points: what `weights` evaluates to, but for the gain."""
        hidden = functional.relu(functional.linear(points, self.first_matrix, self.first_bias))
        hidden = functional.relu(functional.linear(hidden, self.bump_matrix, self.bump_bias))
        rows = self._all_rows(rows).to(hidden.dtype)
        hidden = functional.relu(torch.baddbmm(self.sum_bias.to(hidden.dtype), hidden, rows))
        values: Tensor = self.out(functional.relu(self.mix(hidden)))
        return values[..., 0]

    def weights(self, rows: Float[Tensor, "fields nodes width"]) -> Float[Tensor, "fields weights"]:
        """Flat weights of `spec`."""
        shared = [
            (self.first_matrix, self.first_bias),
            (self.bump_matrix, self.bump_bias),
            (None, self.sum_bias),
            (self.mix.weight, self.mix.bias),
            (self.out.weight * self.gain, self.out.bias * self.gain),
        ]
        own = self._all_rows(rows).mT
        return flatten(
            [
                (own if matrix is None else matrix.expand(len(rows), -1, -1), bias.expand(len(rows), -1))
                for matrix, bias in shared
            ]
        )

    def _all_rows(self, rows: Tensor) -> Tensor:
        return self.rows + functional.pad(rows, (0, 0, 0, FREE_NEURONS))


def hats(nodes: Tensor, side: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Matrix and bias of layer 1 and of the bumps of layer 2.

    Of |x - t| = 2 relu(x - t) - x + t, layer 1 computes relu(x - t) for all node positions t, and relu(x + 2) for x.
    """
    count, dims = nodes.shape
    positions = (torch.arange(side) + 0.5) / side * 2 - 1
    per_axis = side + 1
    matrix, bias = torch.zeros(dims * per_axis, dims), torch.zeros(dims * per_axis)
    bumps, bump_bias = torch.zeros(count, dims * per_axis), torch.ones(count)
    reach = REACH * 2 / side
    for axis in range(dims):
        start = axis * per_axis
        matrix[start : start + per_axis, axis] = 1
        bias[start : start + per_axis] = torch.cat([torch.tensor([PASS_SHIFT]), -positions])
        bumps[:, start] = 1 / reach
        bumps[torch.arange(count), start + 1 + nodes[:, axis]] = -2 / reach
        bump_bias -= (PASS_SHIFT + positions[nodes[:, axis]]) / reach
    return (matrix, bias), (bumps, bump_bias)
