"""Code values that survive rounding."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor


def distinct_codes(
    codes: Float[Tensor, "codes width"], step: float, at_least: int = 2
) -> Float[Tensor, "distinct width"]:
    """Codes laid on a grid of spacing `step` (see `Scaling.grid_step`), sorted, without repetition.

    Where fewer than `at_least` remain (equal weights), spare codes follow that lie one grid step after another above
    the last: they decode to what is all but the same, and every id stays decodable.
    """
    laid = torch.unique(torch.round(codes.double() / step) * step, dim=0)
    spare = step * torch.arange(1, max(at_least - len(laid), 0) + 1, dtype=torch.float64)
    return torch.cat([laid, laid[-1] + rearrange(spare, "k -> k 1")]).float()
