"""Gradients of fields near their surfaces, by finite differences, and a loss on them.

The look of a surface depends on its normals, which a loss on values hardly constrains: a ripple of a hundredth of a
unit is a small error of values and a rough surface. The gradient at a point is computed from the values at the corners
of a small simplex around it.
"""

import functools

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

RADIUS = 0.017  # of the simplices: a cell of a mesh at 128
NEAR = 0.5  # truncations from the surface within which the loss applies
# Outside this range of lengths a gradient is no normal: at creases, and where two fields meet.
SOUND = (0.5, 1.5)


@functools.cache
@torch.inference_mode(mode=False)  # cached inference tensors could not be used in training
def corner_directions(dims: int, device: torch.device) -> Float[Tensor, "corners dims"]:
    """Unit vectors to the corners of a regular simplex."""
    if dims == 2:
        return torch.tensor([[1.0, 0.0], [-0.5, 0.75**0.5], [-0.5, -(0.75**0.5)]], device=device)
    corners = [[1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]]
    return torch.tensor(corners, device=device) / 3**0.5


def simplices(centres: Float[Tensor, "fields centres dims"]) -> Float[Tensor, "fields corners dims"]:
    """Corners of a small simplex around each point, concatenated."""
    corners = RADIUS * corner_directions(centres.shape[-1], centres.device)
    return (centres[:, :, None] + corners).flatten(1, 2)


def gradients(values: Float[Tensor, "fields corners"], dims: int) -> Float[Tensor, "fields centres dims"]:
    """Gradients from values at the corners of `simplices`."""
    return (
        rearrange(values, "n (p c) -> n p c", c=dims + 1)
        @ corner_directions(dims, values.device)
        * (dims / (dims + 1) / RADIUS)
    )


def gradient_loss(
    distances: Float[Tensor, "fields corners"], targets: Float[Tensor, "fields corners"], dims: int, truncation: float
) -> Float[Tensor, "fields"]:
    """Mean distance of the gradients of decoded distances to the normals, the normalised gradients of the targets. It
    constrains directions and, as an eikonal term does, lengths."""
    own, true = gradients(distances, dims), gradients(targets, dims)
    length = true.norm(dim=-1, keepdim=True)
    height = rearrange(targets, "n (p c) -> n p c", c=dims + 1).mean(-1).abs()
    counts = (height < NEAR * truncation) & (length[..., 0] > SOUND[0]) & (length[..., 0] < SOUND[1])
    error = (own - true / length.clamp(min=SOUND[0])).norm(dim=-1)
    return (error * counts).sum(1) / counts.sum(1).clamp(min=1)
