"""Movements that a field's weights can follow exactly: mirroring the first axis, and shifts.

A warp of space changes what a field is worth, and in general no weights of the same architecture are worth that. Of
Fourier features, however, a mirrored coordinate only flips the sines, and a shifted one mixes the sine and the cosine
of each octave: both are linear, hence fold into the first layer. So whoever reads weights can be given new shapes, too.
"""

import math
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from nfgen.fields.mlp import flatten, unflatten
from nfgen.fields.spec import FieldSpec
from nfgen.tokenizers.vq.warps import SHIFT, Warp


def movements(count: int, dims: int, generator: torch.Generator, *, strength: float, mirror: bool) -> Warp:
    """Random warps that only shift, and mirror if asked."""
    still = Warp.random(count, dims, generator, strength=0.0, mirror=mirror)
    shift = (torch.rand(count, 1, dims, generator=generator) * 2 - 1) * SHIFT * strength
    return replace(still, shift=shift)


def moved(
    spec: FieldSpec, weights: Float[Tensor, "fields weights"], movement: Warp | None
) -> Float[Tensor, "fields weights"]:
    """Weights of the fields `field(movement(points))`, for a movement of `movements`."""
    if movement is None:
        return weights
    (matrix, bias), *rest = unflatten(spec, weights)
    shift = movement.shift[:, 0].to(weights)
    sign = torch.ones_like(shift)
    sign[:, :1] = movement.sign.to(weights)
    raw, sines, cosines = matrix.split(
        [spec.dims * spec.raw_coordinates, spec.dims * spec.frequencies, spec.dims * spec.frequencies], dim=2
    )
    parts = []
    if spec.raw_coordinates:
        bias = None if bias is None else bias + torch.einsum("noi,ni->no", raw, shift)
        parts.append(raw * sign[:, None])
    if spec.frequencies:
        octaves = math.pi * 2.0 ** torch.arange(spec.frequencies).to(weights)
        angle = (octaves[:, None] * shift[:, None]).flatten(1)[:, None]
        flip = sign.repeat(1, spec.frequencies)[:, None]
        # sin(a + b) and cos(a + b), where a turns round with the sign and b is the shift's angle.
        parts.append(flip * (sines * angle.cos() - cosines * angle.sin()))
        parts.append(sines * angle.sin() + cosines * angle.cos())
    return flatten([(torch.cat(parts, dim=2), bias), *rest])
