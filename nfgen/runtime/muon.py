"""The optimizer Muon for matrices, whose steps are orthogonal ones.

From Jordan et al. 2024, https://kellerjordan.github.io/posts/muon. torch's own always multiplies in bfloat16, which
many processors emulate: there four fifths of a training step of the vq tokenizer went into these products.
"""

import math
from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from .precision import bfloat16_pays

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # of the polynomial that moves singular values to about 1, applied five times
ITERATIONS = 5
RMS_OF_ADAM = 0.2  # size of the entries of a step, as AdamW's (Liu et al. 2025, https://arxiv.org/abs/2502.16982)


class Muon(torch.optim.Optimizer):
    """Muon with Nesterov's momentum and decoupled weight decay; its steps are as large as those of AdamW.

    Args:
        matrices: parameters of two axes, or groups of them.
        lr: the learning rate.
        weight_decay: as in AdamW.
        momentum: decay of the mean of the gradients.
    """

    def __init__(
        self,
        matrices: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float,
        *,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
    ) -> None:
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Change the matrices by their gradients."""
        for group in self.param_groups:
            rate, momentum = group["lr"], group["momentum"]
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state = self.state[matrix]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(matrix)
                mean = state["momentum_buffer"].lerp_(matrix.grad, 1 - momentum)
                ahead = torch.lerp(matrix.grad, mean, momentum)
                low = bfloat16_pays(matrix.device)
                change = orthogonalized(ahead[None].bfloat16() if low else ahead[None])[0].to(matrix)
                matrix.mul_(1 - rate * group["weight_decay"])
                matrix.sub_(change, alpha=rate * RMS_OF_ADAM * math.sqrt(max(matrix.shape)))


def orthogonalized(matrices: Float[Tensor, "batch outputs inputs"]) -> Float[Tensor, "batch outputs inputs"]:
    """Matrices of the same singular vectors, whose singular values are about 1 (0.7 to 1.2)."""
    found = matrices / matrices.norm(dim=(1, 2), keepdim=True).clamp(min=1e-12)
    wide = found.mT if found.shape[1] > found.shape[2] else found
    first, third, fifth = NEWTON_SCHULZ
    for _ in range(ITERATIONS):
        square = torch.bmm(wide, wide.mT)
        wide = torch.baddbmm(wide, torch.baddbmm(square, square, square, beta=third, alpha=fifth), wide, beta=first)
    return wide.mT if found.shape[1] > found.shape[2] else wide
