"""Small fields that equal a large one in a part of space: a ReLU neuron that is off everywhere there is left out."""

import itertools

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nfgen.fields.mlp import flatten, unflatten
from nfgen.fields.spec import FieldSpec

from .bounds import hidden_ranges

WORTH = 2.0  # times fewer products: below that, small products of many fields cost more than they save


def restrict(
    spec: FieldSpec,
    weights: Float[Tensor, "weights"],
    centres: Float[Tensor, "boxes dims"],
    radius: Float[Tensor, "dims"],
) -> tuple[FieldSpec, Float[Tensor, "boxes weights"]] | None:
    """For each box a field of fewer neurons that has the same values there, but for rounding; all of one spec.

    None if it would not be much smaller: where most neurons act everywhere, or cannot be off as GELU's cannot.
    """
    if spec.activation != "relu":
        return None
    kept = [
        _largest_first(high > 0)
        for _, high in hidden_ranges(spec, weights[None], centres[None], radius)
        for high in high
    ]
    smaller = spec.replace(hidden=tuple(chosen.shape[1] for chosen, _ in kept))
    if _products(spec) < WORTH * _products(smaller):
        return None
    inputs: Tensor | None = None
    layers = []
    for (matrix, bias), (chosen, used) in zip(
        unflatten(spec, weights[None]), [*kept, (torch.zeros(len(centres), 1, dtype=torch.long), None)], strict=True
    ):
        rows = matrix[0, chosen]
        if inputs is not None:
            rows = rows.gather(2, inputs[:, None].expand(-1, rows.shape[1], -1))
        own_bias = None if bias is None else bias[0, chosen]
        if used is not None:
            # Boxes that need fewer neurons than the others are filled up with some that are off.
            rows = rows * used[..., None]
            own_bias = None if own_bias is None else own_bias * used
        layers.append((rows, own_bias))
        inputs = chosen
    return smaller, flatten(layers)


def _largest_first(used: Tensor) -> tuple[Int[Tensor, "boxes most"], Float[Tensor, "boxes most"]]:
    """Indices of the neurons in use, filled up to as many as the fullest box has, and which of them are meant."""
    most = max(1, int(used.sum(1).max()))
    flags, chosen = used.to(torch.uint8).sort(dim=1, descending=True, stable=True)
    return chosen[:, :most], flags[:, :most].float()


def _products(spec: FieldSpec) -> int:
    return sum(a * b for a, b in itertools.pairwise((spec.features, *spec.hidden, 1)))
