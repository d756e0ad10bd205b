"""Copies are found whatever their share; precision and recall; references that are training shapes in all but name."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import mannwhitneyu

from nfgen.errors import NfgenError
from nfgen.metrics import chamfer_matrix, copying_scores, near_duplicates, precision_recall, sampling_noise, z_u

COUNT = 200
SEEDS = range(12)


def shapes(count: int, rng: np.random.Generator) -> np.ndarray:
    """Shapes as a few numbers each; clusters, since real collections have kinds."""
    return rng.normal(size=(count, 6)) + 2 * rng.integers(0, 3, (count, 1))


def judged(share: float, seed: int, count: int = COUNT) -> dict:
    """A generator that draws anew, but for this share of its samples: training shapes with a little noise."""
    rng = np.random.default_rng(seed)
    train, heldout, samples = shapes(2 * count, rng), shapes(count, rng), shapes(count, rng)
    copies = round(share * count)
    samples[:copies] = train[rng.permutation(len(train))[:copies]] + 0.05 * rng.normal(size=(copies, 6))
    return copying_scores(cdist(samples, train), cdist(heldout, train))


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_planted_copies_are_caught_each_time(share: float) -> None:
    for seed in SEEDS:
        found = judged(share, seed)
        assert found["copies"], (seed, found)
        assert found["copy_rate"]["low"] <= share + 0.05
        assert found["copy_rate"]["value"] >= 0.8 * share
    assert np.mean([judged(share, seed)["z_u"] for seed in SEEDS]) < -10 * share


def test_a_generator_that_copies_nothing_is_hardly_ever_accused() -> None:
    found = [judged(0.0, seed) for seed in range(40)]
    assert sum(one["copies"] for one in found) <= 4
    assert abs(np.mean([one["z_u"] for one in found])) < 0.5
    assert np.std([one["z_u"] for one in found]) == pytest.approx(1, abs=0.3)


def test_z_u_of_more_shapes_is_the_mean_of_what_200_of_each_would_give() -> None:
    rng = np.random.default_rng(0)
    samples, heldout = rng.gamma(2, 0.9, 1000), rng.gamma(2, 1.0, 800)
    drawn = [z_u(rng.choice(samples, 200, replace=False), rng.choice(heldout, 200, replace=False)) for _ in range(400)]
    assert z_u(samples, heldout) == pytest.approx(np.mean(drawn), abs=0.15)
    assert z_u(samples, heldout) < 0 < z_u(heldout, samples)
    # Fewer count as they are: the textbook's statistic, from another program.
    few, others = samples[:30], heldout[:50]
    u = mannwhitneyu(few, others).statistic
    assert z_u(few, others) == pytest.approx((u - 750 + 0.5) / np.sqrt(30 * 50 * 81 / 12))


def test_unusable_distances_are_refused() -> None:
    with pytest.raises(NfgenError, match="not finite"):
        z_u(np.array([1.0, np.inf]), np.ones(3))
    with pytest.raises(NfgenError, match="Z_U of"):
        z_u(np.ones(0), np.ones(3))
    with pytest.raises(NfgenError, match="do not belong"):
        copying_scores(np.ones((2, 3)), np.ones((2, 4)))
    with pytest.raises(NfgenError, match="without samples"):
        copying_scores(np.ones((0, 3)), np.ones((2, 3)))


def both(generated: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    found = precision_recall(
        cdist(generated, generated), cdist(generated, reference), cdist(reference, reference), seed=1
    )
    for one in found.values():
        assert one["low"] <= one["value"] <= one["high"]
    return found["precision"]["value"], found["recall"]["value"]


def test_precision_and_recall_tell_junk_from_missing_variety() -> None:
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(60, 3)), rng.normal(size=(60, 3)) + 50
    real = np.concatenate([left, right])
    precision, recall = both(rng.normal(size=(120, 3)), real)
    assert precision > 0.8
    assert 0.3 < recall < 0.52, "half of the real kinds are never made"
    half_junk = np.concatenate(
        [rng.normal(size=(40, 3)), rng.normal(size=(40, 3)) + 50, rng.normal(size=(80, 3)) + 500]
    )
    precision, recall = both(half_junk, real)
    assert 0.35 < precision < 0.52, "half of the samples are like nothing real"
    assert recall > 0.7
    assert both(real + 1e-9, real) == (1.0, 1.0)
    assert both(real + 1e6, real) == (0.0, 0.0)


def test_precision_and_recall_by_hand() -> None:
    # Third nearest others of the references 0, 1, 2, 3, 20 are 3, 2, 2, 3, 19 away; so the balls reach from -3 to 39.
    real, made = np.array([[0.0], [1], [2], [3], [20]]), np.array([[-2.5], [-4], [38], [40], [41]])
    found = precision_recall(cdist(made, made), cdist(made, real), cdist(real, real))
    assert found["precision"]["value"] == pytest.approx(2 / 5)
    # Those of the samples are 43.5, 44, 40.5, 42.5 and 43.5 away: all references lie within.
    assert found["recall"]["value"] == 1
    assert found["precision"]["low"] is None, "of two there are no third neighbours"
    with pytest.raises(NfgenError, match="3 neighbours"):
        precision_recall(np.zeros((3, 3)), np.zeros((3, 5)), np.zeros((5, 5)))
    with pytest.raises(NfgenError, match="of shapes"):
        precision_recall(np.zeros((3, 4)), np.zeros((3, 5)), np.zeros((5, 5)))


def boxes(sides: np.ndarray, points: int, rng: np.random.Generator) -> np.ndarray:
    """Points on the faces of boxes of these sides [N, 3], by area."""
    clouds = []
    for side in sides:
        areas = side.prod() / side
        axis = rng.choice(3, points, p=areas / areas.sum())
        cloud = rng.uniform(-1, 1, (points, 3)) * side / 2
        cloud[np.arange(points), axis] = rng.choice([-1, 1], points) * side[axis] / 2
        clouds.append(cloud)
    return np.stack(clouds).astype(np.float32)


def test_other_samplings_of_one_surface_are_duplicates_and_other_surfaces_are_not() -> None:
    rng = np.random.default_rng(0)
    sides = rng.uniform(0.4, 1.6, (24, 3))
    train, reference = boxes(sides, 1024, rng), boxes(np.concatenate([sides[:7], sides[7:14] + 0.15]), 1024, rng)
    distances = chamfer_matrix(reference, train)
    noise = sampling_noise(reference)
    again = np.diag(chamfer_matrix(reference[:7], boxes(sides[:7], 1024, rng)))
    assert noise[:7] == pytest.approx(again, rel=0.15), "what two samplings differ by"
    found = near_duplicates(distances, noise, sampling_noise(train))
    assert found.tolist() == [True] * 7 + [False] * 7
    assert sampling_noise(reference[:, :1]).tolist() == [0.0] * 14
