"""For `import torchvision` where its operators do not load.

`meshgpt-pytorch` and `transformers` import torchvision for pictures, which nothing here uses. PyPI's torchvision is
built for CUDA: beside a CPU build of torch its operators are missing, and already its import fails, as it describes two
of them to torch. Declaring these, without giving them a body, is enough.
"""

import importlib.util
from pathlib import Path

import torch

DESCRIBED = ("nms", "qnms")
_kept: list[torch.library.Library] = []  # a library that is collected takes its operators along


def declare_missing_operators() -> None:
    """Call before the first import of torchvision; does nothing where its operators load, or it is not installed."""
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None or _kept:
        return
    try:
        for library in Path(found.origin).parent.glob("_C*.so"):
            torch.ops.load_library(library)
    except OSError:
        _kept.append(torch.library.Library("torchvision", "DEF"))
        for name in DESCRIBED:
            _kept[0].define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
