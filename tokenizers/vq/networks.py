"""The two networks of the VQ tokenizer: a probe encoder and a decoder, and what encoders have in common.

The box of a shape is divided into equal cells. Where most shapes are symmetric, a cell and its mirror image share their
tokens. Both networks share weights between cells and combine each cell with its neighbours only, as convolutions do:
what is learned about a chair's leg in one corner holds in the others, and unseen shapes are combinations of seen parts
(the inductive bias of convolutional occupancy networks, Peng et al. 2020).

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

from nfgen.runtime.device import CPU
from nfgen.tokens.vocabulary import digits, place_values

MESSAGE_CHANNELS = 64  # of a cell's message to its neighbours; in 3-D, 27 messages are concatenated


def raster(counts: tuple[int, ...], device: torch.device = CPU) -> Int[Tensor, "cells dims"]:
    """Integer positions of a grid in token order: the last axis (up) slowest, from the ground; the first fastest."""
    return digits(torch.arange(math.prod(counts), device=device), counts)


@functools.cache
@torch.inference_mode(mode=False)  # cached inference tensors could not be used in training
def centres(counts: tuple[int, ...], device: torch.device) -> Float[Tensor, "cells dims"]:
    """Centres of the cells of a grid over [-1, 1]^d, in raster order; cached, as every field needs them."""
    return (raster(counts, device) + 0.5) / torch.tensor(counts, device=device) * 2 - 1


@dataclass(frozen=True)
class Cells:
    """Division of a box into cells.

    Attributes:
        counts: cells along each axis; if mirrored, along the first axis from the middle outwards.
        mirror: whether a cell and its mirror image along the first axis are one.
    """

    counts: tuple[int, ...]
    mirror: bool

    @property
    def number(self) -> int:
        """Number of cells."""
        return math.prod(self.counts)

    @property
    def sides(self) -> int:
        """Regions of the box that a cell stands for: two if mirrored."""
        return 1 + self.mirror

    def across(self, per_cell: int) -> tuple[int, ...]:
        """Points along each axis of the whole box, if a cell has `per_cell` along each."""
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
@torch.inference_mode(mode=False)  # as for `centres`
def neighbours(cells: Cells, device: torch.device) -> Int[Tensor, "around"]:
    """Indices of the 3^d cells around each cell, including itself; concatenated. Beyond the mirror plane lies the cell
    itself. Outside the box, the index is that after the last cell."""
    around = raster(cells.counts, device)[:, None] + raster((3,) * len(cells.counts), device) - 1
    if cells.mirror:
        around[..., 0].clamp_(min=0)
    within = ((around >= 0) & (around < torch.tensor(cells.counts, device=device))).all(-1)
    return torch.where(within, (around * place_values(cells.counts, device)).sum(-1), cells.number).flatten()


class Block(nn.Module):
    """A residual block: messages from neighbouring cells, then an MLP on each cell."""

    def __init__(self, cells: Cells, channels: int) -> None:
        super().__init__()
        self.cells = cells
        self.mix_norm, self.mlp_norm = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.message_proj = nn.Linear(channels, MESSAGE_CHANNELS)
        self.gather = nn.Linear(3 ** len(cells.counts) * MESSAGE_CHANNELS, channels)
        self.mlp = nn.Sequential(nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels))

    def forward(self, cells: Float[Tensor, "fields cells channels"]) -> Float[Tensor, "fields cells channels"]:
        cells = cells + self.gather(self.neighbourhood(self.message_proj(self.mix_norm(cells))))
        return cells + self.mlp(self.mlp_norm(cells))

    def neighbourhood(self, messages: Float[Tensor, "fields cells message"]) -> Float[Tensor, "fields cells gathered"]:
        """Messages of the 3^d cells around each one, concatenated; zero padding outside the box."""
        padded = functional.pad(messages, (0, 0, 0, 1))
        return (
            padded.index_select(1, neighbours(self.cells, messages.device))
            .unflatten(1, (self.cells.number, -1))
            .flatten(2)
        )


class Encoder(nn.Module):
    """Base of the encoders: their input of a field, and the numbers of its box, to one latent a cell.

    Attributes:
        in_proj, blocks: the parts whose matrices Muon trains.
    """

    in_proj: nn.Module
    blocks: nn.Module

    def __init__(self, cells: Cells, per_cell: int) -> None:
        super().__init__()
        self.cells, self.stride = cells, per_cell

    @property
    def probe_counts(self) -> tuple[int, ...]:
        """Probes along each axis of the box; they are the centres of a regular grid."""
        return self.cells.across(self.stride)


class ProbeEncoder(Encoder):
    """Values of a field at a regular grid of probes in its box to one latent a cell.

    It depends on the values of the field, not on its weights: permuted neurons give the same latents.
    """

    def __init__(self, cells: Cells, latent: int, channels: int, blocks: int, per_cell: int) -> None:
        super().__init__(cells, per_cell)
        dims = len(cells.counts)
        self.in_proj = nn.Linear(cells.sides * (per_cell + 2) ** dims, channels)
        self.box_proj = nn.Linear(2 * dims, channels)
        self.position_embedding = nn.Parameter(nn.init.normal_(torch.empty(cells.number, channels), std=0.02))
        self.blocks = nn.Sequential(*(Block(cells, channels) for _ in range(blocks)))
        self.norm, self.out_proj = nn.LayerNorm(channels), nn.Linear(channels, latent)

    def forward(
        self, values: Float[Tensor, "fields probes"], box: Float[Tensor, "fields numbers"]
    ) -> Float[Tensor, "fields cells latent"]:
        """Latents of values in [-1, 1], positive outside, and of the numbers of the box."""
        cells = self.in_proj(self.patches(values)) + self.box_proj(box)[:, None] + self.position_embedding
        return self.out_proj(self.norm(self.blocks(cells)))

    def patches(self, values: Float[Tensor, "fields probes"]) -> Float[Tensor, "fields cells patch"]:
        """Probes of each cell and one layer around it; then those of its mirror image, mirrored."""
        dims = len(self.cells.counts)
        grid = functional.pad(values.unflatten(1, self.cells.across(self.stride)[::-1]), (1, 1) * dims, value=1.0)
        for axis in range(1, dims + 1):
            grid = grid.unfold(axis, self.stride + 2, self.stride)
        if self.cells.mirror:
            far, near = grid.chunk(2, dim=dims)
            grid = torch.stack([near, far.flip(dims, -1)], dim=-1)
        return grid.flatten(dims + 1).flatten(1, dims)


class Decoder(nn.Module):
    """Latents of the cells to one row of weights for each of their nodes."""

    def __init__(self, cells: Cells, latent: int, channels: int, blocks: int, nodes: int, width: int) -> None:
        super().__init__()
        self.cells, self.width = cells, width
        self.in_proj, self.box_proj = nn.Linear(latent, channels), nn.Linear(2 * len(cells.counts), channels)
        self.position_embedding = nn.Parameter(nn.init.normal_(torch.empty(cells.number, channels), std=0.02))
        self.blocks = nn.Sequential(*(Block(cells, channels) for _ in range(blocks)))
        self.norm, self.out_proj = nn.LayerNorm(channels), nn.Linear(channels, cells.sides * nodes * width)
        nn.init.normal_(self.out_proj.weight, std=0.05)

    def forward(
        self, latents: Float[Tensor, "fields cells latent"], box: Float[Tensor, "fields numbers"]
    ) -> Float[Tensor, "fields nodes width"]:
        cells = self.blocks(self.in_proj(latents) + self.box_proj(box)[:, None] + self.position_embedding)
        rows = rearrange(self.out_proj(self.norm(cells)), "n c (s k w) -> n c s k w", s=self.cells.sides, w=self.width)
        if self.cells.mirror:
            shared, difference = rows.unbind(2)
            rows = torch.stack([shared + difference, shared - difference], dim=2)
        return rows.flatten(1, 3)
