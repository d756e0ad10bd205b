"""What this machine offers to nfgen, and what is wrong with it: for `nfgen doctor`."""

import os
import platform
import shutil
import tempfile
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

from nfgen import __version__
from nfgen.runtime import machine

from .describe import describe_components

EXTRAS = {
    "accelerate": ("accelerate",),
    "formats": ("lxml", "networkx", "pycollada"),
    "hub": ("huggingface_hub",),
    "onnx": ("onnx", "onnxruntime"),
    "print": ("manifold3d",),
    "tensorboard": ("tensorboard",),
    "uv": ("xatlas",),
}
"""Extras that a user may want, and the packages that each brings."""

GIGABYTE = 1e9
LITTLE_DISK, LITTLE_MEMORY = 2 * GIGABYTE, 2 * GIGABYTE


def examine() -> dict[str, Any]:
    """Versions, extras, plug-ins, devices, precision, threads, memory and disk; `warnings`, `errors` say what to mend.

    Sizes are in bytes. Speeds are floating-point operations a second of matrix products on the device that `auto`
    takes; on a processor, of one thread.
    """
    import torch

    errors: list[str] = []
    warnings: list[str] = []
    versions = {name: _version(name) for name in _dependencies()}
    for name, found in versions.items():
        if found is None:
            errors.append(f"{name} is not installed: pip install --force-reinstall nfgen")
    extras = {extra: all(_version(name) for name in names) for extra, names in EXTRAS.items()}
    components = describe_components(True, True)
    broken = {
        name: about["what"]
        for kind in components.values()
        for name, about in kind.items()
        if about["what"].startswith("broken: ")
    }
    warnings += [f"the plug-in {name} is {what}" for name, what in broken.items()]
    precision = _precision()
    threads: dict[str, Any] = {
        "processors": machine.processors(),
        "torch": torch.get_num_threads(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
    }
    if threads["torch"] > threads["processors"]:
        warnings.append(
            f"torch has {threads['torch']} threads for {threads['processors']} processors: set OMP_NUM_THREADS"
        )
    if (slowed := machine.slowed_threads()) is not None:
        warnings.append(slowed)
    memory = dict(zip(("total", "available"), machine.memory(), strict=True))
    disk = {name: shutil.disk_usage(path).free for name, path in _places().items()}
    if memory["available"] < LITTLE_MEMORY:
        warnings.append(f"only {memory['available'] / GIGABYTE:.1f} GB of memory are free: give smaller batches")
    warnings += [
        f"only {free / GIGABYTE:.1f} GB are free in the {name} folder"
        for name, free in disk.items()
        if free < LITTLE_DISK
    ]
    return {
        "nfgen": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions,
        "extras": extras,
        "components": {kind: list(names) for kind, names in components.items()},
        "devices": _devices(),
        "precision": precision,
        "threads": threads,
        "memory": memory,
        "disk_free": disk,
        "warnings": warnings,
        "errors": errors,
    }


def lines(found: dict[str, Any]) -> list[str]:
    """What was found as lines of text."""
    extras = ", ".join(f"{name} {'yes' if there else 'no'}" for name, there in found["extras"].items())
    from nfgen.runtime.device import CPU

    memory, precision, threads = found["memory"], found["precision"], found["threads"]
    of = "a thread" if found["devices"]["auto"] == str(CPU) else found["devices"]["auto"]
    gigabytes = {key: "?" if value is None else f"{value / GIGABYTE:.1f} GB" for key, value in memory.items()}
    text = {
        "nfgen": f"{found['nfgen']} on Python {found['python']}, {found['system']}",
        "packages": ", ".join(f"{name} {version}" for name, version in found["versions"].items()),
        "extras": f"{extras}; pip install 'nfgen[NAME]' adds one",
        "tokenizers": ", ".join(found["components"]["tokenizers"]),
        "models": ", ".join(found["components"]["models"]),
        "devices": ", ".join(found["devices"]["found"]),
        "auto": f"{found['devices']['auto']}: {found['devices']['why']}",
        "bfloat16": f"{'used' if precision['bfloat16_used'] else 'not used'} in training; matrix products of {of} "
        f"at {precision['bfloat16_flops'] / 1e9:.0f} GFLOP/s, in float32 at {precision['float32_flops'] / 1e9:.0f}",
        "threads": f"{threads['torch']} of {threads['processors']} processors",
        "memory": f"{gigabytes['available']} free of {gigabytes['total']}",
        "disk": ", ".join(f"{free / GIGABYTE:.1f} GB free ({name})" for name, free in found["disk_free"].items()),
    }
    return [
        *(f"{key:<12}{value}" for key, value in text.items()),
        *(f"warning: {warning}" for warning in found["warnings"]),
        *(f"error: {error}" for error in found["errors"]),
        *([] if found["errors"] else ["nfgen can work here"]),
    ]


def _dependencies() -> list[str]:
    """Names of what nfgen cannot do without, as its own metadata say."""
    try:
        needed = requires("nfgen") or []
    except PackageNotFoundError:  # a source tree on the path, not installed
        return ["torch", "numpy"]
    return [name for line in needed if "extra ==" not in line for name in [_name(line)]]


def _name(requirement: str) -> str:
    end = next((i for i, sign in enumerate(requirement) if sign in " <>=!~;["), len(requirement))
    return requirement[:end]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _devices() -> dict[str, Any]:
    from nfgen.runtime.device import all_devices, describe, find_device, why

    return {"found": [describe(device) for device in all_devices()], "auto": str(find_device()), "why": why()}


def _precision() -> dict[str, Any]:
    """Of the device that `auto` takes."""
    import torch

    from nfgen.runtime.device import find_device
    from nfgen.runtime.precision import bfloat16_pays, product_speed

    device = find_device()
    speeds = {f"{name}_flops": product_speed(getattr(torch, name), device=device) for name in ("float32", "bfloat16")}
    return {"bfloat16_used": bfloat16_pays(device), **speeds}


def _places() -> dict[str, str]:
    return {"working": ".", "temporary": tempfile.gettempdir()}
