"""A simulated accelerator, to prove without one that no operation mixes devices.

It is torch's Python backend for `privateuseone`, under the name `simulated`. Its tensors wrap tensors of the CPU, on
which every operation runs; so values are real, results can be compared with those of the CPU, and code may depend on
them. An operation on a tensor of each device raises as it does on a GPU: a tensor of the CPU may only be copied, or be
a single number. `waits` lists the lines at which a processor would wait for a GPU.
"""

import contextlib
import re
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils import backend_registration

from nfgen.runtime import device, precision

NAME = "simulated"
_aten = torch.ops.aten
COPIES = {_aten._to_copy.default, _aten.copy_.default, _aten._copy_from.default}
THROUGH_CPU = ("tensor", "arange", "eye")
"""Functions that copy Python numbers, or resize a tensor, where a Python backend cannot be asked."""
MADE_THERE = ("arange", "eye")
"""Those that a GPU computes itself."""
WAITS = {_aten._local_scalar_dense.default, _aten.nonzero.default, _aten.masked_select.default, _aten.equal.default,
         _aten._unique2.default, _aten.unique_dim.default, _aten.bincount.default}  # fmt: skip
"""Operations whose result, or its size, the processor has to know."""
state = {"available": False, "copies of the maker": False}
OTHERS = re.compile(r"/tests/|/lib/python|^<")
"""Files that are not the package's."""
waits: list[str] = []
"""The lines of the package that wait for the device: for numbers from it, or for a copy to it, which torch ends
before it goes on unless it is told not to."""


class MixedDevices(RuntimeError):
    """An operation has tensors on two devices."""


class SimulatedTensor(Tensor):
    """A tensor on the simulated device: `inner` holds its numbers."""

    inner: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner: Tensor) -> "SimulatedTensor":
        with torch.inference_mode(False):  # a wrapper that counts no versions could have no views
            found: SimulatedTensor = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
                cls,
                inner.size(),
                strides=inner.stride(),
                storage_offset=inner.storage_offset(),
                dtype=inner.dtype,
                device=torch.device(NAME, 0),
            )
        found.inner = inner
        return found

    def __repr__(self, **_: Any) -> str:
        return f"SimulatedTensor({self.inner})"

    def tolist(self) -> Any:
        _waited()
        return self.inner.tolist()

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(function, args, kwargs or {})


def _run(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [one for one in pytree.tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
    simulated = [one for one in tensors if isinstance(one, SimulatedTensor)]
    if simulated and function not in COPIES:
        for one in tensors:
            if not isinstance(one, SimulatedTensor) and one.ndim > 0:
                raise MixedDevices(f"{function} on {simulated[0].device} and {one.device}")
    if _waits(function, args, kwargs):
        _waited()
    generator = kwargs.get("generator")
    if (
        generator is not None
        and generator.device.type == "cpu"
        and torch.device(kwargs.get("device", "cpu")).type == NAME
    ):
        raise MixedDevices(f"{function} on {NAME} with a generator of the CPU")

    def unwrapped(value: Any) -> Any:
        if isinstance(value, SimulatedTensor):
            return value.inner
        return torch.device("cpu") if isinstance(value, torch.device) else value

    out = function(*pytree.tree_map(unwrapped, args), **pytree.tree_map(unwrapped, kwargs))
    target = kwargs.get("device")
    if target is not None:
        stays = torch.device(target).type == NAME
    elif function is _aten.copy_.default:
        stays = isinstance(args[0], SimulatedTensor)
    else:
        stays = bool(simulated)
    known = {id(one.inner): one for one in simulated}

    def wrapped(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        return known[id(value)] if id(value) in known else SimulatedTensor(value)

    return pytree.tree_map(wrapped, out) if stays else out


def _waits(function: Any, args: Any, kwargs: dict[str, Any]) -> bool:
    """Whether the processor waits for the device in an operation."""
    if function in COPIES:
        if state["copies of the maker"]:
            return False
        source = args[0] if function is _aten._to_copy.default else args[1]
        if function is _aten._to_copy.default:
            there = torch.device(kwargs.get("device") or source.device).type == NAME
        else:
            there = isinstance(args[0], SimulatedTensor)
        from_there = isinstance(source, SimulatedTensor)
        blocking = not (kwargs.get("non_blocking") or (function is _aten.copy_.default and True in args[2:]))
        return from_there != there and (from_there or (blocking and source.ndim > 0))
    if function in (_aten.index.Tensor, _aten.index_put_.default, _aten.index_put.default):
        masks = [one for one in args[1] if one is not None and one.dtype == torch.bool]
        return any(isinstance(one, SimulatedTensor) for one in masks)
    return function in WAITS and any(isinstance(one, SimulatedTensor) for one in args)


def _waited() -> None:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and OTHERS.search(frame.f_code.co_filename):
        frame = frame.f_back
    waits.append("a test" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}")


class _Hook(torch._C._acc.PrivateUse1Hooks):  # type: ignore[misc,name-defined]
    def is_available(self) -> bool:
        return state["available"]

    def has_primary_context(self, device: int) -> bool:
        return True

    def is_built(self) -> bool:
        return True


class _Module(backend_registration._DummyBackendModule):  # type: ignore[misc]
    """What torch asks of a device's module."""

    def get_device_name(self, device: object = None) -> str:
        return "of the tests"

    def get_rng_state(self, device: object = None) -> Tensor:
        return torch.get_rng_state()

    def set_rng_state(self, state: Tensor, device: object = None) -> None:
        """It draws from the generator of the CPU."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]

    def is_available(self) -> bool:
        return state["available"]


_library: list[torch.library.Library] = []


def _register() -> None:
    if _library:
        return
    backend_registration._setup_privateuseone_for_python_backend(NAME, _Module(), _Hook())
    _library.append(torch.library.Library("_", "IMPL"))
    _library[0].fallback(lambda function, *args, **kwargs: _run(function, args, kwargs), "PrivateUse1")


def _through_cpu(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def made(*args: Any, device: Any = None, **others: Any) -> Tensor:
        if device is None or torch.device(device).type != NAME:
            return make(*args, device=device, **others)
        with _as_made_there(make.__name__ in MADE_THERE):
            return make(*args, **others).to(device)

    return made


@contextlib.contextmanager
def _as_made_there(there: bool) -> Iterator[None]:
    state["copies of the maker"] = there
    try:
        yield
    finally:
        state["copies of the maker"] = False


@contextlib.contextmanager
def simulated_device(monkeypatch: pytest.MonkeyPatch) -> Iterator[torch.device]:
    """Context in which there is the device; `auto` takes it."""
    _register()
    for name in THROUGH_CPU:
        monkeypatch.setattr(torch, name, _through_cpu(getattr(torch, name)))
    # In float32 results are those of the CPU to the bit.
    monkeypatch.setattr(precision, "product_speed", lambda dtype, side=None, device=None: 1.0)
    monkeypatch.setattr(device, "UPLOADS_UNAWAITED", {NAME})
    precision.bfloat16_pays.cache_clear()
    state["available"] = True
    try:
        yield torch.device(NAME, 0)
    finally:
        state["available"] = False
        precision.bfloat16_pays.cache_clear()
