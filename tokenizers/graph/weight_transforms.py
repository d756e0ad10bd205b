"""Transforms of space that can be applied to a field's weights exactly: mirroring the first axis, and shifts.

In general no weights of the same architecture represent a warped field. But with Fourier features, a mirrored
coordinate only flips the signs of the sines, and a shift mixes the sine and the cosine of each octave. Both are linear
and fold into the first layer. So encoders of weights can be trained on new shapes, too.
"""

import math
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from nfgen.fields.mlp import flatten, unflatten
from nfgen.fields.spec import FieldSpec
from nfgen.tokenizers.vq.warps import SHIFT, Warp


def sample_transforms(count: int, dims: int, generator: torch.Generator, *, strength: float, mirror: bool) -> Warp:
    """Random shifts, mirrored at random if `mirror`."""
    still = Warp.random(count, dims, generator, strength=0.0, mirror=mirror)
    shift = (torch.rand(count, 1, dims, generator=generator) * 2 - 1) * SHIFT * strength
    return replace(still, shift=shift)


def transform_weights(
    spec: FieldSpec, weights: Float[Tensor, "fields weights"], transform: Warp | None
) -> Float[Tensor, "fields weights"]:
    """Weights of the fields `field(transform(points))`, for a transform of `sample_transforms`."""
    if transform is None:
        return weights
    (matrix, bias), *rest = unflatten(spec, weights)
    shift = transform.shift[:, 0].to(weights)
    sign = torch.ones_like(shift)
    sign[:, :1] = transform.sign.to(weights)
    raw, sines, cosines = matrix.split(
        [spec.dims * spec.raw_coordinates, spec.dims * spec.frequencies, spec.dims * spec.frequencies], dim=2
    )
    parts = []
    if spec.raw_coordinates:
        bias = None if bias is None else bias + torch.einsum("noi,ni->no", raw, shift)
        parts.append(raw * sign[:, None])
    if spec.frequencies:
        octaves = math.pi * 2.0 ** torch.arange(spec.frequencies, device=weights.device).to(weights)
        angle = (octaves[:, None] * shift[:, None]).flatten(1)[:, None]
        flip = sign.repeat(1, spec.frequencies)[:, None]
        # sin(a + b) and cos(a + b), where the sign flips a, and b is the angle of the shift.
        parts.append(flip * (sines * angle.cos() - cosines * angle.sin()))
        parts.append(sines * angle.sin() + cosines * angle.cos())
    return flatten([(torch.cat(parts, dim=2), bias), *rest])
