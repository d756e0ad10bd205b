"""Checkpoint of a training of the VQ tokenizer: one file, from which it resumes to the same bits."""

from pathlib import Path

import torch
from torch import Tensor, nn

from nfgen.errors import ArtifactError, NfgenError
from nfgen.io import files
from nfgen.io.optimizer_state import load_optimizer, optimizer_tensors
from nfgen.io.tensor_names import strip_prefix
from nfgen.runtime.signals import uninterrupted


class Checkpoint:
    """All state that the next step depends on: networks, optimizers, pool of warped fields, random generators, time.

    Args:
        folder: of the file; None = no file, for a training that is not resumed.
        pool: its tensors, which are restored in place.
        name: of the tokenizer, hence of the file.
    """

    def __init__(
        self,
        folder: Path | None,
        networks: nn.Module,
        optimizers: list[torch.optim.Optimizer],
        pool: dict[str, Tensor],
        generator: torch.Generator,
        name: str = "vq",
    ) -> None:
        self.path = None if folder is None else folder / f"{name}.safetensors"
        self.name = name
        self.networks, self.optimizers, self.pool, self.generator = networks, optimizers, pool, generator
        self.saved_step: int | None = None

    def save(self, step: int, seconds: float) -> None:
        """Write the state before a step; Ctrl-C waits for it.

        Raises:
            NfgenError: if a weight is not finite; the previous file stays.
        """
        if self.path is None or step == self.saved_step:
            return
        if not torch.stack([torch.isfinite(weights).all() for weights in self.networks.parameters()]).all():
            raise self.diverged(step)
        tensors = {f"networks/{key}": value for key, value in self.networks.state_dict().items()}
        tensors |= {f"pool/{key}": value for key, value in self.pool.items()}
        for number, optimizer in enumerate(self.optimizers):
            tensors |= {f"optimizer/{number}/{key}": value for key, value in optimizer_tensors(optimizer).items()}
        tensors |= {"random/own": self.generator.get_state(), "random/torch": torch.get_rng_state()}
        tensors |= {"step": torch.tensor(step), "seconds": torch.tensor(seconds, dtype=torch.float64)}
        # Tensors that share memory cannot be stored, hence the clones.
        with uninterrupted():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            files.write_tensors(self.path, {key: value.cpu().clone() for key, value in tensors.items()})
        self.saved_step = step

    def restore(self) -> tuple[int, float] | None:
        """Restore all state; the next step and the seconds spent, or None without a file.

        Raises:
            ArtifactError: if the file is damaged, or of another training.
        """
        if self.path is None or not self.path.exists():
            return None
        tensors = files.read_tensors(self.path)
        try:
            self.networks.load_state_dict(strip_prefix("networks", tensors))
            for number, optimizer in enumerate(self.optimizers):
                load_optimizer(optimizer, strip_prefix(f"optimizer/{number}", tensors))
            for key, own in self.pool.items():
                own.copy_(tensors[f"pool/{key}"])
            self.generator.set_state(tensors["random/own"])
            torch.set_rng_state(tensors["random/torch"])
            self.saved_step = int(tensors["step"])
            return self.saved_step, float(tensors["seconds"])
        except (LookupError, TypeError, ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise ArtifactError(f"the checkpoint {self.path} is damaged: {reason}", "leave --resume out") from error

    def diverged(self, step: int) -> NfgenError:
        """The error of a loss that is not finite."""
        kept = "there is no checkpoint yet: start again with"
        if self.saved_step is not None:
            kept = f"the checkpoint of step {self.saved_step} is kept: --resume with"
        return NfgenError(
            f"the loss of the {self.name} tokenizer is no longer finite at step {step}", f"{kept} a lower learning_rate"
        )
