"""The optimizer, the moving average of weights, and precision."""

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from nfgen.models.base import SequenceModel
from nfgen.runtime.precision import bfloat16_pays

from .config import TrainerConfig


def optimizer(model: SequenceModel, config: TrainerConfig) -> torch.optim.Optimizer:
    """AdamW (https://arxiv.org/abs/1711.05101) with weight decay on matrices, not on gains and biases."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, config.beta2), fused=True)


def low_precision(model: SequenceModel, config: TrainerConfig, device: torch.device) -> bool:
    """Whether matrix products are computed in bfloat16."""
    if config.precision != "auto":
        return config.precision == "bfloat16"
    if not model.low_precision:
        return False
    return bfloat16_pays(device)


def update_average(average: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    """Update the exponential moving average of weights; the decay rises with the steps, to forget the random start.

    Not torch's AveragedModel: its first update copies the weights, and its decay is constant.
    """
    update = get_ema_multi_avg_fn(min(decay, (1 + step) / (10 + step)))
    update(list(average.parameters()), list(model.parameters()), step)
