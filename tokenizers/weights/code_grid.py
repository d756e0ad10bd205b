"""Code values that stay distinct under rounding."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor


def distinct_codes(
    codes: Float[Tensor, "codes width"], step: float, at_least: int = 2
) -> Float[Tensor, "distinct width"]:
    """Codes rounded to a grid of spacing `step` (see `Scaling.grid_step`), sorted, without duplicates.

    If fewer than `at_least` remain, spare codes follow above the last one, a grid step apart: they decode to almost the
    same value, and every id can be decoded.
    """
    rounded = torch.unique(torch.round(codes.double() / step) * step, dim=0)
    spare = step * torch.arange(1, max(at_least - len(rounded), 0) + 1, dtype=torch.float64, device=rounded.device)
    return torch.cat([rounded, rounded[-1] + rearrange(spare, "k -> k 1")]).float()
