"""Quantizers: continuous latents to code indices and back, one interface over vector-quantize-pytorch.

Every quantizer maps latents [N, cells, slots * width] to indices [N, cells, slots] and to quantised latents of the
shape of its input. A slot is one token of a cell. The library takes a second to import, so it is imported when needed.
"""

import functools
import itertools
import math
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from nfgen.tokens.vocabulary import digits

from .config import Kind

VECTOR_WIDTH = (
    8  # learned codebooks are low-dimensional: high dimensions leave codes unused (Yu et al. 2022, ViT-VQGAN)
)
EMA_DECAY = 0.95  # of codebook entries: an average over some 20 steps, short enough to follow the encoder
DEAD_BELOW = 2  # a code with a smaller moving average of uses per batch is reset to a random latent


class Quantised(NamedTuple):
    """Output of a quantizer."""

    latents: Float[Tensor, "fields cells latent"]
    indices: Int[Tensor, "fields cells slots"]
    loss: Float[Tensor, ""]
    """Commitment or entropy term to add to the training loss; 0 for FSQ."""


class Quantizer(nn.Module):
    """Base of the quantizers.

    Attributes:
        slots: tokens of a cell.
        width: numbers of a cell's latent.
        codes: number of different token ids.
        ranges: ids [low, high) of slot i, where slots have codebooks of their own; empty = all slots share one.
        levels: FSQ levels; empty for the others.
    """

    slots: int
    width: int
    codes: int
    ranges: tuple[tuple[int, int], ...] = ()
    levels: tuple[int, ...] = ()

    @property
    def device(self) -> torch.device:
        return next(itertools.chain(self.parameters(), self.buffers())).device

    def forward(self, latents: Float[Tensor, "fields cells latent"]) -> Quantised:
        raise NotImplementedError

    def lookup(self, indices: Int[Tensor, "fields cells slots"]) -> Float[Tensor, "fields cells latent"]:
        """The quantised latents of indices."""
        raise NotImplementedError

    def nearest(self, latents: Float[Tensor, "fields cells latent"]) -> Int[Tensor, "fields cells slots"]:
        """The indices whose quantised latents are nearest to some latents, as an interpolation has them."""
        by_slot = rearrange(latents, "n c (s w) -> n (c s) w", s=self.slots)
        found: Tensor = torch.cdist(by_slot, self.vectors()[None]).argmin(dim=-1)
        return rearrange(found, "n (c s) -> n c s", s=self.slots)

    def vectors(self) -> Float[Tensor, "codes width"]:
        """The vector of each code."""
        cells = -(-self.codes // self.slots)
        ids = torch.arange(cells * self.slots, device=self.device) % self.codes
        return self.lookup(ids.view(1, cells, self.slots)).reshape(cells * self.slots, -1)[: self.codes]


class FSQ(Quantizer):
    """Finite scalar quantisation: each number is rounded to one of a few levels (Mentzer et al. 2023,
    https://arxiv.org/abs/2309.15505). Without a codebook, no codebook can collapse."""

    def __init__(self, slots: int, levels: tuple[int, ...]) -> None:
        super().__init__()
        self.slots, self.levels = slots, levels
        self.width, self.codes = slots * len(levels), math.prod(levels)
        self.register_buffer("counts", torch.tensor(levels), persistent=False)
        self.counts: Tensor

    def forward(self, latents: Tensor) -> Quantised:
        quantised, indices = _library_fsq(self.levels, latents.device)(
            rearrange(latents, "n c (s w) -> n (c s) w", s=self.slots)
        )
        return _regroup(quantised, indices, latents.new_zeros(()), self.slots)

    def lookup(self, indices: Tensor) -> Tensor:
        middle = self.counts // 2
        return rearrange((digits(indices, self.levels) - middle) / middle, "n c s w -> n c (s w)")


@functools.lru_cache(maxsize=16)
def _library_fsq(levels: tuple[int, ...], device: torch.device) -> nn.Module:
    """The library's quantizer, which has no weights. The first encoding makes it, as decoding does not need it."""
    import vector_quantize_pytorch

    return vector_quantize_pytorch.FSQ(levels=list(levels)).to(device)


class VQ(Quantizer):
    """Vector quantisation with one codebook for all slots: k-means initialisation, EMA updates, dead codes reset (van
    den Oord et al. 2017, appendix A.1; Zeghidour et al. 2021 for the reset)."""

    def __init__(self, slots: int, codes: int) -> None:
        super().__init__()
        from vector_quantize_pytorch import VectorQuantize

        self.wrapped = VectorQuantize(
            dim=VECTOR_WIDTH, codebook_size=codes, decay=EMA_DECAY, kmeans_init=True, threshold_ema_dead_code=DEAD_BELOW
        )
        self.slots, self.width, self.codes = slots, slots * VECTOR_WIDTH, codes

    def forward(self, latents: Tensor) -> Quantised:
        quantised, indices, loss = self.wrapped(rearrange(latents, "n c (s w) -> n (c s) w", s=self.slots))
        return _regroup(quantised, indices, loss.sum(), self.slots)

    def lookup(self, indices: Tensor) -> Tensor:
        codes = self.wrapped.get_codes_from_indices(rearrange(indices, "n c s -> n (c s)"))
        return _by_cell(codes, self.slots)


class RVQ(Quantizer):
    """Residual vector quantisation: each slot quantises the residual of the slots before it, with a codebook of its own
    (Lee et al. 2022, https://arxiv.org/abs/2203.01941)."""

    def __init__(self, slots: int, codes: int) -> None:
        super().__init__()
        from vector_quantize_pytorch import ResidualVQ

        self.wrapped = ResidualVQ(
            dim=VECTOR_WIDTH,
            num_quantizers=slots,
            codebook_size=codes,
            decay=EMA_DECAY,
            kmeans_init=True,
            threshold_ema_dead_code=DEAD_BELOW,
        )
        self.slots, self.width, self.codes = slots, VECTOR_WIDTH, slots * codes
        self.ranges = tuple((slot * codes, (slot + 1) * codes) for slot in range(slots))
        self.register_buffer("offsets", torch.arange(slots) * codes, persistent=False)
        self.offsets: Tensor

    def forward(self, latents: Tensor) -> Quantised:
        quantised, indices, loss = self.wrapped(latents)
        return Quantised(quantised, indices + self.offsets, loss.sum())

    def lookup(self, indices: Tensor) -> Tensor:
        codes: Tensor = self.wrapped.get_output_from_indices(indices - self.offsets)
        return codes

    def nearest(self, latents: Tensor) -> Tensor:
        """Slot by slot, each what the slots before it left."""
        return self(latents).indices

    def vectors(self) -> Tensor:
        books: Tensor = self.wrapped.codebooks
        return books.flatten(0, 1)


class LFQ(Quantizer):
    """Lookup-free quantisation: a code is the signs of its numbers (Yu et al. 2023, https://arxiv.org/abs/2310.05737)."""

    def __init__(self, slots: int, codes: int) -> None:
        super().__init__()
        import vector_quantize_pytorch

        self.wrapped = vector_quantize_pytorch.LFQ(codebook_size=codes, dim=(codes - 1).bit_length())
        self.slots, self.width, self.codes = slots, slots * (codes - 1).bit_length(), codes

    def forward(self, latents: Tensor) -> Quantised:
        result = self.wrapped(rearrange(latents, "n c (s w) -> n (c s) w", s=self.slots))
        return _regroup(result.quantized, result.indices, result.entropy_aux_loss, self.slots)

    def lookup(self, indices: Tensor) -> Tensor:
        codes = self.wrapped.indices_to_codes(rearrange(indices, "n c s -> n (c s)"))
        return _by_cell(codes, self.slots)


def _regroup(latents: Tensor, indices: Tensor, loss: Tensor, slots: int) -> Quantised:
    return Quantised(_by_cell(latents, slots), rearrange(indices, "n (c s) -> n c s", s=slots).long(), loss)


def _by_cell(latents: Tensor, slots: int) -> Tensor:
    return rearrange(latents, "n (c s) w -> n c (s w)", s=slots)


def create_quantizer(kind: Kind, slots: int, levels: tuple[int, ...], codebook: int) -> Quantizer:
    """A quantizer of a kind with `slots` tokens a cell; `levels` is for FSQ, `codebook` (entries) for the others."""
    if kind == "fsq":
        return FSQ(slots, levels)
    return {"vq": VQ, "rvq": RVQ, "lfq": LFQ}[kind](slots, codebook)


def usage(indices: Int[Tensor, "..."], codes: int) -> tuple[float, float]:
    """Share of codes that occur, and perplexity (e to the entropy of their frequencies)."""
    frequency = torch.bincount(indices.flatten(), minlength=codes).double() / max(indices.numel(), 1)
    entropy = -(frequency * frequency.clamp(min=1e-12).log()).sum()
    return (frequency > 0).double().mean().item(), entropy.exp().item()
