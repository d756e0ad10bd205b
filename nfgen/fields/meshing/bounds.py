"""Proven bounds of fields over boxes: affine arithmetic in the coordinates, with one term of error a neuron.

In a box with centre m and half-widths r, x = m + r u with u in [-1, 1]^d, every neuron is held as

    centre + slopes · u + error,    |error| <= slack

and so is the output. An activation is replaced by a line over the interval that its input can reach, with the largest
distance from it as new error (affine arithmetic, as in Sharp and Jacobson 2022, "Spelunking the Deep"). On the way
forward the errors of a layer are added up with the absolute values of the weights, which is loose; how much each error
can move the output is then found by going backward with the slopes of the lines, as in CROWN (Zhang et al. 2018). So
the slack of a smooth field falls faster than with the square of the box, and that of a ReLU field is zero where no
neuron has its kink.

Dimension names: n fields, b boxes of each, d coordinates, o neurons.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from nfgen.fields.mlp import ACTIVATIONS, SINE_FREQUENCY, LayerWeights, unflatten
from nfgen.fields.spec import Activation, FieldSpec

MONOTONE = ("relu", "relu2")
ROUNDING = 1e-5  # of the numbers in a bound: a hundred times what float32 sums of a few hundred terms lose


class Bounds(NamedTuple):
    """Output of each field in each box: centre + slopes · u, give or take slack, for u in [-1, 1]^d."""

    centre: Float[Tensor, "fields boxes"]
    slopes: Float[Tensor, "fields boxes dims"]
    slack: Float[Tensor, "fields boxes"]

    @property
    def reach(self) -> Float[Tensor, "fields boxes"]:
        """Largest distance of an output from the centre's."""
        return self.slopes.abs().sum(-1) + self.slack


class Line(NamedTuple):
    """An activation over an interval about z: value + slope (x - z), give or take error."""

    value: Tensor
    slope: Tensor
    error: Tensor


class HiddenLayer(NamedTuple):
    """What bounding knows of a hidden layer."""

    low: Float[Tensor, "fields boxes neurons"]
    """Least input of each neuron's activation."""
    high: Float[Tensor, "fields boxes neurons"]
    line: Line
    forms: Float[Tensor, "fields dims_and_one boxes neurons"]
    """Centres, then slopes, after the activation."""


def bound_field(
    spec: FieldSpec,
    weights: Float[Tensor, "fields weights"],
    centres: Float[Tensor, "fields boxes dims"],
    radius: Float[Tensor, "dims"],
) -> Bounds:
    """Bounds of the values of N fields in boxes, all of half-widths `radius`.

    Of weights so large that a number overflows, the bounds are not finite.
    """
    return bound_layers(spec.activations, unflatten(spec, weights), *_features(spec, centres, radius))


def bound_layers(
    activations: Sequence[Activation],
    layers: list[LayerWeights],
    forms: Float[Tensor, "fields dims_and_one boxes inputs"],
    slack: Float[Tensor, "fields boxes inputs"],
) -> Bounds:
    """Bounds of what layers can make of inputs that are bounded themselves: by centres, then slopes, and slack."""
    boxes = forms.shape[2]
    errors, slopes = [slack], []
    for hidden in _hidden_layers(activations, layers, forms, slack):
        errors.append(hidden.line.error)
        slopes.append(hidden.line.slope)
        forms = hidden.forms
    matrix, bias = layers[-1]
    form = (forms @ matrix[:, None, 0, :, None])[..., 0]
    influence = matrix[:, :1].expand(-1, boxes, -1)
    slack = (influence.abs() * errors[-1]).sum(-1)
    for i in reversed(range(len(slopes))):
        influence = torch.bmm(influence * slopes[i], layers[i][0])
        slack += (influence.abs() * errors[i]).sum(-1)
    size = form.abs().sum(1) + matrix.abs().sum((1, 2))[:, None]
    centre = form[:, 0] if bias is None else form[:, 0] + bias
    return Bounds(centre, form[:, 1:].movedim(1, -1), slack.add_(size, alpha=ROUNDING))


