"""Attention in bfloat16 on processors, by blocks of queries.

Given bfloat16, torch's fused kernel for processors is hardly faster than in float32. Plain matrix products are, where
bfloat16 pays (`nfgen.runtime.precision`): a layer of 512 tokens takes 0.3 of the time. Blocks see only the keys that
they may, half of the whole square, and the gradient is written out, so that those of keys and values are added in
place.

Scores are rounded to bfloat16, as they are by any plain attention under autocast; weights are normalised in float32.

Dimension names: s sequences times heads, t tokens, d width of a head.
"""

import functools
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

BLOCK = 256  # queries


def attend(
    queries: Float[Tensor, "s t d"], keys: Float[Tensor, "s t d"], values: Float[Tensor, "s t d"], causal: bool
) -> Float[Tensor, "s t d"]:
    """softmax(q kᵀ / √d) v (Vaswani et al. 2017, equation 1), where token i sees tokens 0 … i if causal."""
    mixed: Tensor = _Attend.apply(queries * queries.shape[-1] ** -0.5, keys, values, causal)
    return mixed


class _Attend(torch.autograd.Function):
    """The weights of all blocks are kept for the gradient."""

    @staticmethod
    def forward(ctx: Any, queries: Tensor, keys: Tensor, values: Tensor, causal: bool) -> Tensor:
        mixed, kept = torch.empty_like(values), []
        for some, seen in _blocks(queries.shape[1], causal):
            scores = torch.bmm(queries[:, some], keys[:, seen].mT)
            if causal:
                scores[:, :, some].add_(_future(scores.shape[1], scores.dtype))
            kept.append(scores.softmax(-1))
            mixed[:, some] = torch.bmm(kept[-1], values[:, seen])
        ctx.save_for_backward(queries, keys, values, *kept)
        ctx.causal = causal
        return mixed

    @staticmethod
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor | None, ...]:
        queries, keys, values, *kept = ctx.saved_tensors
        of_queries = torch.empty_like(queries)
        exact = torch.promote_types(keys.dtype, torch.float32)  # sums over many blocks
        of_keys, of_values = torch.zeros_like(keys, dtype=exact), torch.zeros_like(values, dtype=exact)
        for weights, (some, seen) in zip(kept, _blocks(queries.shape[1], ctx.causal), strict=True):
            here = given[:, some]
            of_values[:, seen] += torch.bmm(weights.mT, here)
            of_weights = torch.bmm(here, values[:, seen].mT)
            of_scores = torch.ops.aten._softmax_backward_data(of_weights, weights, -1, weights.dtype)
            of_queries[:, some] = torch.bmm(of_scores, keys[:, seen])
            of_keys[:, seen] += torch.bmm(of_scores.mT, queries[:, some])
        return of_queries, of_keys.to(keys.dtype), of_values.to(values.dtype), None


def _blocks(length: int, causal: bool) -> Iterator[tuple[slice, slice]]:
    """Blocks of queries, each with the keys that they see."""
    for start in range(0, length, BLOCK):
        end = min(start + BLOCK, length)
        yield slice(start, end), slice(0, end if causal else length)


@functools.cache
@torch.inference_mode(mode=False)  # or what is kept could not be trained with later
def _future(length: int, dtype: torch.dtype) -> Float[Tensor, "t t"]:
    """What hides the tokens after each."""
    return torch.full((length, length), -torch.inf, dtype=dtype).triu(1)
