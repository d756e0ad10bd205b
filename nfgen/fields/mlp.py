"""Fields: SDF MLPs evaluated from flat weights, one or many at once.

Dimension names used in annotations: `fields` (N), `weights` (P of a spec), `points`, `dims` (2 or 3).
"""

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from nfgen.errors import ConfigError
from nfgen.runtime.device import is_cpu

from .spec import FieldSpec, fan_bound

SINE_FREQUENCY = 30.0  # omega_0 of SIREN (Sitzmann et al. 2020, section 3.2)
CHUNK_NUMBERS = 1 << 17  # activations of a layer held at once in evaluation: 0.5 MB, two fit into a core's own cache
ACCELERATOR_CHUNK_NUMBERS = 1 << 26  # the same on an accelerator, 256 MB: small kernels leave it idle

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "relu2": lambda z: functional.relu(z).square(),
    "gelu": functional.gelu,
    "silu": functional.silu,
    "sine": lambda z: torch.sin(SINE_FREQUENCY * z),
}

LayerWeights = tuple[Float[Tensor, "fields outputs inputs"], Float[Tensor, "fields outputs"] | None]


def unflatten(spec: FieldSpec, weights: Float[Tensor, "fields weights"]) -> list[LayerWeights]:
    """Flat weights as (matrix, bias) of each layer; views, not copies.

    Raises:
        ConfigError: if the weights are not of this spec's size.
    """
    if weights.ndim != 2 or weights.shape[1] != spec.size:
        raise ConfigError(f"weights of shape {tuple(weights.shape)} do not fit a field of {spec.size} weights")
    return [
        (
            weights[:, s.start : s.bias_start].unflatten(1, (s.outputs, s.inputs)),
            weights[:, s.bias_start : s.end] if s.bias else None,
        )
        for s in spec.layers
    ]


def flatten(layers: list[LayerWeights]) -> Float[Tensor, "fields weights"]:
    """The inverse of `unflatten`."""
    parts = []
    for matrix, bias in layers:
        parts.append(rearrange(matrix, "n o i -> n (o i)"))
        if bias is not None:
            parts.append(bias)
    return torch.cat(parts, dim=1)


def neuron_rows(spec: FieldSpec, weights: Float[Tensor, "fields weights"]) -> list[Float[Tensor, "fields outputs row"]]:
    """For each layer its neurons as rows: incoming weights, then the bias where the layer has one."""
    return [
        matrix if bias is None else torch.cat([matrix, bias[..., None]], dim=-1)
        for matrix, bias in unflatten(spec, weights)
    ]


def from_neuron_rows(
    spec: FieldSpec, rows: list[Float[Tensor, "fields outputs row"]]
) -> Float[Tensor, "fields weights"]:
    """The inverse of `neuron_rows`."""
    return flatten(
        [
            (row[..., :-1], row[..., -1]) if layer.bias else (row, None)
            for layer, row in zip(spec.layers, rows, strict=True)
        ]
    )


def initial_weights(spec: FieldSpec, count: int, generator: torch.Generator) -> Float[Tensor, "fields weights"]:
    """Random initial weights, uniform as in `torch.nn.Linear`, or as in SIREN for the sine activation."""
    weights = torch.rand(count, spec.size, generator=generator) * 2 - 1
    for i, layer in enumerate(spec.layers):
        bound = fan_bound(layer)
        # What follows a layer says how large it should be; the output counts as one more layer of the last kind.
        if (*spec.activations, spec.activations[-1])[i] == "sine":
            bound = 1 / layer.inputs if i == 0 else math.sqrt(6 / layer.inputs) / SINE_FREQUENCY
        weights[:, layer.start : layer.end] *= bound
    if spec.output == "sdf":
        # Distances near a surface are of the order of a tenth of the coordinates.
        weights[:, spec.layers[-1].start :] *= 0.1
    return weights


def fourier_features(spec: FieldSpec, points: Float[Tensor, "*batch dims"]) -> Float[Tensor, "*batch features"]:
    """The inputs of the first layer: raw coordinates, then all sines, then all cosines, octave by octave."""
    octaves = math.pi * 2.0 ** torch.arange(spec.frequencies, dtype=points.dtype, device=points.device)
    angles = (points[..., None, :] * octaves[:, None]).flatten(-2)
    parts = [points] if spec.raw_coordinates else []
    return torch.cat([*parts, torch.sin(angles), torch.cos(angles)], dim=-1)


def evaluate(
    spec: FieldSpec, weights: Float[Tensor, "fields weights"], points: Float[Tensor, "*fields points dims"]
) -> Float[Tensor, "fields points"]:
    """The outputs of N fields, each at its own points [N, n, d] or all at the same points [n, d].

    Differentiable in weights and points. The output is what the spec says: a signed distance, or a logit.
    """
    return evaluate_features(spec, weights, fourier_features(spec, points))


