"""Precision and recall of a generated set: how much of it looks real, and how much of the real it reaches."""

from typing import TypedDict

import numpy as np
import numpy.typing as npt

from nfgen.errors import NfgenError
from nfgen.metrics.mmd_cov_nna import Indices, Matrix, Score, half_samples

NEIGHBOURS = 3  # of Kynkäänniemi et al.
DRAWS = 300  # pairs of halves for the interval


class PrecisionRecall(TypedDict):
    """Both, each with its 95 % interval."""

    precision: Score
    recall: Score


def precision_recall(
    generated_generated: Matrix,
    generated_reference: Matrix,
    reference_reference: Matrix,
    seed: int = 0,
    neighbours: int = NEIGHBOURS,
) -> PrecisionRecall:
    """Improved precision and recall (Kynkäänniemi et al. 2019, https://arxiv.org/abs/1904.06991) by any distance.

    Around each reference lies a ball that reaches to its third nearest other reference. Precision is the share of
    samples that lie in some ball; recall is the share of references that lie in the balls of the samples. A set that
    repeats a few good shapes has precision without recall; one that adds junk to variety, recall without precision.

    Args:
        generated_generated: [G, G].
        generated_reference: [G, R].
        reference_reference: [R, R].
        seed: of the half samples of the intervals, see `nfgen.metrics.mmd_cov_nna`.
        neighbours: which nearest other shape a ball reaches to.

    Raises:
        NfgenError: matrices that do not fit, or not more shapes of each kind than neighbours.
    """
    gg, gr, rr = (np.asarray(m, np.float64) for m in (generated_generated, generated_reference, reference_reference))
    count = gr.shape
    if gr.ndim != 2 or gg.shape != (count[0],) * 2 or rr.shape != (count[1],) * 2:
        raise NfgenError(f"distances of shapes {gg.shape}, {gr.shape}, {rr.shape}", "give [G, G], [G, R], [R, R]")
    if min(count) <= neighbours:
        raise NfgenError(
            f"precision of {count[0]} generated and {count[1]} reference shapes by {neighbours} neighbours",
            "give more of each, or count fewer neighbours",
        )

    def statistic(rows: Indices, columns: Indices) -> npt.NDArray[np.float64]:
        between = gr[np.ix_(rows, columns)]
        reach_real = _reach(rr[np.ix_(columns, columns)], neighbours)
        reach_made = _reach(gg[np.ix_(rows, rows)], neighbours)
        precision = (between <= reach_real).any(axis=1).mean()
        recall = (between <= reach_made[:, None]).any(axis=0).mean()
        return np.array([precision, recall])

    if min(count) // 2 <= neighbours:
        values = statistic(np.arange(count[0]), np.arange(count[1]))
        precision, recall = (Score(value=float(value), low=None, high=None) for value in values)
    else:
        precision, recall = half_samples(statistic, count[0], count[1], most=[1.0, 1.0], seed=seed, draws=DRAWS)
    return {"precision": precision, "recall": recall}


def _reach(own: Matrix, neighbours: int) -> npt.NDArray[np.float64]:
    """Distance of each shape [N] to its k-th nearest other one; own [N, N]."""
    own = own.copy()
    np.fill_diagonal(own, np.inf)
    reach: npt.NDArray[np.float64] = np.partition(own, neighbours - 1, axis=1)[:, neighbours - 1]
    return reach
