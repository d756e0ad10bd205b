"""Blocks of a regular grid over [-1, 1]^3, by their places."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def all_places(along: int) -> Int[Tensor, "all 3"]:
    """The places in a grid, given the number along each axis, in raster order."""
    line = torch.arange(along)
    return torch.cartesian_prod(line, line, line)


def raster(places: Int[Tensor, "some 3"], along: int) -> Int[Tensor, "some"]:
    """Where places stand in raster order."""
    return (places[:, 0] * along + places[:, 1]) * along + places[:, 2]


def cubes(places: Int[Tensor, "boxes 3"], width: float) -> tuple[Float[Tensor, "boxes 3"], Float[Tensor, "3"]]:
    """Centres and half-widths of the cubes of a grid that begins at (-1, -1, -1)."""
    return (places + 0.5) * width - 1, torch.full((3,), width / 2)
