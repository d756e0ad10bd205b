"""Training strategies: what differs between one process and several that share each batch; here, one process."""

import contextlib
from collections.abc import Iterator

from jaxtyping import Float, Int
from torch import Tensor, nn

from nfgen.models.base import SequenceModel
from nfgen.runtime.device import find_device

from .config import TrainerConfig

Example = tuple[Tensor, Int[Tensor, "one"]]


class Loss(nn.Module):
    """A module whose forward pass is the model's loss, as DDP and FSDP hook into the forward pass of a module."""

    def __init__(self, model: SequenceModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor, labels: Int[Tensor, "fields"]) -> Float[Tensor, ""]:
        return self.model.loss(tokens, labels)


class Worker:
    """A single process. `distributed.py` has the worker for several; all processes make the same calls in one order.

    Attributes:
        rank: number of this process; process 0 writes files and messages.
        count: number of processes.
        interrupted: Ctrl-C was pressed; training ends when all processes know it.
    """

    rank = 0
    count = 1
    interrupted = False

    def __init__(self, config: TrainerConfig) -> None:
        self.device = find_device(config.device)

    @property
    def main(self) -> bool:
        """Whether this process writes files and messages."""
        return self.rank == 0

    def losses(self, model: SequenceModel, average: SequenceModel, example: Example) -> tuple[nn.Module, nn.Module]:
        """The losses of the model and of its average, as modules to call; their weights may be sharded from now on.

        Args:
            example: a sequence and its label, for a trial of the loss.
        """
        return Loss(model), Loss(average)

    @contextlib.contextmanager
    def no_sync(self, train_loss: nn.Module, last: bool) -> Iterator[None]:
        """Context of each forward and backward pass; after the last pass, gradients are averaged over all processes."""
        yield

    def all_reduce_sum(self, *values: float) -> list[float]:
        """Each value, summed over all processes."""
        return list(values)

    def broadcast_main(self, value: float) -> float:
        """The value of the main process, as clocks differ."""
        return value

    def barrier(self) -> None:
        """Wait until all processes are here."""

    def gather_full(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Full tensors from sharded ones, in the main process; the others may get none."""
        return tensors

    def full_scalar(self, tensor: Tensor) -> Tensor:
        """A tensor of one number, whole in all processes."""
        return tensor

    def local_shard(self, tensor: Tensor) -> Tensor:
        """The shard of a tensor that this process holds."""
        return tensor

    def distribute_like(self, tensor: Tensor, like: Tensor) -> Tensor:
        """A full tensor, sharded as another one."""
        return tensor

    def full_model(self, model: SequenceModel) -> SequenceModel | None:
        """The model with full weights, in eval mode, in the main process; the others may get None."""
        return model

    @contextlib.contextmanager
    def defer_sigint(self) -> Iterator[None]:
        """Context in which Ctrl-C sets `interrupted`; a single process gets KeyboardInterrupt at once instead."""
        yield
