"""The one module that knows devices: which one to compute on, and what it can do.

Rule for all other modules: a tensor is made on the device of its inputs, and a result stays on the device of its
weights. They name no device and ask this module what differs between devices.
"""

import contextlib
import functools
import logging
import platform
from collections.abc import Iterator
from typing import Any

import torch

from nfgen.config import AUTO
from nfgen.errors import ConfigError

CPU = torch.device("cpu")
KINDS = ("cpu", "cuda", "mps", "xpu")
COMPUTED_ON = "computed_on"
"""Key in artifacts, for information: on what they were computed."""
WITHOUT_FLOAT64 = ("mps",)
"""Kinds of devices that have no float64."""
UPLOADS_UNAWAITED = {"cuda"}
"""Kinds of devices whose copies from ordinary memory are safe to go on without."""
log = logging.getLogger("nfgen")


def find_device(name: str | torch.device = AUTO) -> torch.device:
    """The device of a name: `cpu`, `cuda`, `cuda:1`, `mps`, `xpu`; `auto` is the accelerator, if there is one.

    Raises:
        ConfigError: if there is no such device, or this machine does not have it.
    """
    there = torch.accelerator.current_accelerator(check_available=True)
    if name == AUTO:
        return CPU if there is None else torch.device(there.type, torch.accelerator.current_device_index())
    kind, _, index = str(name).partition(":")
    known = KINDS if there is None else (*KINDS, there.type)
    if kind not in known or (index and not index.isdecimal()) or (kind == "cpu" and int(index or 0)):
        raise ConfigError(f"there is no device {str(name)!r}", f"known are: {', '.join((AUTO, *KINDS))}, cuda:1 …")
    if kind == "cpu":
        return CPU
    if there is None or kind != there.type:
        has = "no accelerator" if there is None else there.type
        raise ConfigError(
            f"there is no {kind} here: this installation of torch finds {has}", "use --device auto; see nfgen doctor"
        )
    count = torch.accelerator.device_count()
    if int(index or 0) >= count:
        raise ConfigError(f"there is no device {str(name)!r}: {count} of them are here", f"use --device {kind}")
    return torch.device(kind, int(index) if index else torch.accelerator.current_device_index())


def choose_device(name: str | torch.device = AUTO) -> torch.device:
    """`find_device` for a command, which says once what it computes on.

    Raises:
        ConfigError: as `find_device`.
    """
    device = find_device(name)
    announce(device)
    return device


@functools.cache
def announce(device: torch.device) -> None:
    """Say once that this process computes on a device."""
    log.info("computing on %s", describe(device))


def without_device(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings that decide a result: an interrupted command may resume on another device."""
    return {key: value for key, value in settings.items() if key != "device"}


def describe(device: torch.device) -> str:
    """The device and the name of its hardware, for people."""
    if is_cpu(device):
        return f"cpu ({platform.processor() or platform.machine()})"
    module = torch.get_device_module(device)
    hardware = module.get_device_name(device) if hasattr(module, "get_device_name") else None
    return f"{device} ({hardware})" if hardware else str(device)


def why() -> str:
    """The reason of what `auto` takes."""
    there = torch.accelerator.current_accelerator(check_available=True)
    if there is not None:
        return f"torch finds {torch.accelerator.device_count()} {there.type} device(s)"
    built = torch.accelerator.current_accelerator()
    if built is not None:
        return (
            f"torch {torch.__version__} is built for {built.type}, but finds no such device: is its driver installed?"
        )
    return f"torch {torch.__version__} is built for the CPU alone"


def all_devices() -> list[torch.device]:
    """The CPU, and each accelerator that torch finds."""
    there = torch.accelerator.current_accelerator(check_available=True)
    count = 0 if there is None else torch.accelerator.device_count()
    return [CPU, *(torch.device(there.type, i) for i in range(count) if there is not None)]


def is_cpu(device: torch.device) -> bool:
    """Whether it is the processor: there small blocks stay in its caches, and threads are the parallelism."""
    return device.type == "cpu"


def supports(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether a device has tensors of a type."""
    return dtype != torch.float64 or device.type not in WITHOUT_FLOAT64


def finest(device: torch.device) -> torch.dtype:
    """The floating-point type of most digits: float64, or float32 where that is missing."""
    return torch.float64 if supports(device, torch.float64) else torch.float32


def upload(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """A tensor of the processor on a device, without waiting for what the device does before.

    CUDA has taken the numbers of ordinary memory when the call returns; other devices may not, so there it waits.
    """
    return tensor.to(device, non_blocking=device.type in UPLOADS_UNAWAITED)


def free_memory(device: torch.device) -> int | None:
    """Bytes of a device's memory that are free; None if it does not say."""
    try:
        return None if is_cpu(device) else int(torch.accelerator.get_memory_info(device)[0])
    except (RuntimeError, AttributeError, NotImplementedError):
        return None


def peak_memory(device: torch.device) -> int | None:
    """Most bytes of a device's memory that this process has had; None if it does not say, and for the CPU, whose
    memory is the machine's."""
    try:
        return None if is_cpu(device) else int(torch.accelerator.max_memory_allocated(device))
    except (RuntimeError, AttributeError, NotImplementedError):
        return None


def synchronize(device: torch.device) -> None:
    """Wait until a device has done its work, before a clock is read."""
    if not is_cpu(device):
        torch.accelerator.synchronize(device)


@contextlib.contextmanager
def kept_random_state(device: torch.device) -> Iterator[None]:
    """Context that leaves torch's generators, of the CPU and of a device, as they were."""
    if is_cpu(device):
        with torch.random.fork_rng(devices=[]):
            yield
    else:
        with torch.random.fork_rng(devices=[device.index or 0], device_type=device.type):
            yield
