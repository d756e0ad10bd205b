"""Is it new, or copied from training? Distances to the nearest training shape, beside those of real unseen shapes.

A model that stores its training set scores well on MMD, COV and 1-NNA (Zeng et al. 2026 show it for generators of
weights). So the same figures stand beside those of shapes that cannot be copies, the held-out reference shapes, and of
shapes that surely are: training weights plus a little noise, decoded.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from nfgen.errors import NfgenError

from .mmd_cov_nna import DRAWS, Matrix, Score

COPY_PERCENTILE = 5.0  # training shapes have near twins too: nearer than 95 % of them are is a suspected copy


def novelty_scores(
    sample_train: Matrix,
    sample_reference: Matrix,
    reference_train: Matrix,
    reference_reference: Matrix,
    train_train: Matrix,
    seed: int = 0,
) -> dict[str, Any]:
    """How far samples are from the training shapes, and how far real unseen shapes are.

    Args:
        sample_train: distances [S, T] of samples to training shapes.
        sample_reference: [S, R], to the held-out reference shapes.
        reference_train: [R, T].
        reference_reference: [R, R]; its diagonal is ignored.
        train_train: [T, T]; its diagonal is ignored.
        seed: of the interval.

    Returns:
        `ratio`: median over samples of the distance to the nearest training shape, divided by the same median of the
        held-out shapes (1: as new as real unseen shapes; near 0: copies), with a bootstrap interval over samples and
        held-out shapes; this bootstrap may draw with replacement, as each nearest distance is to a fixed training set.
        `copy_threshold`: the 5th percentile of training shapes' distances to their nearest other training shape.
        `samples` and `heldout`: medians `nearest_train` and `nearest_reference` (of held-out shapes: the other ones),
        `share_near_copies` (nearest training shape closer than the threshold), `share_closer_to_train` (than to any
        reference), `expected_share_closer_to_train` (the share if training and reference shapes were alike to it:
        there may be more of the one than of the other). `scatter`: the values of every sample and held-out shape.

    Raises:
        NfgenError: matrices that do not fit each other, or fewer than two training or reference shapes.
    """
    samples, train = sample_train.shape
    reference = len(reference_train)
    wanted = ((samples, reference), (reference, train), (reference, reference), (train, train))
    given = tuple(m.shape for m in (sample_reference, reference_train, reference_reference, train_train))
    if given != wanted:
        raise NfgenError(f"distances of shapes {given} do not belong together", f"give {wanted}")
    if samples < 1 or train < 2 or reference < 2:
        raise NfgenError(
            f"novelty of {samples} samples against {train} training and {reference} reference shapes",
            "give one sample and two of the others at least",
        )
    threshold = float(np.percentile(_nearest_other(train_train), COPY_PERCENTILE))
    from_samples, from_heldout = sample_train.min(axis=1), reference_train.min(axis=1)
    sample_to_reference, heldout_to_reference = sample_reference.min(axis=1), _nearest_other(reference_reference)
    return {
        "ratio": _ratio_of_medians(from_samples, from_heldout, seed),
        "copy_threshold": threshold,
        "samples": _summary(from_samples, sample_to_reference, threshold, train / (train + reference)),
        "heldout": _summary(from_heldout, heldout_to_reference, threshold, train / (train + reference - 1)),
        "scatter": {
            "samples": {
                "nearest_train": from_samples.tolist(),
                "nearest_reference": sample_to_reference.tolist(),
                "train_index": sample_train.argmin(axis=1).tolist(),
            },
            "heldout": {
                "nearest_train": from_heldout.tolist(),
                "nearest_reference": heldout_to_reference.tolist(),
                "train_index": reference_train.argmin(axis=1).tolist(),
            },
        },
    }


def nearest_weights(
    generated: npt.ArrayLike, train: npt.ArrayLike
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Nearest training field of every generated one in weight space.

    Args:
        generated: weights [G, P].
        train: weights [T, P]. Bring both to canonical order of neurons first where fits have no shared init.

    Returns:
        Indices [G] and Euclidean distances [G], in units of the root mean squared distance of the training weights to
        their mean: 0 is a copy, and sqrt(2) is typical of two unrelated training fields.

    Raises:
        NfgenError: no weights, not finite, different lengths, or training weights that are all equal.
    """
    distances = _weight_distances(generated, train)
    return distances.argmin(axis=1), distances.min(axis=1)


def weight_novelty(generated: npt.ArrayLike, train: npt.ArrayLike) -> dict[str, Any]:
    """How far generated weights [G, P] are from training weights [T, P], beside training weights from each other.

    Returns:
        `index` and `distance`: lists of what `nearest_weights` gives; `median` distance; `train_median`, that of
        training fields to their nearest other one; `copy_threshold`, the 5th percentile of the latter;
        `share_near_copies`, the share of generated fields that are nearer than it.

    Raises:
        NfgenError: as `nearest_weights`.
    """
    index, distance = nearest_weights(generated, train)
    others = _nearest_other(_weight_distances(train, train))
    threshold = float(np.percentile(others, COPY_PERCENTILE))
    return {
        "index": index.tolist(),
        "distance": distance.tolist(),
        "median": float(np.median(distance)),
        "train_median": float(np.median(others)),
        "copy_threshold": threshold,
        "share_near_copies": float((distance < threshold).mean()),
    }


def _weight_distances(generated: npt.ArrayLike, train: npt.ArrayLike) -> Matrix:
    """Distances [G, T] in the unit of `nearest_weights`."""
    first, second = (np.asarray(w, dtype=np.float64) for w in (generated, train))
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1] or 0 in first.shape + second.shape:
        raise NfgenError(f"weights of shapes {first.shape} and {second.shape}", "give [G, P] and [T, P] of one spec")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise NfgenError("weights hold NaN or infinite values", "leave these fields out")
    from scipy.spatial.distance import cdist

    centre = second.mean(axis=0)
    scale = float(np.sqrt(((second - centre) ** 2).sum(axis=1).mean()))
    if scale == 0:
        raise NfgenError(f"all {len(second)} training weights are equal", "give different fields")
    distances: Matrix = cdist(first, second) / scale
    return distances


def _nearest_other(distances: Matrix) -> Matrix:
    others = distances.copy()
    np.fill_diagonal(others, np.inf)
    nearest: Matrix = others.min(axis=1)
    return nearest


def _summary(to_train: Matrix, to_reference: Matrix, threshold: float, expected: float) -> dict[str, float]:
    return {
        "nearest_train": float(np.median(to_train)),
        "nearest_reference": float(np.median(to_reference)),
        "share_near_copies": float((to_train < threshold).mean()),
        "share_closer_to_train": float((to_train < to_reference).mean()),
        "expected_share_closer_to_train": expected,
    }


def _ratio_of_medians(samples: Matrix, heldout: Matrix, seed: int) -> Score:
    if np.median(heldout) == 0:
        raise NfgenError(
            "half of the reference shapes are training shapes themselves", "give reference shapes that were held out"
        )
    rng = np.random.default_rng(seed)
    above = np.median(rng.choice(samples, (DRAWS, len(samples))), axis=1)
    # A draw may consist of copies alone; it then says no more than that the ratio is large.
    below = np.maximum(np.median(rng.choice(heldout, (DRAWS, len(heldout))), axis=1), heldout[heldout > 0].min())
    value = float(np.median(samples) / np.median(heldout))
    low, high = np.quantile(above / below, [0.025, 0.975])
    return {"value": value, "low": min(float(low), value), "high": max(float(high), value)}
