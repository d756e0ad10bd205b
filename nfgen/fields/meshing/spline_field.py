"""A field whose first layers are B-splines, as what it is: sums of splines, then a small MLP.

The layers of `spline_layers` are large, and bounds through them are loose. But what they compute is known: from the
coordinates x, y, z in node spacings the next layer gets, before its activation and bias,

    sum_ijk  B(x - i) B(y - j) B(z - k) rows[i, j, k]

of which 27 terms are not zero at a point. Only whoever compares the layers with those of `spline_layers` may say so,
and `SplineField.recognise` does.

In a box each B(x - i) is a combination of functions of u in [-1, 1] with values in [-1, 1]: 1, u, 2 u^2 - 1, and one
for each kink in the box (half way between nodes, where second derivatives jump): the square of the distance beyond it,
scaled likewise. Summing along an axis, the coefficients of 1 and u are kept, and the absolute values of the others are
slack. So what is linear over the nodes costs no slack, and the rest falls with the square of the box.
"""

import math
from typing import NamedTuple, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from nfgen.fields.mlp import LayerWeights, batches, finish, unflatten
from nfgen.fields.spec import Activation, FieldSpec
from nfgen.fields.spline_layers import FixedLayer, spline, spline_layers, three_nearest

from .bounds import ROUNDING, Bounds, bound_layers

FIXED = ("relu", "relu2", "relu2", "relu2", "relu")  # what the activations begin with
KINK = 1.5  # node spacings from the first kink to the first node
ROUNDED = 1e-6  # of the largest bias: what rounding may have changed
BLOCKS_AT_ONCE, POINTS_AT_ONCE = 1024, 4096  # few enough for the processor's cache


class Intervals(NamedTuple):
    """The splines of an axis in each of its intervals."""

    parts: Float[Tensor, "intervals functions nodes"]
    """Coefficients of 1, u, and the other functions."""
    most: Float[Tensor, "intervals nodes"]
    """Largest values."""


