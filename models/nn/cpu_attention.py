"""Attention in bfloat16 on CPUs, by blocks of queries.

On CPUs torch's fused kernel is hardly faster in bfloat16 than in float32. Plain matrix products are faster where the
processor has bfloat16 units (`nfgen.runtime.precision`): a layer of 512 tokens takes 0.3 of the time. Each block is
multiplied only with the keys that it may attend to, half of all pairs if causal. The gradient is written by hand, so
that the gradients of keys and values are summed in place.

Scores are rounded to bfloat16, as in plain attention under autocast; the softmax is computed in float32.

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
    """softmax(q kᵀ / √d) v (Vaswani et al. 2017, equation 1), where token i attends to tokens 0 … i if causal."""
    mixed: Tensor = _Attend.apply(queries * queries.shape[-1] ** -0.5, keys, values, causal)
    return mixed


class _Attend(torch.autograd.Function):
    """Saves the attention weights of all blocks for the gradient."""

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
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        queries, keys, values, *kept = ctx.saved_tensors
        of_queries = torch.empty_like(queries)
        exact = torch.promote_types(keys.dtype, torch.float32)  # sums over many blocks
        of_keys, of_values = torch.zeros_like(keys, dtype=exact), torch.zeros_like(values, dtype=exact)
        for weights, (some, seen) in zip(kept, _blocks(queries.shape[1], ctx.causal), strict=True):
            here = gradient[:, some]
            of_values[:, seen] += torch.bmm(weights.mT, here)
            of_weights = torch.bmm(here, values[:, seen].mT)
            of_scores = torch.ops.aten._softmax_backward_data(of_weights, weights, -1, weights.dtype)
            of_queries[:, some] = torch.bmm(of_scores, keys[:, seen])
            of_keys[:, seen] += torch.bmm(of_scores.mT, queries[:, some])
        return of_queries, of_keys.to(keys.dtype), of_values.to(values.dtype), None


def _blocks(length: int, causal: bool) -> Iterator[tuple[slice, slice]]:
    """Blocks of queries, each with the keys that it attends to."""
    for start in range(0, length, BLOCK):
        end = min(start + BLOCK, length)
        yield slice(start, end), slice(0, end if causal else length)


@functools.cache
@torch.inference_mode(mode=False)  # cached inference tensors could not be used in training
def _future(length: int, dtype: torch.dtype) -> Float[Tensor, "t t"]:
    """The causal mask: -inf for the tokens after each."""
    return torch.full((length, length), -torch.inf, dtype=dtype).triu(1)
