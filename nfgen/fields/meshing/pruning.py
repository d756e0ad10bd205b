"""Small fields that equal a large one in a part of space: a neuron that is off everywhere there is left out.

Off is what ReLU and its square are below zero; GELU is never quite off, so that its neurons are kept.
"""

import itertools

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nfgen.fields.mlp import ACTIVATIONS, flatten, unflatten
from nfgen.fields.spec import FieldSpec

from .bounds import hidden_ranges

OFF_BELOW_ZERO = ("relu", "relu2")
WORTH = 2.0  # times fewer products: below that, small products of many fields cost more than they save


def restrict(
    spec: FieldSpec,
    weights: Float[Tensor, "weights"],
    centres: Float[Tensor, "boxes dims"],
    radius: Float[Tensor, "dims"],
) -> tuple[FieldSpec, Float[Tensor, "boxes weights"]] | None:
    """For each box a field of fewer neurons that has the same values there, but for rounding; all of one spec.

    None if it would not be much smaller: where most neurons act everywhere, or none can be off.
    """
    if not set(OFF_BELOW_ZERO) & set(spec.activations):
        return None
    layers = [(matrix[0], None if bias is None else bias[0]) for matrix, bias in unflatten(spec, weights[None])]
    kept, biases = _acting(spec, layers, hidden_ranges(spec, weights[None], centres[None], radius))
    chosen = [_largest_first(used) for used in kept]
    smaller = spec.replace(hidden=tuple(index.shape[1] for index, _ in chosen))
    if _products(spec) < WORTH * _products(smaller):
        return None
    inputs: Tensor | None = None
    small = []
    output = (torch.zeros(len(centres), 1, dtype=torch.long), torch.ones(len(centres), 1))
    for (matrix, _), bias, (index, used) in zip(layers, biases, [*chosen, output], strict=True):
        rows = matrix[index]
        if inputs is not None:
            rows = rows.gather(2, inputs[:, None].expand(-1, rows.shape[1], -1))
        # Boxes that need fewer neurons than the others are filled up with some that are off.
        small.append((rows * used[..., None], None if bias is None else bias.gather(1, index) * used))
        inputs = index
    return smaller, flatten(small)


def _acting(
    spec: FieldSpec, layers: list[tuple[Tensor, Tensor | None]], ranges: list[tuple[Tensor, Tensor]]
) -> tuple[list[Bool[Tensor, "boxes neurons"]], list[Float[Tensor, "boxes neurons"] | None]]:
    """Which hidden neurons of each layer change anything in each box, and the layers' biases without the others: those
    that are off, those that no such neuron reaches, whose constant outputs are added to the next bias, and those that
    reach none."""
    boxes = ranges[0][0].shape[1]
    reaching = torch.ones(boxes, spec.features, dtype=torch.bool)
    constants = torch.zeros(boxes, spec.features)
    kept: list[Tensor] = []
    biases: list[Tensor | None] = []
    for i, (matrix, bias) in enumerate(layers):
        biases.append(None if bias is None else torch.addmm(bias, constants, matrix.T))
        if i == len(spec.hidden):
            break
        reached = _any_product(reaching, matrix.T)
        following = layers[i + 1][1]
        activation, (_, high) = spec.activations[i], ranges[i]
        if following is None:  # nowhere to add a constant to
            reached = torch.ones_like(reached)
        on = (high[0] > 0) | (activation not in OFF_BELOW_ZERO)
        whole = biases[-1]
        assert whole is not None  # hidden layers have biases
        constants = torch.where(on & ~reached, ACTIVATIONS[activation](whole), 0.0)
        reaching = on & reached
        kept.append(reaching)
    wanted = torch.ones(boxes, 1, dtype=torch.bool)
    for i in reversed(range(len(kept))):
        kept[i] &= _any_product(wanted, layers[i + 1][0])
        wanted = kept[i]
    return kept, biases


def _any_product(
    flags: Bool[Tensor, "boxes inputs"], matrix: Float[Tensor, "inputs outputs"]
) -> Bool[Tensor, "boxes outputs"]:
    """Which outputs any of the flagged inputs has a weight to."""
    return flags.float() @ (matrix != 0).float() > 0


def _largest_first(used: Tensor) -> tuple[Int[Tensor, "boxes most"], Float[Tensor, "boxes most"]]:
    """Indices of the neurons in use, filled up to as many as the fullest box has, and which of them are meant."""
    most = max(1, int(used.sum(1).max()))
    flags, chosen = used.to(torch.uint8).sort(dim=1, descending=True, stable=True)
    return chosen[:, :most], flags[:, :most].float()


def _products(spec: FieldSpec) -> int:
    return sum(a * b for a, b in itertools.pairwise((spec.features, *spec.hidden, 1)))