class SplineField:
    """A field over a grid of cells. Made by `recognise`.

    Args:
        rows: of the nodes.
        scale: node spacings in a unit, along each axis.
        offset: of the first node, in node spacings: x is scale * coordinate + offset.
        bias: added to the sums.
        activations: of the sums and of the layers above.
        layers: those above.
        resolution: cells along each axis.
    """

    def __init__(
        self,
        rows: Float[Tensor, "first second third width"],
        scale: Float[Tensor, "3"],
        offset: Float[Tensor, "3"],
        bias: Float[Tensor, "width"],
        activations: tuple[Activation, ...],
        layers: list[LayerWeights],
        resolution: int,
    ) -> None:
        self.rows, self.scale, self.offset, self.bias = rows, scale, offset, bias
        self.activations, self.layers, self.resolution = activations, layers, resolution

    @classmethod
    def recognise(cls, spec: FieldSpec, weights: Float[Tensor, "weights"], resolution: int) -> Self | None:
        """The field, if its first layers are those of `spline_layers` in some frame, else None."""
        upper = spec.activations[len(FIXED) :]
        if spec.dims != 3 or spec.frequencies or spec.activations[: len(FIXED)] != FIXED or not upper:
            return None
        layers = unflatten(spec, weights[None])
        (kinks,), (hats,) = layers[0][0], layers[len(FIXED) - 1][0]
        counts = _counts(kinks)
        if counts is None or math.prod(counts) != len(hats) or sum(counts) > hats.shape[1]:
            return None
        nodes = _nodes(hats, counts)
        first, *others = spline_layers(counts, nodes)
        wanted = torch.cat([part.flatten() for layer in others for part in (layer.matrix, layer.bias)])
        frame = _frame(kinks, weights[spec.layers[0].bias_start : spec.layers[0].end], first, counts)
        if frame is None or not torch.equal(weights[spec.layers[1].start : spec.layers[len(FIXED)].start], wanted):
            return None
        (matrix,), sums = layers[len(FIXED)][0], spec.layers[len(FIXED)]
        rows = torch.zeros(*counts, len(matrix)).index_put_(tuple(nodes.T), matrix.T, accumulate=True)
        bias = weights[sums.bias_start : sums.end]
        return cls(rows, *frame, bias, upper, layers[len(FIXED) + 1 :], resolution)

    def bounds(self, blocks: Int[Tensor, "boxes 3"], size: int) -> Bounds:
        """Bounds of the field's values in blocks of `size` cells a side, by their places among such blocks."""
        along, radius = math.ceil(self.resolution / size), size / self.resolution
        middles = self._in_spacings((torch.arange(along) + 0.5) * (2 * radius) - 1)
        reach = (self.scale * radius).tolist()
        axes = [_intervals(*axis) for axis in zip(middles, reach, self.rows.shape[:3], strict=True)]
        bounds = Bounds(torch.empty(len(blocks)), torch.empty(len(blocks), 3), torch.empty(len(blocks)))
        layers = [(torch.eye(len(self.bias))[None], self.bias[None]), *self.layers]
        for first, items in _by_first(blocks, along):
            (second, y), (third, z) = (blocks[items, axis].unique(return_inverse=True) for axis in (1, 2))
            forms, slack = self._bounded_sums(axes, (torch.tensor([first]), second, third))
            for some in batches(len(items), BLOCKS_AT_ONCE):
                here = z[some], y[some]
                found = bound_layers(self.activations, layers, forms[:, *here][None], slack[here][None])
                for whole, part in zip(bounds, found, strict=True):
                    whole[items[some]] = part
        return bounds

    def values(self, corners: Int[Tensor, "points 3"]) -> Float[Tensor, "points"]:
        """The field at corners of cells, by their places."""
        side, (across, along, deep, width) = self.resolution + 1, self.rows.shape
        first, second, third = self._in_spacings(torch.linspace(-1, 1, side))
        near_first, near_second = (
            spline(line[:, None] - torch.arange(n)) for line, n in ((first, across), (second, along))
        )
        nodes, near_third = three_nearest(third, deep)
        values = torch.empty(len(corners))
        for x, items in _by_first(corners, side):
            plane = (near_second @ (near_first[x] @ self.rows.flatten(1)).reshape(along, -1)).reshape(-1, width)
            for some in items.split(POINTS_AT_ONCE):
                _, y, z = corners[some].unbind(1)
                index = (y * deep)[:, None] + nodes[z]
                sums = functional.embedding_bag(index, plane, per_sample_weights=near_third[z], mode="sum")
                values[some] = finish(self.activations, (sums + self.bias)[None], self.layers)[0]
        return values

    def gradients(self, points: Float[Tensor, "points 3"]) -> Float[Tensor, "points 3"]:
        """The gradient in space at points."""
        _, along, deep, _ = self.rows.shape
        with torch.enable_grad():
            points = points.detach().clone().requires_grad_()
            places = (self.scale * points + self.offset).unbind(1)
            (x, near_x), (y, near_y), (z, near_z) = map(three_nearest, places, self.rows.shape)
            index = ((x[:, :, None, None] * along + y[:, None, :, None]) * deep + z[:, None, None]).flatten(1)
            products = (near_x[:, :, None, None] * near_y[:, None, :, None] * near_z[:, None, None]).flatten(1)
            rows = self.rows.flatten(0, 2)
            sums = functional.embedding_bag(index, rows, per_sample_weights=products, mode="sum")
            values = finish(self.activations, (sums + self.bias)[None], self.layers)[0]
            (found,) = torch.autograd.grad(values.sum(), points)
        return found

    def _in_spacings(self, coordinates: Float[Tensor, "line"]) -> Float[Tensor, "3 line"]:
        """Coordinates along each axis in node spacings from its first node."""
        return self.scale[:, None] * coordinates + self.offset[:, None]

    def _bounded_sums(
        self, axes: list[Intervals], chosen: tuple[Int[Tensor, "one"], Int[Tensor, "second"], Int[Tensor, "third"]]
    ) -> tuple[Float[Tensor, "4 third second width"], Float[Tensor, "third second width"]]:
        """Centres, then slopes, and slack of the sums of splines, over one interval of the first axis."""
        _, along, deep, width = self.rows.shape
        forms, slack = self.rows.flatten(1)[None], self.rows.flatten(1).abs().mul_(ROUNDING)
        forms, slack = _sum_along(forms, slack, axes[0], chosen[0])
        forms, slack = _sum_along(forms.reshape(2, along, -1), slack.reshape(along, -1), axes[1], chosen[1])
        # What is summed next stands before what is left.
        forms = forms.unflatten(-1, (deep, width)).transpose(1, 2).flatten(2)
        slack = slack.unflatten(-1, (deep, width)).transpose(0, 1).flatten(1)
        forms, slack = _sum_along(forms, slack, axes[2], chosen[2])
        return forms.unflatten(-1, (-1, width)), slack.unflatten(-1, (-1, width))


