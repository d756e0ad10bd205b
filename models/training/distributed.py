"""Training by several processes that share each batch, with accelerate (https://huggingface.co/docs/accelerate).

Each process holds the full model (DDP), or a shard of each tensor (`shard`: FSDP, https://arxiv.org/abs/2304.11277).
FSDP is torch's `fully_shard`, as accelerate shards on GPUs only.
"""

import atexit
import contextlib
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, TypeGuard

import torch
from torch import Tensor, nn

from nfgen.errors import ConfigError
from nfgen.models.base import SequenceModel
from nfgen.models.nn.transformer import Block
from nfgen.runtime import launcher
from nfgen.runtime.device import find_device, is_cpu
from nfgen.runtime.signals import sigint_calls

from .config import TrainerConfig
from .strategy import Example, Loss, Worker

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor

PATIENCE = timedelta(days=2)
"""Time limit of waiting for another process; the main one may fit a tokenizer meanwhile."""

SHUTDOWN_SECONDS = 0.1
"""Pause at the end of the process, in which communication threads finish."""

UNSUPPORTED = {
    "ACCELERATE_USE_FSDP": "use --shard instead",
    "ACCELERATE_USE_DEEPSPEED": "turn DeepSpeed off; --shard shards the model",
    "ACCELERATE_USE_MEGATRON_LM": "turn Megatron off; --shard shards the model",
}
"""Settings of accelerate that nfgen does not support, and what to use instead."""


class Accelerated(Worker):
    """One of several processes that train one model."""

    def __init__(self, config: TrainerConfig) -> None:
        try:
            from accelerate import Accelerator
            from accelerate.utils import InitProcessGroupKwargs
        except ImportError as error:
            raise ConfigError(
                f"training by {launcher.count()} processes needs the package accelerate",
                "pip install 'nfgen[accelerate]'",
            ) from error
        for name, remedy in UNSUPPORTED.items():
            if os.environ.get(name, "false").lower() == "true":
                raise ConfigError(f"{name} is set, which nfgen does not support", remedy)
        device = find_device(config.device)
        kind = device.type
        # The trainer's autocast sets the precision, as in a single process, whatever accelerate is configured for.
        self.accelerator = Accelerator(
            cpu=is_cpu(device),
            mixed_precision="no",
            kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)],
        )
        atexit.register(self._leave)
        self.device, self.shard = self.accelerator.device, config.shard
        self.rank, self.count = self.accelerator.process_index, self.accelerator.num_processes
        if self.device.type != kind or self.count != launcher.count():
            raise ConfigError(
                f"accelerate offers {self.count} processes on {self.device.type}, not {launcher.count()} on {kind}",
                f"use --device {self.device.type}",
            )

    def _leave(self) -> None:
        if not torch.distributed.is_initialized():
            return  # an earlier training of this process has ended it
        self.accelerator.end_training()
        # A gloo thread that still frees its last tensors when the interpreter ends aborts the process
        # (https://github.com/pytorch/pytorch/issues/190489). There is nothing to join, as DDP keeps the group alive.
        time.sleep(SHUTDOWN_SECONDS)

    def losses(self, model: SequenceModel, average: SequenceModel, example: Example) -> tuple[nn.Module, nn.Module]:
        from accelerate.utils import DistributedDataParallelKwargs

        train_loss, eval_loss = Loss(model), Loss(average)
        if not self.shard:
            # Unless find_unused_parameters is set, DDP waits for all gradients; the digits head has unused weights.
            train_loss(*(part.to(self.device) for part in example)).backward()
            unused = any(weight.grad is None for weight in model.parameters() if weight.requires_grad)
            model.zero_grad()
            self.accelerator.ddp_handler = DistributedDataParallelKwargs(find_unused_parameters=unused)
            prepared: nn.Module = self.accelerator.prepare_model(train_loss)
            return prepared, eval_loss
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        mesh = init_device_mesh(self.device.type, (self.count,))
        for loss in (train_loss, eval_loss):
            for module in [*(part for part in loss.modules() if isinstance(part, Block)), loss]:
                # Resharded after each pass, as code between passes reads shards.
                fully_shard(module, mesh=mesh, reshard_after_forward=True)
        return train_loss, eval_loss

    @contextlib.contextmanager
    def no_sync(self, train_loss: nn.Module, last: bool) -> Iterator[None]:
        # Shards are reduced in every pass: there is no memory for full gradients.
        with contextlib.nullcontext() if last or self.shard else self.accelerator.no_sync(train_loss):
            yield

    def all_reduce_sum(self, *values: float) -> list[float]:
        mine = torch.tensor([values], dtype=torch.float64, device=self.device)
        summed: list[float] = self.accelerator.gather(mine).sum(dim=0).tolist()
        return summed

    def broadcast_main(self, value: float) -> float:
        return self.all_reduce_sum(value if self.main else 0.0)[0]

    def barrier(self) -> None:
        self.accelerator.wait_for_everyone()

    def gather_full(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        found = {}
        for name, tensor in tensors.items():
            full = tensor.full_tensor() if _is_sharded(tensor) else tensor
            if self.main:
                found[name] = full.cpu() if self.shard else full
        return found

    def full_scalar(self, tensor: Tensor) -> Tensor:
        return tensor.full_tensor() if _is_sharded(tensor) else tensor

    def local_shard(self, tensor: Tensor) -> Tensor:
        return tensor.to_local() if _is_sharded(tensor) else tensor

    def distribute_like(self, tensor: Tensor, like: Tensor) -> Tensor:
        if _is_sharded(like):
            from torch.distributed.tensor import distribute_tensor

            # Every process has read the same file, so nothing needs to be sent.
            return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements, src_data_rank=None)
        return tensor

    def full_model(self, model: SequenceModel) -> SequenceModel | None:
        if not self.shard:
            return model
        tensors = self.gather_full(model.state_dict())
        if not self.main:
            return None
        found = type(model)(model.vocabulary, model.config)
        found.load_state_dict(tensors)
        return found.to(self.device).eval()

    @contextlib.contextmanager
    def defer_sigint(self) -> Iterator[None]:
        def interrupt() -> None:
            self.interrupted = True

        with sigint_calls(interrupt):
            yield


def _is_sharded(tensor: Tensor) -> "TypeGuard[DTensor]":
    from torch.distributed.tensor import DTensor

    return isinstance(tensor, DTensor)


def find_worker(config: TrainerConfig) -> Worker:
    """The worker of this process: single, or one of those that a launcher started.

    Raises:
        ConfigError: if there are several processes and accelerate is missing, or if the device is missing.
    """
    if launcher.count() == 1:
        return Worker(config)
    return Accelerated(config)
