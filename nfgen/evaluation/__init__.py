"""Files to scores: find shapes, samples and fields, bring them into one frame, judge them.

- `sets.py`: a generated set against reference and training shapes; `pairs.py`: reconstructions, each against its shape
- `surfaces.py`: files as point clouds; `weights.py`: what the training fields' weights tell of novelty;
  `classifier.py`: the classifier of the Fréchet distance
- `lines.py`: the scores as text
"""

from .format import pair_lines, score_lines
from .generation import evaluate
from .reconstruction import evaluate_pairs

__all__ = ["evaluate", "evaluate_pairs", "pair_lines", "score_lines"]