def hidden_ranges(
    spec: FieldSpec,
    weights: Float[Tensor, "fields weights"],
    centres: Float[Tensor, "fields boxes dims"],
    radius: Float[Tensor, "dims"],
) -> list[tuple[Float[Tensor, "fields boxes neurons"], Float[Tensor, "fields boxes neurons"]]]:
    """For each hidden layer the least and the largest input that its activations can have in each box."""
    layers = _hidden_layers(spec.activations, unflatten(spec, weights), *_features(spec, centres, radius))
    return [(layer.low, layer.high) for layer in layers]


def _hidden_layers(
    activations: Sequence[Activation], layers: list[LayerWeights], forms: Tensor, slack: Tensor
) -> Iterator[HiddenLayer]:
    below: tuple[Tensor, Tensor] | None = None
    for activation, (matrix, bias) in zip(activations, layers, strict=False):
        forms = torch.bmm(forms.flatten(1, 2), matrix.mT).unflatten(1, forms.shape[1:3])
        if bias is not None:
            forms[:, 0] += bias[:, None]
        centre = forms[:, 0]
        slack = torch.bmm(slack, matrix.abs().mT)
        width = forms[:, 1:].abs().sum(1).add_(slack)
        width.add_(centre.abs().add_(width), alpha=ROUNDING)
        low, high = centre - width, centre + width
        if below is not None:
            # What the ends of the last layer's intervals allow; of monotone functions in a row it is the better bound.
            least, most = _interval(matrix, bias, *below)
            low, high = torch.maximum(low, least), torch.minimum(high, most)
            # Rounding may have put one past the other.
            middle, width = (low + high) / 2, ((high - low) / 2).clamp_(min=0)
        else:
            middle = centre.clone()
        below = None
        if activation in MONOTONE:
            below = ACTIVATIONS[activation](low), ACTIVATIONS[activation](high)
        line = LINES[activation](middle, width)
        forms[:, 1:] *= line.slope[:, None]
        forms[:, 0] = torch.addcmul(line.value, line.slope, centre.sub_(middle))
        slack = slack.mul_(line.slope.abs()).add_(line.error)
        yield HiddenLayer(low, high, line, forms)


