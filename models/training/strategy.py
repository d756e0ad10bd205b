"""Who does the work of a training: this process alone, or several that share each batch."""

import contextlib
from collections.abc import Iterator

from jaxtyping import Float, Int
from torch import Tensor, nn

from nfgen.models.base import SequenceModel

from .config import TrainerConfig
from .optim import device_of

Example = tuple[Tensor, Int[Tensor, "one"]]


class Loss(nn.Module):
    """A model whose call is its loss: what several processes share hangs on the call of a module."""

    def __init__(self, model: SequenceModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor, labels: Int[Tensor, "fields"]) -> Float[Tensor, ""]:
        return self.model.loss(tokens, labels)


class Worker:
    """One process alone. `accelerated.py` has the one for several; all of them make the same calls in the same order.

    Attributes:
        rank: number of this process; 0 writes and speaks.
        count: of all processes.
        pressed: Ctrl-C came and waits for all to agree to end.
    """

    rank = 0
    count = 1
    pressed = False

    def __init__(self, config: TrainerConfig) -> None:
        self.device = device_of(config.device)

    @property
    def main(self) -> bool:
        """Whether this process writes and speaks."""
        return self.rank == 0

    def losses(self, model: SequenceModel, average: SequenceModel, example: Example) -> tuple[nn.Module, nn.Module]:
        """The losses of the model, and of its average, as modules to call; their weights may now be spread.

        Args:
            example: a sequence and its label, to try the loss on.
        """
        return Loss(model), Loss(average)

    @contextlib.contextmanager
    def adding(self, learner: nn.Module, last: bool) -> Iterator[None]:
        """Around each pass, forwards and backwards: after the last, gradients are the mean over all processes."""
        yield

    def total(self, *values: float) -> list[float]:
        """Each value summed over all processes."""
        return list(values)

    def of_main(self, value: float) -> float:
        """The value of the main process: clocks differ."""
        return value

    def wait(self) -> None:
        """Until all processes are here."""

    def whole(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Put spread tensors together, in the main process; elsewhere nothing may come back."""
        return tensors

    def whole_number(self, tensor: Tensor) -> float:
        """The value of a tensor of one number, for all processes."""
        return tensor.item()

    def local(self, tensor: Tensor) -> Tensor:
        """What this process holds of a tensor."""
        return tensor

    def placed(self, tensor: Tensor, like: Tensor) -> Tensor:
        """A whole tensor spread as another one."""
        return tensor

    def whole_model(self, model: SequenceModel) -> SequenceModel | None:
        """A model put together, in eval mode, in the main process; elsewhere None may come back."""
        return model

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """While this lasts, Ctrl-C ends the training as `pressed` says; alone it is an exception at once."""
        yield
