"""What edits of shapes are made of: where the cells of tokens lie, and tokens between those of two shapes."""

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nfgen.errors import ConfigError
from nfgen.runtime.device import CPU

from .bounding_box import Box
from .tokenizer import VQTokenizer


def cell_centres(tokenizer: VQTokenizer, tokens: Int[Tensor, "tokens"]) -> Float[Tensor, "cells sides dims"]:
    """Centres of the regions in space that each cell of a shape stands for: two if cells are mirrored."""
    cells = tokenizer.networks.encoder.cells
    counts = torch.tensor(cells.across(1), device=tokens.device)
    own = (cells.nodes(1).to(tokens.device) + 0.5) / counts * 2 - 1
    return _boxes(tokenizer, tokens[None]).to_space(own)[0].unflatten(0, (cells.number, cells.sides))


def tokens_of_cells(tokenizer: VQTokenizer, cells: Bool[Tensor, "*n cells"]) -> Bool[Tensor, "*n tokens"]:
    """Which tokens are those of some cells; those of the box are not among them."""
    own = cells.repeat_interleave(tokenizer.config.slots, dim=-1)
    return torch.cat([own.new_zeros(*own.shape[:-1], tokenizer.spec.dims), own], dim=-1)


def interpolate(
    tokenizer: VQTokenizer,
    first: Int[Tensor, "tokens"],
    second: Int[Tensor, "tokens"],
    shares: Float[Tensor, "steps"],
) -> Int[Tensor, "steps tokens"]:
    """Tokens between those of two shapes: latents and boxes are interpolated, then rounded to the nearest codes.

    So each step is a sequence of tokens like any other. A step between two codes is seen where they are far apart.
    """
    networks, dims, quantizer = tokenizer.networks, tokenizer.spec.dims, tokenizer.networks.quantizer
    both = torch.stack([first, second]).to(tokenizer.device)
    indices = rearrange(both[:, dims:], "n (c s) -> n c s", s=tokenizer.config.slots)
    latents, boxes, to = quantizer.lookup(indices), _boxes(tokenizer, both), shares.to(tokenizer.device)
    box = Box(*(torch.lerp(ends[:1], ends[1:], to[:, None]) for ends in (boxes.centre, boxes.half)))
    codes = networks.quantizer.nearest(torch.lerp(latents[:1], latents[1:], to[:, None, None])).flatten(1)
    between = torch.cat([quantizer.codes + box.tokens, codes], dim=1)
    # Codes of a residual quantizer are found one after the other, and are then not always the same again.
    ends = torch.where((to > 0)[:, None], both[1], both[0])
    return torch.where(((to > 0) & (to < 1))[:, None], between, ends).to(first.device)


def mix(
    tokenizer: VQTokenizer, first: Int[Tensor, "tokens"], second: Int[Tensor, "tokens"], axis: int, plane: float
) -> Int[Tensor, "tokens"]:
    """The first shape below a plane (smaller coordinates), the second above it, in the box of the first.

    Args:
        plane: a coordinate in the frame of fields; a cell lies where its centre is in the first shape.

    Raises:
        ConfigError: if each cell lies on both sides, as it stands for its mirror image, too.
    """
    if axis == 0 and tokenizer.networks.encoder.cells.mirror:
        raise ConfigError("cells of this tokenizer stand for their mirror images along x, too", "mix along y or z")
    above = cell_centres(tokenizer, first)[:, 0, axis] >= plane
    return torch.where(tokens_of_cells(tokenizer, above), second, first)


def middle_planes(tokenizer: VQTokenizer, tokens: Int[Tensor, "tokens"], axis: int, count: int) -> list[float]:
    """Evenly spread planes through the box of a shape, from `mix` by which none is one of the two shapes alone."""
    box = _boxes(tokenizer, tokens[None]).to(CPU)
    low, half = (box.centre - box.half)[0, axis], box.half[0, axis]
    return [float(low + 2 * half * (i + 1) / (count + 1)) for i in range(count)]


def _boxes(tokenizer: VQTokenizer, tokens: Int[Tensor, "n tokens"]) -> Box:
    return Box.from_tokens(tokens[:, : tokenizer.spec.dims] - tokenizer.networks.quantizer.codes)
