"""The gradient of a batch, summed over passes through the model that its device has memory for."""

import logging

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nfgen.errors import NfgenError
from nfgen.runtime.device import upload

from .config import TrainerConfig
from .data import Pass, mixed, passes
from .strategy import Worker

log = logging.getLogger("nfgen")


class BatchGradient:
    """Computes losses of batches, and their gradients.

    Args:
        worker: of this process.
        low_precision: whether products are computed in bfloat16.
        length: tokens of a sequence.
    """

    def __init__(self, config: TrainerConfig, worker: Worker, low_precision: bool, length: int) -> None:
        self.config, self.worker, self.device, self.low_precision = config, worker, worker.device, low_precision
        self.rows = max(1, config.tokens_per_pass // length)
        """Most sequences of a pass."""

    def passes(self, tokens: Tensor, labels: Int[Tensor, "fields"], at_least: int = 1) -> list[Pass]:
        """The passes of this process."""
        return passes(tokens, labels, self.rows, at_least, self.worker.rank, self.worker.count)

    def loss(self, of: nn.Module, some: Pass) -> Float[Tensor, ""]:
        """The mean loss of a pass."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.low_precision):
            loss: Tensor = of(upload(some.tokens, self.device), upload(some.labels, self.device))
        return loss

    def backward(self, of: nn.Module, tokens: Tensor, labels: Int[Tensor, "fields"], step: int) -> Float[Tensor, ""]:
        """Sum the gradients of all passes into the weights; returns this process's share of the batch's loss.

        Randomness of a pass depends on the seed, the step and its first row. Where a single process runs out of
        memory, it makes passes of half the size from now on.

        Raises:
            NfgenError: if memory does not suffice for one sequence.
        """
        try:
            return self._backward(of, tokens, labels, step)
        except torch.OutOfMemoryError:
            if self.worker.count > 1:  # the others wait for the passes that were agreed on
                raise NfgenError(
                    f"the memory of {self.device} does not suffice for {self.rows} sequences", "raise --accumulate"
                ) from None
            if self.rows == 1:
                raise NfgenError(
                    f"one sequence does not fit into the memory of {self.device}", "choose a smaller --size"
                ) from None
        before = min(self.rows, len(tokens))
        self.rows = before // 2
        log.warning("out of memory with %d sequences at once: %d go through the model at once", before, self.rows)
        return self.backward(of, tokens, labels, step)

    def _backward(self, of: nn.Module, tokens: Tensor, labels: Int[Tensor, "fields"], step: int) -> Float[Tensor, ""]:
        worker, parts = self.worker, []
        of.zero_grad()
        for some in self.passes(tokens, labels, self.config.accumulate):
            torch.manual_seed(mixed(self.config.seed, step) + some.first)
            with worker.no_sync(of, some.last):
                part = self.loss(of, some) * some.share
                (part * worker.count).backward()  # passes are summed, processes are averaged
            parts.append(part.detach())
        return torch.stack(parts).sum()
