"""The transformer of all models, and its key-value cache.

Dimension names: b sequences, t tokens, c width, h heads, d width of a head.
"""

import functools
import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from nfgen.models.config import TransformerConfig
from nfgen.runtime.device import is_cpu

from .cpu_attention import attend
from .orders import Places

Rotary = tuple[Float[Tensor, "two *b t half"], Float[Tensor, "two *b t half"]]
"""Cosines and sines of the rotation of each query and of each key."""


def learning_rate_at(width: int) -> float:
    """Peak learning rate for AdamW: 1e-3 at width 128; wider layers need smaller steps."""
    return 1e-3 * math.sqrt(128 / width)


class KVCache:
    """Keys and values of all blocks for the tokens so far, in memory that is allocated once."""

    def __init__(self, config: TransformerConfig, batch: int, capacity: int, device: torch.device) -> None:
        shape = (config.layers, 2, batch, config.heads, capacity, config.width // config.heads)
        self.memory = torch.empty(shape, device=device)
        self.length = 0

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Append the keys and values [b, h, t, d] of new tokens; return those of all tokens so far."""
        end = self.length + keys.shape[2]
        held = self.memory[layer]
        held[0, :, :, self.length : end] = keys
        held[1, :, :, self.length : end] = values
        return held[0, :, :, :end], held[1, :, :, :end]


@functools.cache
@torch.inference_mode(mode=False)  # cached inference tensors could not be used in training
def rotary_table(length: int, half: int, device: torch.device) -> Float[Tensor, "two places half"]:
    """Cosines and sines of the rotation angles of the places 0 … length. The first pair rotates by one radian per
    token, the last one makes a full turn in about 6 x length tokens."""
    angles = torch.arange(length + 1)[:, None] * length ** -(torch.arange(half) / half)
    return torch.stack([angles.cos(), angles.sin()]).to(device)


def rotate(x: Float[Tensor, "b h t d"], rotary: Float[Tensor, "two *b t half"]) -> Float[Tensor, "b h t d"]:
    """Rotate each pair (i, i + d/2) of every token by the angle of its place; `rotary` holds cosines and sines."""
    cosine, sine = rotary.to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=-1)


class Attention(nn.Module):
    """Self-attention, causal or not, over whole sequences, or of one new token over a cache."""

    def __init__(self, config: TransformerConfig, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = config.heads, causal
        self.qkv = nn.Linear(config.width, 3 * config.width, bias=False)
        self.proj = nn.Linear(config.width, config.width, bias=False)

    def forward(self, x: Tensor, rotary: Rotary | None, cache: KVCache | None, layer: int) -> Tensor:
        queries, keys, values = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        if rotary is not None:
            queries, keys = rotate(queries, rotary[0]), rotate(keys, rotary[1])
        first = cache is None or cache.length == 0
        if cache is not None:
            keys, values = cache.extend(layer, keys, values)
        causal = self.causal and first and x.shape[1] > 1
        with torch.autocast(x.device.type, enabled=False):
            if cache is None and is_cpu(x.device) and queries.dtype == torch.bfloat16:
                queries, keys, values = (part.flatten(0, 1) for part in (queries, keys, values))
                mixed = attend(queries, keys, values, causal).unflatten(0, (-1, self.heads))
            else:
                mixed = F.scaled_dot_product_attention(queries, keys, values, is_causal=causal)
        projected: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return projected


class FeedForward(nn.Module):
    """The MLP of a block."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.gated = config.feedforward == "swiglu"
        # Two thirds of 4 x width give the gated MLP as many weights as the plain one; 32 suits vector registers.
        inner = 32 * math.ceil(config.width * 8 / 3 / 32) if self.gated else 4 * config.width
        self.up = nn.Linear(config.width, 2 * inner if self.gated else inner, bias=False)
        self.proj = nn.Linear(inner, config.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        inner: Tensor = self.up(x)
        if self.gated:
            gate, value = inner.chunk(2, dim=-1)
            inner = F.silu(gate) * value
        else:
            inner = F.gelu(inner)
        projected: Tensor = self.proj(inner)
        return projected


class Block(nn.Module):
    """Attention, then MLP, each on the normalised residual stream and added to it."""

    def __init__(self, config: TransformerConfig, causal: bool) -> None:
        super().__init__()
        # LayerNorm, not RMSNorm: torch fuses only LayerNorm on CPU, which makes it two to three times as fast.
        self.before_attention = nn.LayerNorm(config.width, bias=False)
        self.attention = Attention(config, causal)
        self.before_feedforward = nn.LayerNorm(config.width, bias=False)
        self.feedforward = FeedForward(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, rotary: Rotary | None, cache: KVCache | None, layer: int) -> Tensor:
        x = x + self.dropout(self.attention(self.before_attention(x), rotary, cache, layer))
        added: Tensor = self.dropout(self.feedforward(self.before_feedforward(x)))
        return x + added


class Transformer(nn.Module):
    """Maps embedded tokens [b, t, c] to hidden states [b, t, c].

    Args:
        config: size and parts.
        length: maximum sequence length.
        causal: token i attends to tokens 0 … i; otherwise to all of them, and no cache can be used.
        any_order: inputs come with their places, as they are not in raster order.
    """

    def __init__(self, config: TransformerConfig, length: int, *, causal: bool = True, any_order: bool = False) -> None:
        super().__init__()
        self.config, self.length = config, length
        learned = config.positions != "rotary"
        self.position_embedding = nn.Embedding(length, config.width) if learned else None
        self.place_embedding = nn.Embedding(length + 1, config.width) if learned and any_order else None
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config, causal) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width, bias=False)
        self.apply(_initialise)
        for name, weight in self.named_parameters():
            if name.endswith("proj.weight"):
                # GPT-2: the sum of 2 x layers outputs has the variance of one.
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * config.layers))

    def forward(
        self, x: Float[Tensor, "b t c"], cache: KVCache | None = None, places: Places | None = None
    ) -> Float[Tensor, "b t c"]:
        """With a cache, `x` is the next token, or the first tokens if the cache is empty.

        Args:
            places: of the inputs, if they are not in raster order. Positions to predict rotate queries, places of
                tokens rotate keys, so that raster order is a special case.
        """
        start = cache.length if cache is not None else 0
        end = start + x.shape[1]
        if self.position_embedding is not None:
            x = x + self.position_embedding.weight[slice(start, end) if places is None else places.target]
        if self.place_embedding is not None and places is not None:
            x = x + self.place_embedding(places.own)
        rotary = None
        if self.config.positions != "learned":
            half = self.config.width // self.config.heads // 2
            table = rotary_table(self.length, half, x.device)
            rotary = (table[:, start:end],) * 2
            if places is not None:  # the new dimension is that of heads
                rotary = table[:, places.target[:, None]], table[:, places.own[:, None]]
        x = self.dropout(x)
        for layer, block in enumerate(self.blocks):
            x = block(x, rotary, cache, layer)
        if cache is not None:
            cache.length = end
        normed: Tensor = self.norm(x)
        return normed

    def cache(self, batch: int) -> KVCache:
        """An empty cache for a batch of sequences."""
        return KVCache(self.config, batch, self.length, self.norm.weight.device)


def _initialise(module: nn.Module) -> None:
    # As in GPT-2.
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
