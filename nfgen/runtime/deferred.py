"""Numbers that a loop computes on a device, fetched for some steps together: each fetch waits for the device."""

import torch
from torch import Tensor

from .device import is_cpu

FETCH_EVERY = 20
"""Steps. A diverged loss is seen so late at most; their kernels are launched in milliseconds, and then run alone."""


class Deferred:
    """Rows of numbers that wait on a device. On a processor a fetch costs nothing, so each row is due at once."""

    def __init__(self, device: torch.device) -> None:
        self.every = 1 if is_cpu(device) else FETCH_EVERY
        self._rows: list[Tensor] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, *numbers: Tensor) -> None:
        """Keep a row of tensors of one number each."""
        self._rows.append(torch.stack([number.detach() for number in numbers]))

    @property
    def due(self) -> bool:
        """Whether there are enough rows to fetch them."""
        return len(self._rows) >= self.every

    def fetch(self) -> list[list[float]]:
        """The rows since the last fetch, in order."""
        rows, self._rows = self._rows, []
        return torch.stack(rows).tolist() if rows else []
