"""Gradients of fields near their surfaces, by differences, and a loss that asks for the right ones.

Surfaces look as their normals do, and values alone hardly say them: a ripple of a hundredth of a unit is a small error
and a rough surface. The gradient at a place is found from the values at the corners of a small simplex about it.
"""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

RADIUS = 0.017  # of the simplices: a cell of a mesh at 128
CORNERS = {
    2: torch.tensor([[1.0, 0.0], [-0.5, 0.75**0.5], [-0.5, -(0.75**0.5)]]),
    3: torch.tensor([[1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]]) / 3**0.5,
}
"""Unit vectors to the corners of a regular simplex."""
NEAR = 0.5  # truncations from the surface within which gradients are asked for
SOUND = (
    0.5,
    1.5,
)  # lengths of a gradient between which its direction is trusted: not so at creases, and between two fields


def simplices(centres: Float[Tensor, "fields places dims"]) -> Float[Tensor, "fields corners dims"]:
    """The corners of a small simplex about each place, one place after the other."""
    return (centres[:, :, None] + RADIUS * CORNERS[centres.shape[-1]]).flatten(1, 2)


def gradients(values: Float[Tensor, "fields corners"], dims: int) -> Float[Tensor, "fields places dims"]:
    """Gradients from values at the corners of `simplices`."""
    return rearrange(values, "n (p c) -> n p c", c=dims + 1) @ CORNERS[dims] * (dims / (dims + 1) / RADIUS)


def gradient_loss(
    distances: Float[Tensor, "fields corners"], targets: Float[Tensor, "fields corners"], dims: int, truncation: float
) -> Float[Tensor, "fields"]:
    """How far the gradients of decoded distances are from the normals: unit vectors along the gradients of the original
    ones. So it asks for directions and, as an eikonal term does, for lengths of one."""
    own, true = gradients(distances, dims), gradients(targets, dims)
    length = true.norm(dim=-1, keepdim=True)
    height = rearrange(targets, "n (p c) -> n p c", c=dims + 1).mean(-1).abs()
    counts = (height < NEAR * truncation) & (length[..., 0] > SOUND[0]) & (length[..., 0] < SOUND[1])
    error = (own - true / length.clamp(min=SOUND[0])).norm(dim=-1)
    return (error * counts).sum(1) / counts.sum(1).clamp(min=1)
