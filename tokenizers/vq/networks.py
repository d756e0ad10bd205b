"""The two networks of the VQ tokenizer: a probe encoder and a decoder, and what encoders have in common.

The box of a shape is cut into equal cells. Where shapes are mostly symmetric, a cell and its mirror image are one: what
they share is said once, and their difference takes what is left of the token. Both networks treat all cells alike and
look at their neighbours only: what was learned of a chair's leg in one corner holds in the others, and shapes never
seen are combinations of parts that were (the inductive bias of convolutional occupancy networks, Peng et al. 2020).

Dimension names: `fields`, `cells`, `channels`, `dims`, `probes`, `nodes` (of all cells), `width` (of a node's row).
"""

import functools
import math
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from nfgen.tokens.vocabulary import digits, place_values

NARROW = 64  # channels of what a cell tells its neighbours: 27 of them side by side are wide enough


def raster(counts: tuple[int, ...]) -> Int[Tensor, "cells dims"]:
    """Integer positions of a grid in token order: the last axis (up) slowest, from the ground; the first fastest."""
    return digits(torch.arange(math.prod(counts)), counts)


@functools.cache
@torch.inference_mode(mode=False)  # or what is kept could not be trained on later
def centres(counts: tuple[int, ...]) -> Float[Tensor, "cells dims"]:
    """Centres of the cells of a grid over [-1, 1]^d, in raster order; kept, since every field asks for them."""
    return (raster(counts) + 0.5) / torch.tensor(counts) * 2 - 1


@dataclass(frozen=True)
class Cells:
    """How a box is cut.

    Attributes:
        counts: cells along each axis; if mirrored, along the first axis from the middle outwards.
        mirror: whether a cell and its mirror image along the first axis are one.
    """

    counts: tuple[int, ...]
    mirror: bool

    @property
    def number(self) -> int:
        """Cells, hence places of tokens."""
        return math.prod(self.counts)

    @property
    def sides(self) -> int:
        """Parts of space that are one cell."""
        return 1 + self.mirror

    def across(self, per_cell: int) -> tuple[int, ...]:
        """Along each axis of the whole box, how many points there are if a cell has `per_cell` along each."""
        return tuple(count * per_cell * (self.sides if axis == 0 else 1) for axis, count in enumerate(self.counts))

    def nodes(self, per_cell: int) -> Int[Tensor, "nodes dims"]:
        """Integer positions in the whole box, cell after cell, the far side of each after its near side."""
        own = (raster(self.counts)[:, None] * per_cell + raster((per_cell,) * len(self.counts))).unflatten(1, (1, -1))
        if not self.mirror:
            return own.flatten(0, 2)
        middle = self.counts[0] * per_cell
        far, near = own.clone(), own.clone()
        near[..., 0], far[..., 0] = middle + own[..., 0], middle - 1 - own[..., 0]
        return torch.cat([near, far], dim=1).flatten(0, 2)


@functools.cache
@torch.inference_mode(mode=False)  # as above
def neighbours(cells: Cells) -> Int[Tensor, "around"]:
    """For each cell the places of the 3^d cells around it, itself among them, one after the other; beyond the mirror a
    cell meets itself, and what lies outside the box is at the place after the last cell."""
    around = raster(cells.counts)[:, None] + raster((3,) * len(cells.counts)) - 1
    if cells.mirror:
        around[..., 0].clamp_(min=0)
    within = ((around >= 0) & (around < torch.tensor(cells.counts))).all(-1)
    return torch.where(within, (around * place_values(cells.counts)).sum(-1), cells.number).flatten()


class Block(nn.Module):
    """A residual block: each cell hears its neighbours, then thinks for itself."""

    def __init__(self, cells: Cells, channels: int) -> None:
        super().__init__()
        self.cells = cells
        self.mix_norm, self.think_norm = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.narrow = nn.Linear(channels, NARROW)
        self.gather = nn.Linear(3 ** len(cells.counts) * NARROW, channels)
        self.think = nn.Sequential(nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels))

    def forward(self, cells: Float[Tensor, "fields cells channels"]) -> Float[Tensor, "fields cells channels"]:
        cells = cells + self.gather(self.neighbourhood(self.narrow(self.mix_norm(cells))))
        return cells + self.think(self.think_norm(cells))

    def neighbourhood(self, told: Float[Tensor, "fields cells narrow"]) -> Float[Tensor, "fields cells heard"]:
        """What the 3^d cells around each one tell; there is silence outside the box."""
        everything = functional.pad(told, (0, 0, 0, 1))
        return everything.index_select(1, neighbours(self.cells)).unflatten(1, (self.cells.number, -1)).flatten(2)


