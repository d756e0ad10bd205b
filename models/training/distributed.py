"""Several processes that share each batch, by Hugging Face's accelerate (https://huggingface.co/docs/accelerate).

Each holds the whole model (DDP), or its share of each tensor (`shard`: FSDP, https://arxiv.org/abs/2304.11277). The
latter is torch's own `fully_shard`, as accelerate shards on GPUs only.
"""

import atexit
import contextlib
import os
import signal
import threading
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

from .config import TrainerConfig
from .strategy import Example, Loss, Worker

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor

PATIENCE = timedelta(days=2)
"""How long a process waits for another one that lives: the main one may fit a tokenizer meanwhile."""

LETTING_GO = 0.1
"""Seconds at the end of the process for the threads that talked to the others."""

OTHERS = {
    "ACCELERATE_USE_FSDP": "say --shard instead",
    "ACCELERATE_USE_DEEPSPEED": "leave DeepSpeed out; --shard spreads the model",
    "ACCELERATE_USE_MEGATRON_LM": "leave Megatron out; --shard spreads the model",
}
"""Settings of accelerate's that would wrap the model in another manner, and what to do about them."""


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
        for name, remedy in OTHERS.items():
            if os.environ.get(name, "false").lower() == "true":
                raise ConfigError(f"accelerate is told {name}, which nfgen does not use", remedy)
        kind = config.device.partition(":")[0]
        # Precision is the trainer's own autocast, the same as for one process, whatever accelerate's settings say.
        self.accelerator = Accelerator(
            cpu=kind == "cpu",
            mixed_precision="no",
            kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)],
        )
        atexit.register(self._leave)
        self.device, self.shard = self.accelerator.device, config.shard
        self.rank, self.count = self.accelerator.process_index, self.accelerator.num_processes
        if self.device.type != kind or self.count != launcher.count():
            raise ConfigError(
                f"accelerate offers {self.count} processes on {self.device.type}, not {launcher.count()} on {kind}",
                f"say --device {self.device.type}",
            )

    def _leave(self) -> None:
        if not torch.distributed.is_initialized():
            return  # another training of this process has left already
        self.accelerator.end_training()
        # A thread of gloo's that still lets go of its last tensors when the interpreter ends aborts the process
        # (https://github.com/pytorch/pytorch/issues/190489). Nothing waits for it, as DDP keeps the group alive.
        time.sleep(LETTING_GO)

    def losses(self, model: SequenceModel, average: SequenceModel, example: Example) -> tuple[nn.Module, nn.Module]:
        from accelerate.utils import DistributedDataParallelKwargs

        learner, judge = Loss(model), Loss(average)
        if not self.shard:
            # DDP waits for the gradient of every weight unless it is told that some have none, as in a head of digits.
            learner(*(part.to(self.device) for part in example)).backward()
            unused = any(weight.grad is None for weight in model.parameters() if weight.requires_grad)
            model.zero_grad()
            self.accelerator.ddp_handler = DistributedDataParallelKwargs(find_unused_parameters=unused)
            prepared: nn.Module = self.accelerator.prepare_model(learner)
            return prepared, judge
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        mesh = init_device_mesh(self.device.type, (self.count,))
        for whole in (learner, judge):
            for module in [*(part for part in whole.modules() if isinstance(part, Block)), whole]:
                # Put apart again after each pass, as what is read between passes is shares.
                fully_shard(module, mesh=mesh, reshard_after_forward=True)
        return learner, judge

    @contextlib.contextmanager
    def adding(self, learner: nn.Module, last: bool) -> Iterator[None]:
        # Shares of tensors are summed in every pass: there is no memory for the whole gradients.
        with contextlib.nullcontext() if last or self.shard else self.accelerator.no_sync(learner):
            yield

    def total(self, *values: float) -> list[float]:
        mine = torch.tensor([values], dtype=torch.float64, device=self.device)
        summed: list[float] = self.accelerator.gather(mine).sum(dim=0).tolist()
        return summed

    def of_main(self, value: float) -> float:
        return self.total(value if self.main else 0.0)[0]

    def wait(self) -> None:
        self.accelerator.wait_for_everyone()

    def whole(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        found = {}
        for name, tensor in tensors.items():
            full = tensor.full_tensor() if _is_spread(tensor) else tensor
            if self.main:
                found[name] = full.cpu() if self.shard else full
        return found

    def whole_number(self, tensor: Tensor) -> float:
        return (tensor.full_tensor() if _is_spread(tensor) else tensor).item()

    def local(self, tensor: Tensor) -> Tensor:
        return tensor.to_local() if _is_spread(tensor) else tensor

    def placed(self, tensor: Tensor, like: Tensor) -> Tensor:
        if _is_spread(like):
            from torch.distributed.tensor import distribute_tensor

            # Every process has read the same file: none needs to send it.
            return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements, src_data_rank=None)
        return tensor

    def whole_model(self, model: SequenceModel) -> SequenceModel | None:
        if not self.shard:
            return model
        tensors = self.whole(model.state_dict())
        if not self.main:
            return None
        found = type(model)(model.vocabulary, model.config)
        found.load_state_dict(tensors)
        return found.to(self.device).eval()

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread gets signals
            return

        def remember(*_: object) -> None:
            self.pressed = True

        before = signal.signal(signal.SIGINT, remember)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


def _is_spread(tensor: Tensor) -> "TypeGuard[DTensor]":
    from torch.distributed.tensor import DTensor

    return isinstance(tensor, DTensor)


def find_worker(config: TrainerConfig) -> Worker:
    """This process as a worker: alone, or one of those that a launcher started.

    Raises:
        ConfigError: if there are several and accelerate is missing, or the device is.
    """
    if launcher.count() == 1:
        return Worker(config)
    return Accelerated(config)
