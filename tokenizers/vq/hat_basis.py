"""The basis functions of the VQ tokenizer's decoded fields: *hats*, one a node of a grid, as layers of an MLP.

    spline       products of quadratic B-splines, one an axis (de Boor 1978): they add up to one, reproduce planes, and
                 are smooth
    octahedral   relu(1 - sum_a |x_a - node_a| / reach_a), for tokenizers that were trained with them: their sum
                 ripples, and so do surfaces

Points are in the frame of the box, [-1, 1]^d; outside it hats fall to zero.
"""

import copy
import math
from typing import NamedTuple, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from nfgen.fields.mlp import ACTIVATIONS
from nfgen.fields.spec import Activation

from .config import Basis
from .networks import Cells

REACH = 2.2  # radius of an octahedron in node spacings: every point lies inside about a dozen of them
PASS_SHIFT = 2.0  # relu(x + 2) - 2 = x wherever octahedra reach: one neuron hands a coordinate on unchanged
STEEP = 2.0  # per spacing: the steeper hats are cut out, the sooner `bounds` see that they are zero
PERIOD = 3  # node spacings in which a quadratic spline is not zero: splines so far apart share no point


class FixedLayer(NamedTuple):
    """A layer that is the same for all shapes."""

    matrix: Float[Tensor, "neurons inputs"]
    bias: Float[Tensor, "neurons"]
    activation: Activation


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
    """Products of quadratic B-splines; the outermost nodes stand on the sides of the box.

    Squares of ReLUs say exactly what is piecewise quadratic, and products: 2 p q = (p + q)^2 - p^2 - q^2. A layer of
    such products for each node would be as wide as there are nodes, and the next layer's matrix the square of that.
    But splines three nodes apart share no point, so that *periodic* functions, the sums of every third one, stand for
    all of them: 3 an axis, 3^d products. The last layer cuts each hat out of its product: it subtracts what is zero
    where the hat is, and beyond larger than the product.
    """

    def __init__(self, cells: Cells, per_cell: int) -> None:
        super().__init__(cells, per_cell)
        strides = [math.prod(self.counts[:axis]) for axis in range(len(self.counts))]
        self.strides = torch.tensor(strides)
        # Where the node at each place of the grid stands among the rows.
        self.places = (self.nodes * self.strides).sum(1).argsort()
        self.layers = tuple(self._layers())

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
        flat, weights = rows.flatten(0, 1), hats.flatten(0, 1).to(rows.dtype)
        return functional.embedding_bag(index.flatten(0, 1), flat, per_sample_weights=weights, mode="sum").unflatten(
            0, points.shape[:2]
        )

    def near(
        self, points: Float[Tensor, "fields points dims"]
    ) -> tuple[Int[Tensor, "fields points near"], Float[Tensor, "fields points near"]]:
        """The 3^d nodes around each point, as indices of rows, and their hats there."""
        places, hats = torch.zeros(1, dtype=torch.long, device=points.device), torch.ones(1, device=points.device)
        for axis, count in enumerate(self.counts):
            at = (points[..., axis, None] * _per_unit(count) + (count - 1) / 2).clamp(-2, count + 1)
            nodes = at.round() + torch.arange(-1.0, 2.0, device=at.device)
            own = _spline(at - nodes) * ((nodes >= 0) & (nodes < count))
            index = nodes.clamp(0, count - 1).long() * self.strides[axis]
            places = (places[..., None] + index[..., None, :]).flatten(-2)
            hats = (hats[..., None] * own[..., None, :]).flatten(-2)
        return self.places[places], hats

    # Below, a row [inputs and one] stands for an affine function of the inputs of a layer: its last number is added.

    def _layers(self) -> list[FixedLayer]:
        kinks = [_kinks(axis, count, len(self.counts)) for axis, count in enumerate(self.counts)]
        layers = [_layer(torch.cat(kinks), "relu")]
        parts, beyond = zip(*map(_axis_functions, _outputs(kinks)), strict=True)
        layers.append(_layer(torch.cat([*parts, *(_plus(rows, 1) for rows in beyond)]), "relu2"))
        *outputs, passed = _outputs([*parts, torch.cat(beyond)])
        periodic = [_periodic(rows) for rows in outputs]
        while len(periodic) > 1:
            layer, periodic, passed = _multiply(periodic, passed)
            layers.append(layer)
        products = periodic[0]
        hats, first = torch.zeros(len(self.nodes), products.shape[1]), 0
        which = torch.zeros(len(self.nodes), dtype=torch.long)
        for axis, count in enumerate(self.counts):
            node = self.nodes[:, axis]
            which = which * min(count, PERIOD) + node % PERIOD
            hats -= _plus(passed[first + node], -1)
            first += count
        layers.append(_layer(hats + products[which], "relu"))
        return layers


def _spline(x: Tensor) -> Tensor:
    """The quadratic B-spline about zero, between -1.5 and 1.5."""
    return torch.where(x.abs() < 0.5, 0.75 - x.square(), 0.5 * (1.5 - x.abs()).clamp(min=0).square())


def _per_unit(count: int) -> float:
    """Node spacings a unit of the box's frame."""
    return max(1, count - 1) / 2


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
    x[:, axis], x[:, -1] = _per_unit(count), (count - 1) / 2
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


BASES: dict[Basis, type[HatBasis]] = {"spline": SplineBasis, "octahedral": OctahedralBasis}