class Encoder(nn.Module):
    """Base of the encoders: what they read of a field, and the numbers of its box, to one latent a cell.

    Attributes:
        read, blocks: the parts whose matrices Muon trains.
    """

    read: nn.Module
    blocks: nn.Module

    def __init__(self, cells: Cells, per_cell: int) -> None:
        super().__init__()
        self.cells, self.stride = cells, per_cell

    @property
    def probe_counts(self) -> tuple[int, ...]:
        """How many probes there are along each axis of the box: they stand in the middle of equal small cells."""
        return self.cells.across(self.stride)


class ProbeEncoder(Encoder):
    """Values of a field at a regular grid of probes in its box to one latent a cell.

    It sees what the field is worth, never its weights: neurons in another order give the same latents.
    """

    def __init__(self, cells: Cells, latent: int, channels: int, blocks: int, per_cell: int) -> None:
        super().__init__(cells, per_cell)
        dims = len(cells.counts)
        self.read = nn.Linear(cells.sides * (per_cell + 2) ** dims, channels)
        self.read_box = nn.Linear(2 * dims, channels)
        self.place = nn.Parameter(nn.init.normal_(torch.empty(cells.number, channels), std=0.02))
        self.blocks = nn.Sequential(*(Block(cells, channels) for _ in range(blocks)))
        self.norm, self.write = nn.LayerNorm(channels), nn.Linear(channels, latent)

    def forward(
        self, values: Float[Tensor, "fields probes"], box: Float[Tensor, "fields numbers"]
    ) -> Float[Tensor, "fields cells latent"]:
        """Latents of values in [-1, 1], positive outside, and of the numbers of the box."""
        read = self.read(self.patches(values)) + self.read_box(box)[:, None] + self.place
        return self.write(self.norm(self.blocks(read)))

    def patches(self, values: Float[Tensor, "fields probes"]) -> Float[Tensor, "fields cells patch"]:
        """The probes of each cell and those around it; of its mirror image, too, as in a mirror."""
        dims = len(self.cells.counts)
        grid = functional.pad(values.unflatten(1, self.cells.across(self.stride)[::-1]), (1, 1) * dims, value=1.0)
        for axis in range(1, dims + 1):
            grid = grid.unfold(axis, self.stride + 2, self.stride)
        if self.cells.mirror:
            far, near = grid.chunk(2, dim=dims)
            grid = torch.stack([near, far.flip(dims, -1)], dim=-1)
        return grid.flatten(dims + 1).flatten(1, dims)


class Decoder(nn.Module):
    """Latents of the cells to one row of weights for each node in them."""

    def __init__(self, cells: Cells, latent: int, channels: int, blocks: int, nodes: int, width: int) -> None:
        super().__init__()
        self.cells, self.width = cells, width
        self.read, self.read_box = nn.Linear(latent, channels), nn.Linear(2 * len(cells.counts), channels)
        self.place = nn.Parameter(nn.init.normal_(torch.empty(cells.number, channels), std=0.02))
        self.blocks = nn.Sequential(*(Block(cells, channels) for _ in range(blocks)))
        self.norm, self.write = nn.LayerNorm(channels), nn.Linear(channels, cells.sides * nodes * width)
        nn.init.normal_(self.write.weight, std=0.05)

    def forward(
        self, latents: Float[Tensor, "fields cells latent"], box: Float[Tensor, "fields numbers"]
    ) -> Float[Tensor, "fields nodes width"]:
        cells = self.blocks(self.read(latents) + self.read_box(box)[:, None] + self.place)
        rows = rearrange(self.write(self.norm(cells)), "n c (s k w) -> n c s k w", s=self.cells.sides, w=self.width)
        if self.cells.mirror:
            shared, difference = rows.unbind(2)
            rows = torch.stack([shared + difference, shared - difference], dim=2)
        return rows.flatten(1, 3)
