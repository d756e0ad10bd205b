"""State of optimizers as named tensors, for checkpoints in safetensors files."""

from collections.abc import Callable

import torch
from torch import Tensor

Distribute = Callable[[Tensor, Tensor], Tensor]
"""Distributes a full tensor over processes as another tensor is."""


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The tensors of an optimizer's state, named `INDEX/SLOT`: index of the weight, name of its slot."""
    state = optimizer.state_dict()["state"]
    return {f"{index}/{slot}": tensor for index, slots in state.items() for slot, tensor in slots.items()}


def load_optimizer(
    optimizer: torch.optim.Optimizer,
    tensors: dict[str, Tensor],
    distribute: Distribute = lambda tensor, like: tensor,
) -> None:
    """Load what `optimizer_tensors` gave into an optimizer of the same weights.

    Args:
        tensors: by `INDEX/SLOT`.
        distribute: applied to each slot that has the shape of its weight.

    Raises:
        LookupError, ValueError: if the tensors are those of other weights.
    """
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, _, slot = name.partition("/")
        like = weights[int(index)]
        # Moments have the shape of their weight; the count of steps is a single number.
        state.setdefault(int(index), {})[slot] = distribute(tensor, like) if tensor.shape == like.shape else tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
