"""What is tokenised: the weights, or their delta from the base; and code values that survive that subtraction."""

import math
from typing import Literal

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from nfgen.field_set import FieldSet

Target = Literal["delta", "weights"]


def origin(fields: FieldSet, target: Target) -> Float[Tensor, "weights"]:
    """What is taken from weights before they are tokenised: the base for `delta`; zeros for `weights` or without a base."""
    if target == "delta" and fields.base is not None:
        return fields.base.clone()
    return torch.zeros(fields.spec.size)


def grid_step(values: Tensor, start: Float[Tensor, "weights"], width: int = 1) -> float:
    """The spacing on which codes of `width` numbers are laid, a power of two.

    `(start + code) - start` is wrong by at most e = 2^-23 of the largest weight in each number. Codes that differ by
    twice e (1 + sqrt(width)) or more in one number stay nearest to themselves, so that `encode(decode(t)) == t`.
    """
    largest = float(values.abs().max()) + float(start.abs().max())
    apart = 2.0**-22 * (1 + math.sqrt(width)) * (largest or 1.0)
    return 2.0 ** math.ceil(math.log2(apart))


def distinct_codes(codes: Float[Tensor, "codes width"], step: float, at_least: int = 2) -> Float[Tensor, "distinct width"]:
    """Codes laid on the grid, sorted, without repetition.

    Where fewer than `at_least` remain (equal weights), spare codes follow that lie one grid step after another above the
    last: they decode to what is all but the same, and every id stays decodable.
    """
    laid = torch.unique(torch.round(codes.double() / step) * step, dim=0)
    spare = step * torch.arange(1, max(at_least - len(laid), 0) + 1, dtype=torch.float64)
    return torch.cat([laid, laid[-1] + rearrange(spare, "k -> k 1")]).float()
