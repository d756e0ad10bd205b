"""The decoded field of the VQ tokenizer: a plain MLP whose first layers are hat functions, one per node of a grid.

    fixed layers          hat functions in the frame of the box              `hat_basis`
    hidden layer          weighted sums of them: one row of weights a node   decoded
    hidden layer, output                                                     learned, shared

So the rows are a feature grid with an MLP on top, and all of it is one ordinary field of `spec`: a shape's rows become
weights exactly. A row has an effect near its node only.
"""

import functools
import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nfgen.config import require
from nfgen.fields.mlp import ACTIVATIONS, flatten
from nfgen.fields.spec import MOST_NEURONS, Activation, FieldSpec, Output
from nfgen.runtime.device import CPU

from .bounding_box import Box
from .config import Basis
from .hat_basis import BASES, HatBasis
from .networks import Cells

UPPER: dict[Basis, Activation] = {"spline": "gelu", "octahedral": "relu"}
"""Activation of the layers after the basis: smooth for the smooth basis, so that surfaces are smooth."""


class GridField(nn.Module):
    """The shared part of all decoded fields.

    Args:
        cells: the division of the box.
        per_cell: nodes along each axis of a cell.
        width: neurons of the last two hidden layers, hence numbers in a row.
        output: kind of field to decode to.
        truncation: distance at which signed distances saturate; scales the output of the other kinds.
        basis: kind of hat functions.
    """

    def __init__(
        self, cells: Cells, per_cell: int, width: int, output: Output, truncation: float, basis: Basis = "spline"
    ) -> None:
        super().__init__()
        self.cells, self.per_cell, self.width, self.output, self.basis = cells, per_cell, width, output, basis
        # `spec` has the same limit, but comes after the layers: hat functions, and about twice the kinks of all axes.
        counts = cells.across(per_cell)
        wanted = f"must make at most {MOST_NEURONS:,} basis functions in all"
        require(max(math.prod(counts), 4 * sum(counts)) <= MOST_NEURONS, "nodes", wanted, per_cell)
        # So that tanh(distance / truncation) = 1 - 2 sigmoid(logit), positive outside.
        self.gain = 1.0 if output == "sdf" else -2.0 / truncation
        self.sum_bias = nn.Parameter(torch.zeros(width))
        self.mix = nn.Linear(width, width)
        self.out = nn.Linear(width, 1)
        nn.init.normal_(self.mix.weight, std=(2 / width) ** 0.5)
        nn.init.normal_(self.out.weight, std=0.05 / width**0.5)
        # Most of space is outside, so untrained fields start at half a truncation.
        nn.init.constant_(self.out.bias, truncation / 2)

    @property
    def hat_basis(self) -> HatBasis:
        """The fixed layers, on the device of the learned ones."""
        return _hat_basis(self.basis, self.cells, self.per_cell, self.sum_bias.device)

    @functools.cached_property
    def spec(self) -> FieldSpec:
        """Architecture of the decoded fields."""
        fixed = _hat_basis(self.basis, self.cells, self.per_cell, CPU).layers
        return FieldSpec(
            dims=len(self.cells.counts),
            frequencies=0,
            hidden=(*(len(layer.bias) for layer in fixed), self.width, self.width),
            activation=(*(layer.activation for layer in fixed), UPPER[self.basis], UPPER[self.basis]),
            output_bias=True,
            output=self.output,
        )

    def forward(
        self, rows: Float[Tensor, "fields nodes width"], box: Box, points: Float[Tensor, "fields points dims"]
    ) -> Float[Tensor, "fields points"]:
        """Signed distances at each field's own points in space: values of the field of `weights`, without the gain."""
        activate = ACTIVATIONS[UPPER[self.basis]]
        sums = self.hat_basis.interpolate(rows, box.to_box(points))
        values: Tensor = self.out(activate(self.mix(activate(sums + self.sum_bias))))
        return values[..., 0]

    def weights(self, rows: Float[Tensor, "fields nodes width"], box: Box) -> Float[Tensor, "fields weights"]:
        """Flat weights of `spec`; the map to the box's frame is folded into the first layer."""
        (matrix, bias, _), *others = self.hat_basis.layers
        first = matrix / box.half[:, None]
        layers = [
            (first, bias - (first @ box.centre[..., None])[..., 0]),
            *((layer.matrix, layer.bias) for layer in others),
            (rows.mT, self.sum_bias),
            (self.mix.weight, self.mix.bias),
            (self.out.weight * self.gain, self.out.bias * self.gain),
        ]
        count = len(rows)
        return flatten([(matrix.expand(count, -1, -1), bias.expand(count, -1)) for matrix, bias in layers])


@functools.lru_cache(maxsize=16)
@torch.inference_mode(mode=False)  # cached inference tensors could not be used in training
def _hat_basis(basis: Basis, cells: Cells, per_cell: int, device: torch.device) -> HatBasis:
    return BASES[basis](cells, per_cell).to(device)
