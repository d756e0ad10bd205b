"""Quadratic B-splines (de Boor 1978) and their products over a grid, as layers of an MLP: exactly, but for rounding.

Squares of ReLUs say exactly what is piecewise quadratic, and products: 2 p q = (p + q)^2 - p^2 - q^2. A layer of such
products for each node would be as wide as there are nodes, and the next layer's matrix the square of that. But splines
three nodes apart share no point, so that *periodic* functions, the sums of every third one, stand for all of them: 3 an
axis, 3^d products. The last layer cuts each node's product out of its periodic one: it subtracts what is zero where the
node's is not, and beyond larger than the product.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .spec import Activation

STEEP = 2.0  # per spacing: the steeper products are cut out, the sooner `bounds` see that they are zero
PERIOD = 3  # node spacings in which a quadratic spline is not zero: splines so far apart share no point


class FixedLayer(NamedTuple):
    """A layer that is the same for all shapes."""

    matrix: Float[Tensor, "neurons inputs"]
    bias: Float[Tensor, "neurons"]
    activation: Activation


def spline(x: Tensor) -> Tensor:
    """The quadratic B-spline about zero, between -1.5 and 1.5."""
    return torch.where(x.abs() < 0.5, 0.75 - x.square(), 0.5 * (1.5 - x.abs()).clamp(min=0).square())


def nodes_per_unit(count: int) -> float:
    """Node spacings a unit of the box's frame."""
    return max(1, count - 1) / 2


def three_nearest(
    places: Float[Tensor, "*places"], count: int
) -> tuple[Int[Tensor, "*places 3"], Float[Tensor, "*places 3"]]:
    """The nodes whose splines can differ from zero at places, in node spacings from the first one, and their values."""
    places = places[..., None].clamp(-2, count + 1)
    nodes = places.round() + torch.arange(-1.0, 2.0, device=places.device)
    values = spline(places - nodes) * ((nodes >= 0) & (nodes < count))
    return nodes.clamp(0, count - 1).long(), values


def spline_layers(counts: Sequence[int], nodes: Int[Tensor, "nodes dims"]) -> tuple[FixedLayer, ...]:
    """An MLP from points in [-1, 1]^d to the products of the splines of nodes.

    Args:
        counts: nodes along each axis of a grid; the outermost stand at -1 and 1.
        nodes: the places on the grid of those wanted, from 0 on, in the order of the outputs.
    """
    kinks = [_kinks(axis, count, len(counts)) for axis, count in enumerate(counts)]
    layers = [_layer(torch.cat(kinks), "relu")]
    parts, beyond = zip(*map(_axis_functions, _outputs(kinks)), strict=True)
    layers.append(_layer(torch.cat([*parts, *(_plus(rows, 1) for rows in beyond)]), "relu2"))
    *outputs, passed = _outputs([*parts, torch.cat(beyond)])
    periodic = [_periodic(rows) for rows in outputs]
    while len(periodic) > 1:
        layer, periodic, passed = _multiply(periodic, passed)
        layers.append(layer)
    products = periodic[0]
    hats, first = torch.zeros(len(nodes), products.shape[1]), 0
    which = torch.zeros(len(nodes), dtype=torch.long)
    for axis, count in enumerate(counts):
        node = nodes[:, axis]
        which = which * min(count, PERIOD) + node % PERIOD
        hats -= _plus(passed[first + node], -1)
        first += count
    layers.append(_layer(hats + products[which], "relu"))
    return tuple(layers)


# Below, a row [inputs and one] stands for an affine function of the inputs of a layer: its last number is added.


def _layer(rows: Tensor, activation: Activation) -> FixedLayer:
    return FixedLayer(rows[:, :-1], rows[:, -1], activation)


def _outputs(neurons: list[Tensor]) -> list[Tensor]:
    """The outputs of the layer of these neurons, as rows for the next one, in the same groups."""
    sizes = [len(rows) for rows in neurons]
    return list(torch.eye(sum(sizes), sum(sizes) + 1).split(sizes))


def _plus(rows: Tensor, number: float | Tensor) -> Tensor:
    return torch.cat([rows[:, :-1], rows[:, -1:] + torch.as_tensor(number).reshape(-1, 1)], dim=1)


def _kinks(axis: int, count: int, dims: int) -> Tensor:
    """Half way between nodes (at 0 … count - 1), and two beyond the outermost: x - kink for each, then kink - x."""
    x = torch.zeros(count + 3, dims + 1)
    x[:, axis], x[:, -1] = nodes_per_unit(count), (count - 1) / 2
    rising = _plus(x, 1.5 - torch.arange(count + 3))
    return torch.cat([rising, -rising])


def _axis_functions(kinks: Tensor) -> tuple[Tensor, Tensor]:
    """Of an axis, from the ReLUs at its kinks: the parts of the periodic functions, and for each node how far a point
    is from where its spline is not zero."""
    rising, falling = kinks.chunk(2)
    tents = rising[:-2] - 2 * rising[1:-1] + rising[2:]
    left, right = tents[:-1], tents[1:]  # of each node; where they overlap, their sum is 1
    number = min(len(left), PERIOD)
    parts = [torch.stack([rows[i::PERIOD].sum(0) for i in range(number)]) for rows in (left + right, left, right)]
    beyond = torch.zeros_like(left)
    beyond[:-1] += STEEP * (rising[3:-1] - rising[4:])
    beyond[1:] += STEEP * (falling[1 : len(left)] - falling[: len(left) - 1])
    return torch.cat(parts), beyond


def _periodic(squares: Tensor) -> Tensor:
    """A spline of tents: (left + right)^2 - left^2 / 2 - right^2 / 2."""
    both, left, right = squares.chunk(3)
    return both - (left + right) / 2


def _multiply(functions: list[Tensor], passed: Tensor) -> tuple[FixedLayer, list[Tensor], Tensor]:
    """The layer that multiplies each of the first functions with each of the second, and what there is after it: the
    products, the other functions, and squares of what is passed on."""
    first, second, *others = functions
    one, other = first.repeat_interleave(len(second), 0), second.repeat(len(first), 1)
    neurons = [one + other, first, second, passed]
    for rows in others:
        neurons += [rows, _plus(rows, 1)]
    both, ones, twos, passed, *squares = _outputs(neurons)
    products = (both - ones.repeat_interleave(len(second), 0) - twos.repeat(len(first), 1)) / 2
    # (p + 1)^2 - p^2 - 1 = 2 p
    kept = [_plus(more - less, -1) / 2 for less, more in zip(squares[::2], squares[1::2], strict=True)]
    return _layer(torch.cat(neurons), "relu2"), [products, *kept], passed
