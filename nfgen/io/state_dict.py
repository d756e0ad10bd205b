"""Networks that a file says it holds: checked before memory is given to them.

Settings are numbers that anyone can write into a file. So networks are first built on the meta device, where tensors
have only a shape, and compared with the weights that are there. Networks compute nothing while they are built, but when
it is first needed: arithmetic on that device would load torch's compiler, which takes as long as a first mesh.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from nfgen.errors import ConfigError


def check_state_dict(build: Callable[[], nn.Module], tensors: dict[str, Tensor]) -> None:
    """Refuse stored settings of networks whose weights are not those that the file holds, before memory is taken.

    Args:
        build: makes the networks from the settings.
        tensors: the state that is to be loaded into them.

    Raises:
        ConfigError: if names or shapes differ.
    """
    try:
        with torch.device("meta"), SkipInit():
            wanted = {key: tuple(value.shape) for key, value in build().state_dict().items()}
    except (RuntimeError, OverflowError, MemoryError) as error:
        if "meta" in str(error):
            return  # networks that compute with values while they are built cannot be asked beforehand
        # A shape beyond 64 bits.
        raise ConfigError(f"its settings are impossible: {str(error).splitlines()[0]}") from error
    held = {key: tuple(value.shape) for key, value in tensors.items()}
    wrong = next((key for key in sorted(wanted | held) if wanted.get(key) != held.get(key)), None)
    if wrong is not None:
        raise ConfigError(f"its settings want {wrong} of shape {wanted.get(wrong)}, it holds {held.get(wrong)}")


class SkipInit(TorchFunctionMode):
    """First weights are not drawn, as there is nothing to hold them."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        return kwargs["tensor"] if function is nn.init.normal_ else function(*args, **kwargs)
