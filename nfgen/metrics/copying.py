"""Does a generator copy its training shapes? Z_U and a copy rate, both against real shapes that cannot be copies.

Both ask the same of generated and of held-out real shapes: how far is the nearest training shape? Who has learned the
distribution is as far from it as unseen real shapes are; who copies is nearer.
"""

from typing import Any

import numpy as np
from scipy.stats import binomtest, fisher_exact, norm, rankdata

from nfgen.errors import NfgenError
from nfgen.metrics.mmd_cov_nna import Matrix, Score
from nfgen.metrics.novelty import COPY_PERCENTILE

MOST = 200  # shapes of a kind that count for Z_U, which grows with their number
LEVEL = 0.05  # how often real unseen shapes may be called copies; each of the two tests gets half of it


def z_u(samples: Matrix, heldout: Matrix, most: int = MOST) -> float:
    """Z_U of Meehan, Chaudhuri and Dasgupta 2020 (https://arxiv.org/abs/2004.05675): the Mann-Whitney z.

    Near 0: samples are as far from the training shapes as unseen real shapes are. Far below: they copy. Far above: they
    do not reach the distribution. Below -1.64 one in twenty generators that copy nothing comes by chance.

    Z_U grows with the square root of the number of shapes, so values are only comparable at the same one; 200 of each
    is what "Memorization in 3D Shape Generation" (https://arxiv.org/abs/2512.23628) takes. Of more shapes the z is
    given that 200 of each would have on average, which needs no drawing: U's mean over subsets is known.

    Args:
        samples: [S], of each sample the distance to its nearest training shape.
        heldout: [H], the same of real shapes that were not trained on.
        most: shapes of each kind to count.

    Raises:
        NfgenError: no samples or no held-out shapes, or distances that are not finite.
    """
    above, below = np.asarray(samples, dtype=np.float64), np.asarray(heldout, dtype=np.float64)
    if above.ndim != 1 or below.ndim != 1 or not len(above) or not len(below):
        raise NfgenError(
            f"Z_U of distances of shapes {above.shape} and {below.shape}", "give [S] and [H], one at least"
        )
    together = np.concatenate([above, below])
    if not np.isfinite(together).all():
        raise NfgenError("distances to the nearest training shape are not finite", "leave empty shapes out")
    n, m = len(above), len(below)
    wins = rankdata(together)[:n].sum() - n * (n + 1) / 2  # pairs whose sample is farther away; of equal ones half
    share = wins / (n * m)
    n, m = min(n, most), min(m, most)
    continuity = 0.5
    return float((share * n * m - n * m / 2 + continuity) / np.sqrt(n * m * (n + m + 1) / 12))


def copying_scores(sample_train: Matrix, heldout_train: Matrix) -> dict[str, Any]:
    """Z_U and the copy rate of samples, and whether they are more than chance.

    Args:
        sample_train: [S, T] distances of samples to the training shapes, by any distance of shapes.
        heldout_train: [H, T], of real shapes that were not trained on.

    Returns:
        `z_u`, and `samples` and `heldout`, the numbers of shapes it counts. `copy_threshold`: the 5th percentile of
        the held-out shapes' distances to their nearest training shape. `copy_rate`: share of samples that are nearer
        than that, with its 95 % interval (Clopper and Pearson); `expected_copy_rate`: the same share of the held-out
        shapes, 0.05 by its making. `p_z_u`, `p_copy_rate`: how often samples without copies would look so near, by
        the z and by Fisher's exact test. `copies`: one of these is below 0.025.

    Raises:
        NfgenError: no samples, held-out or training shapes, or matrices that do not fit.
    """
    if sample_train.ndim != 2 or heldout_train.ndim != 2 or sample_train.shape[1] != heldout_train.shape[1]:
        raise NfgenError(
            f"distances of shapes {sample_train.shape} and {heldout_train.shape} do not belong together",
            "give [S, T] and [H, T]",
        )
    if 0 in sample_train.shape + heldout_train.shape:
        raise NfgenError("copying cannot be judged without samples, training and held-out shapes", "give one at least")
    near, unseen = sample_train.min(axis=1), heldout_train.min(axis=1)
    z = z_u(near, unseen)
    threshold = float(np.percentile(unseen, COPY_PERCENTILE))
    copies, chance = int((near < threshold).sum()), int((unseen < threshold).sum())
    p_rate = float(fisher_exact([[copies, len(near) - copies], [chance, len(unseen) - chance]], "greater").pvalue)
    p_z = float(norm.cdf(z))
    return {
        "z_u": z,
        "samples": min(len(near), MOST),
        "heldout": min(len(unseen), MOST),
        "copy_threshold": threshold,
        "copy_rate": share_with_interval(copies, len(near)),
        "expected_copy_rate": chance / len(unseen),
        "p_z_u": p_z,
        "p_copy_rate": p_rate,
        "copies": min(p_z, p_rate) < LEVEL / 2,
    }


def share_with_interval(count: int, of: int) -> Score:
    """A share and its exact 95 % interval (Clopper and Pearson 1934)."""
    interval = binomtest(count, of).proportion_ci(0.95, method="exact")
    return Score(value=count / of, low=float(interval.low), high=float(interval.high))
