"""Named sizes of the transformer."""

from typing import Any

from nfgen.config import Configuration
from nfgen.errors import ConfigError

from .registry import find

SIZES: dict[str, dict[str, int]] = {
    # About a million weights; trains in minutes on two cores.
    "tiny": {"layers": 4, "width": 128, "heads": 4},
    # NeF-GPT's table (Fanselau and Muschal 2024); heads of 64 as in GPT-2.
    "small": {"layers": 6, "width": 256, "heads": 4},
    "medium": {"layers": 7, "width": 384, "heads": 6},
    "big": {"layers": 8, "width": 512, "heads": 8},
    # By the same authors, for fields of MNIST digits.
    "mnist": {"layers": 12, "width": 240, "heads": 12},
}


def preset(model: str, size: str, **settings: Any) -> Configuration:
    """Settings of a model in a named size; `settings` override it.

    Raises:
        ConfigError: if there is no such model, size or setting.
    """
    if size not in SIZES:
        raise ConfigError(f"there is no preset {size!r}", f"known are: {', '.join(SIZES)}")
    return find(model).Config.from_json({**SIZES[size], **settings})