def _interval(matrix: Tensor, bias: Tensor | None, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """What a layer's sums can be if its inputs lie between low and high."""
    middle, half = (low + high) / 2, (high - low) / 2
    centre, width = torch.bmm(middle, matrix.mT), torch.bmm(half, matrix.abs().mT)
    width.add_(torch.bmm(middle.abs_().add_(half), matrix.abs().mT), alpha=ROUNDING)
    if bias is not None:
        centre += bias[:, None]
        width.add_(bias.abs()[:, None], alpha=ROUNDING)
    return centre - width, centre + width


def _features(spec: FieldSpec, centres: Tensor, radius: Tensor) -> tuple[Tensor, Tensor]:
    """Forms [n, 1 + d, b, i] and slack [n, b, i] of the Fourier features, in the order of `fourier_features`."""
    fields, boxes, dims = centres.shape
    forms, slacks = [], []
    diagonal = torch.eye(dims)[:, None]
    if spec.raw_coordinates:
        slopes = (diagonal * radius).expand(fields, -1, boxes, -1)
        forms.append(torch.cat([centres[:, None], slopes], 1))
        slacks.append(torch.zeros_like(centres))
    for phase in (0.0, math.pi / 2):
        for octave in range(spec.frequencies):
            frequency = math.pi * 2.0**octave
            line = _sine(frequency * centres + phase, (frequency * radius).expand_as(centres))
            slopes = diagonal * (line.slope * (frequency * radius))[:, None]
            forms.append(torch.cat([line.value[:, None], slopes], 1))
            slacks.append(line.error)
    return torch.cat(forms, -1), torch.cat(slacks, -1)


def _curved(value: Tensor, slope: Tensor, width: Tensor, low: Tensor, high: Tensor) -> Line:
    """The tangent, moved: if the second derivative lies in [low, high], the rest of Taylor's series lies between
    min(low, 0) and max(high, 0) times width^2 / 2, and the line goes through the middle of that."""
    quarter = width.square().mul_(0.25)
    low, high = low.clamp(max=0), high.clamp(min=0)
    return Line(torch.addcmul(value, low + high, quarter), slope, (high - low).mul_(quarter))


def _sine(z: Tensor, width: Tensor) -> Line:
    sine, cosine = torch.sin(z), torch.cos(z)
    # The second derivative, -sin, lies in [-1, 1] and changes by at most the width.
    tangent = _curved(sine, cosine, width, (-sine - width).clamp(-1, 1), (-sine + width).clamp(-1, 1))
    low, high = (sine - width).clamp(min=-1), (sine + width).clamp(max=1)
    flat = Line((low + high) / 2, torch.zeros_like(z), (high - low) / 2)
    return _better(tangent, flat)


def _siren(z: Tensor, width: Tensor) -> Line:
    line = _sine(SINE_FREQUENCY * z, SINE_FREQUENCY * width)
    return line._replace(slope=SINE_FREQUENCY * line.slope)


def _relu(z: Tensor, width: Tensor) -> Line:
    low, high = (z - width).clamp_(max=0), (z + width).clamp_(min=0)
    slope = high.div_((high - low).clamp_(min=1e-30))
    # Half way between the chord and the kink; exact where the sign is certain.
    error = low.mul_(slope).mul_(-0.5)
    return Line(torch.addcmul(error, slope, z), slope, error)


def _relu2(z: Tensor, width: Tensor) -> Line:
    """Half way between the chord and the tangent of its slope: the function is convex."""
    low, high = (z - width).clamp_(min=0), (z + width).clamp_(min=0)
    slope = torch.where(low > 0, low + high, high.square() / (width - z).add_(high).clamp_(min=1e-30))
    error = (slope * (z - width - slope / 4)).neg_().add_(low.square()).mul_(0.5)
    return Line(low.square().addcmul_(slope, width).sub_(error), slope, error)


def _gelu(z: Tensor, width: Tensor) -> Line:
    bell = torch.exp(z.square().mul_(-0.5)).mul_(1 / math.sqrt(2 * math.pi))
    below = torch.erf(z * math.sqrt(0.5)).add_(1).mul_(0.5)

    def curvature(x: Tensor) -> Tensor:
        square = x.square()
        return torch.exp(square * -0.5).mul_(1 / math.sqrt(2 * math.pi)).mul_(2 - square)

    return _humped(z, width, z * below, torch.addcmul(below, z, bell), curvature, least=2.0, depth=0.17)


def _silu(z: Tensor, width: Tensor) -> Line:
    sigmoid = torch.sigmoid(z)

    def curvature(x: Tensor) -> Tensor:
        s = torch.sigmoid(x)
        return s * (1 - s) * (2 + x * (1 - 2 * s))

    return _humped(z, width, z * sigmoid, sigmoid * (1 + z * (1 - sigmoid)), curvature, least=3.4358, depth=0.2785)


def _humped(
    z: Tensor,
    width: Tensor,
    value: Tensor,
    slope: Tensor,
    curvature: Callable[[Tensor], Tensor],
    least: float,
    depth: float,
) -> Line:
    """A function between ReLU and ReLU - depth, whose second derivative is even, falls from 0 to `least`, where it is
    negative, and rises towards 0 then."""
    size = z.abs()
    nearest, farthest = (size - width).clamp_(min=0), (size + width).clamp_(max=least)
    high, low = curvature(nearest), curvature(torch.maximum(nearest, farthest))
    tangent, chord = _curved(value, slope, width, low, high), _relu(z, width)
    return _better(tangent, Line(chord.value.sub_(depth / 2), chord.slope, chord.error.add_(depth / 2)))


def _better(line: Line, other: Line) -> Line:
    """In each place the line of smaller error."""
    choice = line.error <= other.error
    return Line(*(torch.where(choice, a, b) for a, b in zip(line, other, strict=True)))


LINES: dict[str, Callable[[Tensor, Tensor], Line]] = {
    "relu": _relu,
    "relu2": _relu2,
    "gelu": _gelu,
    "silu": _silu,
    "sine": _siren,
}
