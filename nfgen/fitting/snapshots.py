"""How fits went: weights of the first few fields at some of their steps, for a report to draw."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nfgen.errors import ArtifactError
from nfgen.io import files

FILE = "snapshots.safetensors"
FIELDS = 4  # of a field set: their weights at 16 steps take a megabyte


@dataclass(frozen=True)
class Snapshots:
    """The first fields of a set while they were fitted."""

    steps: Int[Tensor, "snapshots"]
    """Adam steps done, 0 first: early steps change most, so they lie closer there."""
    weights: Float[Tensor, "snapshots fields weights"]
    losses: Float[Tensor, "steps fields"]
    """The loss of every step."""

    @classmethod
    def load(cls, folder: Path) -> "Snapshots | None":
        """Those of a field set; None if its fit kept none.

        Raises:
            ArtifactError: if the file is damaged.
        """
        if not (folder / FILE).is_file():
            return None
        tensors = files.read_tensors(folder / FILE)
        try:
            found = cls(tensors["steps"], tensors["weights"], tensors["losses"])
            fits = found.weights.ndim == 3 and found.weights.shape[0] == len(found.steps) > 0
            if not fits or found.losses.shape[1:] != found.weights.shape[1:2]:
                raise ValueError("its tensors do not belong together")
        except (KeyError, ValueError) as error:
            raise ArtifactError(f"{folder / FILE} is damaged: {error}", "fit the fields again") from error
        return found


class SnapshotRecorder:
    """Listens to `fit_batch` by its `on_step`, and writes what it saw of the first batch into a folder.

    Args:
        folder: of the field set.
        steps: of the fit.
        count: snapshots, the first and the last weights among them.
    """

    def __init__(self, folder: Path, steps: int, count: int) -> None:
        self.folder, self.steps = folder, steps
        later = np.geomspace(1, steps, max(1, count - 1)).round().astype(int)
        self.wanted = {0, steps, *later.tolist()}
        self.fields: int | None = None
        self.done = False
        self.kept: dict[int, Tensor] = {}
        self.losses: list[Tensor] = []

    def __call__(self, step: int, weights: Tensor, losses: Tensor) -> None:
        if self.done:
            return
        # A field that stops early leaves the batch, and the rows after it are others.
        if self.fields is None or len(weights) == self.fields:
            self.fields = len(weights)
            if step in self.wanted:
                self.kept[step] = weights[:FIELDS].detach().cpu().clone()
            if step < self.steps:
                self.losses.append(losses[:FIELDS].detach().clone())
        if step == self.steps:
            self.done = True
            self._write()

    def _write(self) -> None:
        files.write_tensors(
            self.folder / FILE,
            {
                "steps": torch.tensor(list(self.kept)),
                "weights": torch.stack(list(self.kept.values())),
                "losses": torch.stack(self.losses).cpu(),
            },
        )
