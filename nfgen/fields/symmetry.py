"""The permutation symmetry of fields: permute hidden neurons, put them in canonical order, match one field to another.

A permutation P of the neurons of one hidden layer changes the weights and not the function: W0 becomes P W0, b0
becomes P b0, and the next layer's W1 becomes W1 P^T. A permutation is given as an index vector `order` [width]:
neuron i of the result is neuron order[i] of the original.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from nfgen.errors import ConfigError

from .mlp import flatten, neuron_rows, unflatten
from .spec import FieldSpec

Orders = list[Int[Tensor, "fields width"]]
"""One permutation a field for each hidden layer."""

MAX_SWEEPS = 100  # Git Re-Basin converges in far fewer; a bound makes the end certain


def permute(
    spec: FieldSpec, weights: Float[Tensor, "fields weights"], orders: Sequence[Int[Tensor, "fields width"]]
) -> Float[Tensor, "fields weights"]:
    """Permute the hidden neurons of each field; the fields' values stay the same.

    Args:
        orders: for each hidden layer the permutations [N, width], or one [width] for all fields.

    Raises:
        ConfigError: if an order is not a permutation of its layer's neurons.
    """
    if len(orders) != len(spec.hidden):
        raise ConfigError(f"{len(orders)} orders do not fit {len(spec.hidden)} hidden layers")
    layers = unflatten(spec, weights)
    for i, (order, width) in enumerate(zip(orders, spec.hidden, strict=True)):
        order = order.expand(len(weights), width)
        if not torch.equal(order.sort(dim=1).values, torch.arange(width).expand_as(order)):
            raise ConfigError(f"the order of hidden layer {i} is not a permutation of its {width} neurons")
        matrix, bias = layers[i]
        layers[i] = (_take(matrix, order, 1), None if bias is None else bias.gather(1, order))
        following, following_bias = layers[i + 1]
        layers[i + 1] = (_take(following, order, 2), following_bias)
    return flatten(layers)


def random_orders(spec: FieldSpec, count: int, generator: torch.Generator) -> Orders:
    """Independent uniform permutations of every hidden layer of N fields."""
    return [torch.rand(count, width, generator=generator).argsort(dim=1) for width in spec.hidden]


def canonical(spec: FieldSpec, weights: Float[Tensor, "fields weights"]) -> Float[Tensor, "fields weights"]:
    """The same fields with the neurons of each hidden layer in canonical order.

    Neurons are sorted by their bias, first layer first; equal biases by their incoming weights, the first
    one that differs. The result is the same for all permutations of a field, unless two neurons have equal rows.
    """
    for i in range(len(spec.hidden)):
        rows = neuron_rows(spec, weights)[i]
        keys = rows.flip(2)  # the bias stands last in a row
        order = torch.arange(rows.shape[1]).expand(len(weights), -1)
        for key in reversed(range(keys.shape[2])):
            column = keys[:, :, key].gather(1, order)
            order = order.gather(1, column.sort(dim=1, stable=True).indices)
        weights = permute(spec, weights, [*_identities(spec, i), order, *_identities(spec, i + 1, len(spec.hidden))])
    return weights


def match(
    spec: FieldSpec, weights: Float[Tensor, "fields weights"], target: Float[Tensor, "weights"]
) -> Float[Tensor, "fields weights"]:
    """Permute each field to bring it near a target: weight matching of Git Re-Basin (Ainsworth et al. 2023, alg. 1).

    Layer by layer, until nothing changes, the order of its neurons that maximises the inner product with the target's
    incoming and outgoing weights is found by the Hungarian method. The squared distance to the target never grows.
    """
    goal = unflatten(spec, target[None])
    matched = []
    for one in weights.split(1):
        for _ in range(MAX_SWEEPS):
            changed = False
            for i, width in enumerate(spec.hidden):
                gain = _gain(unflatten(spec, one), goal, i)
                order = torch.as_tensor(linear_sum_assignment(gain.numpy(), maximize=True)[1])
                # Only a real gain counts as change: ties and rounding would go round in circles.
                identity = torch.arange(width)
                if gain[identity, order].sum() > gain.trace() + 1e-6 * gain.abs().sum() / width:
                    one = permute(
                        spec, one, [*_identities(spec, i), order, *_identities(spec, i + 1, len(spec.hidden))]
                    )
                    changed = True
            if not changed:
                break
        matched.append(one)
    return torch.cat(matched) if matched else weights


def _gain(layers: list, goal: list, i: int) -> Float[Tensor, "target_neurons neurons"]:
    """Inner product of neuron a of the target and neuron b of the field, over all weights that move with them."""
    gain = goal[i][0][0] @ layers[i][0][0].T + goal[i + 1][0][0].T @ layers[i + 1][0][0]
    return gain + torch.outer(goal[i][1][0], layers[i][1][0]) if layers[i][1] is not None else gain


def _take(matrix: Float[Tensor, "fields outputs inputs"], order: Int[Tensor, "fields width"], dim: int) -> Tensor:
    index = order[:, :, None] if dim == 1 else order[:, None, :]
    return matrix.gather(dim, index.expand_as(matrix))


def _identities(spec: FieldSpec, *bounds: int) -> list[Int[Tensor, "width"]]:
    return [torch.arange(width) for width in spec.hidden[slice(*bounds)]]