def _counts(matrix: Float[Tensor, "neurons 3"]) -> list[int] | None:
    """Nodes along each axis, by a first layer that has two neurons for each of the kinks, three more than nodes."""
    neurons = (matrix != 0).sum(0).tolist()
    if sum(neurons) != len(matrix) or any(number % 2 or number < 8 for number in neurons):
        return None
    return [number // 2 - 3 for number in neurons]


def _nodes(matrix: Float[Tensor, "nodes neurons"], counts: list[int]) -> Int[Tensor, "nodes 3"]:
    """Places of nodes on their grid, by a last layer that subtracts from each what is not zero beyond its spline."""
    beyond = (matrix[:, -sum(counts) :] != 0).float().split(counts, dim=1)
    return torch.stack([part.argmax(1) for part in beyond], dim=1)


def _frame(
    matrix: Float[Tensor, "neurons 3"], bias: Float[Tensor, "neurons"], wanted: FixedLayer, counts: list[int]
) -> tuple[Float[Tensor, "3"], Float[Tensor, "3"]] | None:
    """Scale and offset of node spacings, if a first layer is the wanted one but for these."""
    starts = torch.tensor([0, *(2 * (count + 3) for count in counts[:-1])]).cumsum(0)
    scale, shift = matrix[starts, torch.arange(3)], bias[starts] - wanted.bias[starts]
    signs = wanted.matrix.sign()
    # The frame's centre is in the bias, rounded.
    off = (bias - wanted.bias - signs @ shift).abs().max()
    if not (scale > 0).all() or not torch.equal(matrix, signs * scale) or not off <= ROUNDED * bias.abs().max():
        return None
    return scale, bias[starts] - KINK


def _by_first(places: Int[Tensor, "some 3"], along: int) -> list[tuple[int, Int[Tensor, "items"]]]:
    """The items of each first place that there are."""
    order = places[:, 0].argsort(stable=True)
    parts = order.split(torch.bincount(places[:, 0], minlength=along).tolist())
    return [(first, items) for first, items in enumerate(parts) if len(items)]


def _intervals(middles: Float[Tensor, "intervals"], radius: float, count: int) -> Intervals:
    """The splines of `count` nodes over intervals, in node spacings."""
    from_node = middles[:, None] - torch.arange(count)
    inside = from_node.abs() < 0.5
    slope = torch.where(inside, -2 * from_node, -from_node.sign() * (1.5 - from_node.abs()).clamp(min=0))
    curved = ((from_node >= -1.5) & (from_node < 1.5)).float() - 3 * ((from_node >= -0.5) & (from_node < 0.5)).float()
    # Kinks from the first one on; of those beyond the interval the distance is zero.
    first = (middles - radius + 0.5).floor().add_(0.5).clamp_(min=-KINK)[:, None]
    kinks = first + torch.arange(min(math.ceil(2 * radius), count + 3))
    beyond = (radius - (kinks - middles[:, None]).abs()).clamp(min=0)
    at = kinks[..., None] - torch.arange(count)
    jump = (at == -1.5).float() - 3 * (at == -0.5).float() + 3 * (at == 0.5).float() - (at == 1.5).float()
    jump *= torch.where(kinks > middles[:, None], 0.5, -0.5)[..., None]
    # Squares lie between 0 and their largest value: each is half of that, give or take half.
    halves = torch.cat([(curved * radius**2 / 4)[:, None], jump * (beyond.square() / 2)[..., None]], dim=1)
    value = spline(from_node) + halves.sum(1)
    parts = torch.cat([value[:, None], (slope * radius)[:, None], halves], dim=1)
    return Intervals(parts, spline((from_node.abs() - radius).clamp(min=0)))


def _sum_along(
    forms: Float[Tensor, "forms nodes rest"],
    slack: Float[Tensor, "nodes rest"],
    axis: Intervals,
    chosen: Int[Tensor, "chosen"],
) -> tuple[Float[Tensor, "forms_and_one chosen rest"], Float[Tensor, "chosen rest"]]:
    """Sums over the nodes of an axis, weighted by their splines in chosen intervals; the last form is its slope."""
    parts, most = axis.parts[chosen], axis.most[chosen]
    sums = (parts.flatten(0, 1) @ forms).unflatten(1, parts.shape[:2])
    slack = (most @ slack).add_(sums[0, :, 2:].abs().sum(1)).add_(sums[1:, :, 1:].abs().sum((0, 2)))
    return torch.cat([sums[:, :, 0], sums[:1, :, 1]]), slack
