"""Files to scores: find shapes, samples and fields, bring them into one frame, judge them."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .format import pair_lines, score_lines
    from .generation import evaluate
    from .reconstruction import evaluate_pairs

__all__ = ["evaluate", "evaluate_pairs", "pair_lines", "score_lines"]

# Loaded on first use: `nfgen evaluate --help` needs the configuration only.
_HOME = {
    "evaluate": "generation",
    "evaluate_pairs": "reconstruction",
    "pair_lines": "format",
    "score_lines": "format",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
