"""Names of stored tensors: prefixes, and names that have changed since a file was written."""

import re
from collections.abc import Iterable

from torch import Tensor


def strip_prefix(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors named `prefix/NAME`, by NAME."""
    prefix += "/"
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def rename(tensors: dict[str, Tensor], patterns: Iterable[tuple[str, str]]) -> dict[str, Tensor]:
    """Tensors by new names: each regular expression in turn is replaced in every name, as by `re.sub`."""
    renamed = {}
    for name, tensor in tensors.items():
        for pattern, replacement in patterns:
            name = re.sub(pattern, replacement, name)
        renamed[name] = tensor
    return renamed
