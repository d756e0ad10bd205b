"""The two networks of the VQ tokenizer: a probe encoder and a decoder.

Space [-1, 1]^d is cut into `side`^d equal cells. A token belongs to a cell, and both networks treat all cells alike and
look at their neighbours only: what was learned of a chair's leg in one corner holds in the others, and shapes never
seen are combinations of parts that were (the inductive bias of convolutional occupancy networks, Peng et al. 2020).

Dimension names: `fields`, `cells`, `channels`, `dims`, `probes`, `nodes` (of all cells), `width` (of a node's row).
"""

import itertools

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

NARROW = 64  # channels of what a cell tells its neighbours: 27 of them side by side are wide enough


def raster(side: int, dims: int) -> Int[Tensor, "cells dims"]:
    """Integer positions of the cells in token order: the last axis (up) slowest, from the ground; the first fastest."""
    positions = itertools.product(range(side), repeat=dims)
    return torch.tensor([position[::-1] for position in positions])


class Block(nn.Module):
    """A residual block: each cell hears its neighbours and its mirror image, then thinks for itself."""

    def __init__(self, side: int, dims: int, channels: int, *, mirror: bool) -> None:
        super().__init__()
        self.side, self.dims, self.mirror = side, dims, mirror
        self.mix_norm, self.think_norm = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.narrow = nn.Linear(channels, NARROW)
        self.gather = nn.Linear((3**dims + mirror) * NARROW, channels)
        self.think = nn.Sequential(nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels))

    def forward(self, cells: Float[Tensor, "fields cells channels"]) -> Float[Tensor, "fields cells channels"]:
        cells = cells + self.gather(self.neighbourhood(self.narrow(self.mix_norm(cells))))
        return cells + self.think(self.think_norm(cells))

    def neighbourhood(self, told: Float[Tensor, "fields cells narrow"]) -> Float[Tensor, "fields cells heard"]:
        """What the 3^d cells around each one tell, and what its mirror image does."""
        grid = told.unflatten(1, (self.side,) * self.dims)
        padded = functional.pad(grid, (0, 0) + (1, 1) * self.dims)
        heard = [
            padded[(slice(None), *(slice(step, step + self.side) for step in steps))]
            for steps in itertools.product(range(3), repeat=self.dims)
        ]
        # The first axis of space is the fastest of the raster, hence the last one of the grid.
        return torch.cat([*heard, *([grid.flip(self.dims)] if self.mirror else [])], dim=-1).flatten(1, self.dims)


class Encoder(nn.Module):
    """Base of the encoders: what they read of a field to one latent a cell.

    Attributes:
        dims, probes: of the fields, and of the grid along each axis at which training looks for their surfaces.
        read, blocks: the parts whose matrices Muon trains.
    """

    dims: int
    probes: int
    read: nn.Module
    blocks: nn.Module

    def probe_points(self) -> Float[Tensor, "probes dims"]:
        """Centres of the probes' own small cells, in raster order."""
        return (raster(self.probes, self.dims) + 0.5) / self.probes * 2 - 1


class ProbeEncoder(Encoder):
    """Values of a field at a regular grid of probes to one latent a cell.

    It sees what the field is worth, never its weights: neurons in another order give the same latents.
    """

    def __init__(
        self, side: int, dims: int, latent: int, channels: int, blocks: int, probes: int, *, mirror: bool
    ) -> None:
        super().__init__()
        self.side, self.dims, self.probes = side, dims, probes
        self.stride = probes // side
        self.read = nn.Linear((self.stride + 2) ** dims, channels)
        self.place = nn.Parameter(torch.randn(side**dims, channels) * 0.02)
        self.blocks = nn.Sequential(*(Block(side, dims, channels, mirror=mirror) for _ in range(blocks)))
        self.norm, self.write = nn.LayerNorm(channels), nn.Linear(channels, latent)

    def forward(self, values: Float[Tensor, "fields probes"]) -> Float[Tensor, "fields cells latent"]:
        """Latents of values in [-1, 1], positive outside."""
        grid = functional.pad(values.unflatten(1, (self.probes,) * self.dims), (1, 1) * self.dims, value=1.0)
        for axis in range(1, self.dims + 1):
            grid = grid.unfold(axis, self.stride + 2, self.stride)
        patches = grid.flatten(self.dims + 1).flatten(1, self.dims)
        return self.write(self.norm(self.blocks(self.read(patches) + self.place)))


class Decoder(nn.Module):
    """Latents of the cells to one row of weights for each node in them."""

    def __init__(
        self, side: int, dims: int, latent: int, channels: int, blocks: int, nodes: int, width: int, *, mirror: bool
    ) -> None:
        super().__init__()
        self.width = width
        self.read = nn.Linear(latent, channels)
        self.place = nn.Parameter(torch.randn(side**dims, channels) * 0.02)
        self.blocks = nn.Sequential(*(Block(side, dims, channels, mirror=mirror) for _ in range(blocks)))
        self.norm, self.write = nn.LayerNorm(channels), nn.Linear(channels, nodes * width)
        nn.init.normal_(self.write.weight, std=0.05)

    def forward(self, latents: Float[Tensor, "fields cells latent"]) -> Float[Tensor, "fields nodes width"]:
        cells = self.write(self.norm(self.blocks(self.read(latents) + self.place)))
        return rearrange(cells, "n c (k w) -> n (c k) w", w=self.width)


def node_positions(side: int, per_cell: int, dims: int) -> Int[Tensor, "nodes dims"]:
    """Integer positions of the nodes, `per_cell` along each axis of a cell, cell after cell as `Decoder` gives them."""
    return (raster(side, dims)[:, None] * per_cell + raster(per_cell, dims)).flatten(0, 1)
