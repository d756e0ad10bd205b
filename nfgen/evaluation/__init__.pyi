from .format import pair_lines, score_lines
from .generation import evaluate
from .reconstruction import evaluate_pairs

__all__ = [
    "evaluate",
    "evaluate_pairs",
    "pair_lines",
    "score_lines",
]