def evaluate_features(
    spec: FieldSpec, weights: Float[Tensor, "fields weights"], features: Float[Tensor, "*fields points features"]
) -> Float[Tensor, "fields points"]:
    """`evaluate` from the Fourier features of the points, for a caller that needs them more than once."""
    (matrix, bias), *others = unflatten(spec, weights)
    if features.ndim == 2:
        # One large product instead of N small ones: the points are the same for all fields.
        hidden = rearrange(features @ rearrange(matrix, "n o i -> i (n o)"), "p (n o) -> n p o", n=len(weights))
        hidden = hidden if bias is None else hidden + bias[:, None]
    else:
        hidden = affine(features, matrix, bias)
    return finish(spec.activations, hidden, others)


def finish(
    activations: Sequence[str], hidden: Float[Tensor, "fields points neurons"], layers: list[LayerWeights]
) -> Float[Tensor, "fields points"]:
    """The outputs, from a hidden layer before its activation and the layers above it."""
    for activation, (matrix, bias) in zip(activations, layers, strict=True):
        hidden = affine(ACTIVATIONS[activation](hidden), matrix, bias)
    return hidden[..., 0]


def affine(
    inputs: Float[Tensor, "fields points inputs"],
    matrix: Float[Tensor, "fields outputs inputs"],
    bias: Float[Tensor, "fields outputs"] | None,
) -> Float[Tensor, "fields points outputs"]:
    """A layer of each field, before its activation."""
    if bias is None:
        return torch.bmm(inputs, matrix.mT)
    return torch.baddbmm(bias[:, None], inputs, matrix.mT)


@torch.inference_mode()
def evaluate_in_chunks(
    spec: FieldSpec, weights: Float[Tensor, "fields weights"], points: Float[Tensor, "*fields points dims"]
) -> Float[Tensor, "fields points"]:
    """`evaluate` without gradients and in bounded memory, whatever the number of fields and points."""
    count = points.shape[-2]
    values, numbers = weights.new_empty(len(weights), count), numbers_at_once(weights.device)
    points_at_once = max(1, min(count, numbers // max(spec.hidden)))
    fields_at_once = max(1, numbers // (max(spec.hidden) * points_at_once))
    for here in batches(count, points_at_once):
        # Sines and cosines cost a quarter of an evaluation: those of points that all fields share are taken once.
        shared = fourier_features(spec, points[here]) if points.ndim == 2 else None
        for fields in batches(len(weights), fields_at_once):
            features = fourier_features(spec, points[fields, here]) if shared is None else shared
            values[fields, here] = evaluate_features(spec, weights[fields], features)
    return values


@torch.inference_mode()
def evaluate_on_grid(
    spec: FieldSpec, weights: Float[Tensor, "fields weights"], axes: Sequence[Float[Tensor, "fields along"]]
) -> Float[Tensor, "fields points"]:
    """`evaluate_in_chunks` at every point of a grid for each field, which takes two thirds of the time.

    The first layer is a sum of functions of one coordinate each, so they are computed along the axes only.

    Args:
        axes: for each axis the coordinates on it, one row a field.

    Returns:
        The outputs, the point's first coordinate fastest and its last one slowest.
    """
    count = math.prod(axis.shape[1] for axis in axes)
    values = weights.new_empty(len(weights), count)
    at_once = max(1, numbers_at_once(weights.device) // max(spec.hidden))
    for here in batches(len(weights), max(1, at_once // count)):
        (matrix, bias), *others = unflatten(spec, weights[here])
        parts = [
            fourier_features(spec, axis[here, :, None]) @ matrix[..., i :: spec.dims].mT for i, axis in enumerate(axes)
        ]
        hidden = parts[-1] if bias is None else parts[-1] + bias[:, None]
        for part in reversed(parts[:-1]):
            hidden = (hidden[:, :, None] + part[:, None]).flatten(1, 2)
        for points in batches(count, at_once):
            values[here, points] = finish(spec.activations, hidden[:, points], others)
    return values


def numbers_at_once(device: torch.device) -> int:
    """Activations of a layer that an evaluation on a device holds at once."""
    return CHUNK_NUMBERS if is_cpu(device) else ACCELERATOR_CHUNK_NUMBERS


def inside(spec: FieldSpec, outputs: Tensor) -> Tensor:
    """Which outputs are inside the shape (for brightness: brighter than one half)."""
    return outputs < 0 if spec.output == "sdf" else outputs > 0


def batches(count: int, size: int) -> Iterator[slice]:
    """The slices of at most `size` that cover `count` rows."""
    return (slice(start, min(start + size, count)) for start in range(0, count, size))
