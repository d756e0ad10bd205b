"""MMD, COV, 1-NNA and JSD: hand-worked cases, brute force, and what intervals promise."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist, jensenshannon

from nfgen.errors import ConfigError, NfgenError
from nfgen.metrics import cov, jsd, mmd, one_nna, score


def matrices(generated: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points stand in for clouds: the scores see distances only."""
    return cdist(generated, generated), cdist(generated, reference), cdist(reference, reference)


def test_hand_worked_scores() -> None:
    between = np.array([[1.0, 5.0, 9.0], [2.0, 3.0, 7.0]])  # 2 generated, 3 references
    assert mmd(between) == pytest.approx((1 + 3 + 7) / 3)
    assert cov(between) == pytest.approx(1 / 3)  # both are nearest to the first reference
    on_a_line = matrices(np.array([[0.0], [1.0], [10.0]]), np.array([[1.4], [9.0], [20.0]]))
    # 0 -> 1 own; 1 -> 1.4 other; 10 -> 9 other; 1.4 -> 1 other; 9 -> 10 other; 20 -> 10 other.
    assert one_nna(*on_a_line) == pytest.approx(1 / 6)


def test_identical_sets() -> None:
    points = np.random.default_rng(0).normal(size=(20, 3))
    gg, gr, rr = matrices(points, points)
    assert mmd(gr) == 0
    assert cov(gr) == 1
    assert one_nna(gg, gr, rr) == 0  # each one's copy is its nearest, and of the other kind


def test_disjoint_sets() -> None:
    rng = np.random.default_rng(1)
    gg, gr, rr = matrices(rng.normal(size=(20, 3)), rng.normal(size=(20, 3)) + 100)
    assert one_nna(gg, gr, rr) == 1
    assert mmd(gr) > 100


def test_one_sample_again_and_again_is_told_from_variety() -> None:
    rng = np.random.default_rng(2)
    reference = rng.normal(size=(30, 3))
    gg, gr, rr = matrices(np.repeat(reference[:1] + 0.01, 30, axis=0), reference)
    assert cov(gr) == pytest.approx(1 / 30)
    assert one_nna(gg, gr, rr) > 0.7


def test_ties_count_with_the_share_of_the_own_kind() -> None:
    # All four clouds equal: one of three others is of the own kind.
    assert one_nna(np.zeros((2, 2)), np.zeros((2, 2)), np.zeros((2, 2))) == pytest.approx(1 / 3)
    # Generated 0 and 0, references 0 and 5: each 0 has one own and one other at 0; reference 0 has two others; 5 three.
    tied = matrices(np.array([[0.0], [0.0]]), np.array([[0.0], [5.0]]))
    assert one_nna(*tied) == pytest.approx(((0.5 + 0.5) / 2 + (0 + 1 / 3) / 2) / 2)


def test_ties_do_not_depend_on_order() -> None:
    rng = np.random.default_rng(3)
    generated, reference = rng.integers(0, 4, (15, 2)).astype(float), rng.integers(0, 4, (15, 2)).astype(float)
    expected = one_nna(*matrices(generated, reference))
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(15)
        assert one_nna(*matrices(generated[order], reference[order[::-1]])) == pytest.approx(expected, abs=1e-12)


def test_1_nna_equals_a_loop_over_the_union() -> None:
    rng = np.random.default_rng(4)
    generated, reference = rng.normal(size=(25, 3)), rng.normal(size=(25, 3)) + 0.5
    union, kind = np.concatenate([generated, reference]), np.arange(50) >= 25
    right = 0
    for i in range(50):
        distances = np.linalg.norm(union - union[i], axis=1)
        distances[i] = np.inf
        right += kind[distances.argmin()] == kind[i]
    assert one_nna(*matrices(generated, reference)) == pytest.approx(right / 50)


@pytest.mark.parametrize(("generated", "reference"), [(150, 150), (300, 60)])
def test_1_nna_of_one_distribution_is_near_one_half_for_sets_of_any_size(generated: int, reference: int) -> None:
    rng = np.random.default_rng(5)
    values = [one_nna(*matrices(rng.normal(size=(generated, 3)), rng.normal(size=(reference, 3)))) for _ in range(30)]
    assert np.mean(values) == pytest.approx(0.5, abs=0.02)  # the standard error of this mean is below 0.008


def test_intervals_hold_the_expected_score_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(6)
    draws = 60

    def draw() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return matrices(rng.normal(size=(60, 3)), rng.normal(size=(60, 3)) + 0.3)

    truths = {"mmd": [], "cov": [], "1_nna": []}
    for _ in range(400):
        gg, gr, rr = draw()
        for name, value in (("mmd", mmd(gr)), ("cov", cov(gr)), ("1_nna", one_nna(gg, gr, rr))):
            truths[name].append(value)
    held = dict.fromkeys(truths, 0)
    for _ in range(draws):
        scores = score(*draw(), seed=0, draws=150)
        for name, values in truths.items():
            held[name] += scores[name]["low"] <= np.mean(values) <= scores[name]["high"]
    for name, count in held.items():
        # 95 % of 60 is 57; at least 50 leaves four standard deviations. Too wide would hold always: checked below.
        assert count >= 50, name
    spread = scores["1_nna"]["high"] - scores["1_nna"]["low"]
    assert spread < 2 * 4 * np.std(truths["1_nna"])


def test_scores_are_deterministic_and_lie_in_their_intervals() -> None:
    rng = np.random.default_rng(7)
    given = matrices(rng.normal(size=(12, 3)), rng.normal(size=(14, 3)))
    first = score(*given, seed=3, draws=50)
    assert first == score(*given, seed=3, draws=50)
    assert first != score(*given, seed=4, draws=50)
    for entry in first.values():
        assert 0 <= entry["low"] <= entry["value"] <= entry["high"]
    assert first["cov"]["high"] <= 1
    assert first["1_nna"]["high"] <= 1


def test_too_few_clouds_have_scores_but_no_interval() -> None:
    given = matrices(np.array([[0.0], [1.0]]), np.array([[0.5], [3.0], [4.0]]))
    entry = score(*given)["1_nna"]
    assert entry["low"] is None
    assert entry["high"] is None


def test_matrices_that_do_not_fit_are_named() -> None:
    good = np.ones((3, 3))
    with pytest.raises(NfgenError, match="do not belong together"):
        one_nna(good, np.ones((3, 2)), good)
    with pytest.raises(NfgenError, match="NaN or negative"):
        mmd(np.full((2, 2), np.nan))
    with pytest.raises(NfgenError, match="shape \\[0, 2\\]"):
        cov(np.ones((0, 2)))
    with pytest.raises(NfgenError, match="1 generated"):
        one_nna(np.zeros((1, 1)), np.ones((1, 3)), good)


def test_jsd_equals_scipy_on_the_same_counts() -> None:
    rng = np.random.default_rng(8)
    a, b = rng.uniform(-1, 1, (6, 200, 3)), rng.uniform(-1, 1, (6, 200, 3)) ** 3
    edges = [np.linspace(-1, 1, 5)] * 3
    p, q = (np.histogramdd(x.astype(np.float32).reshape(-1, 3), edges)[0].ravel() for x in (a, b))
    result = jsd(a, b, resolution=4)
    assert result["value"] == pytest.approx(jensenshannon(p, q, base=2) ** 2, abs=1e-6)
    assert result["low"] <= result["value"] <= result["high"]


def test_jsd_of_equal_and_of_disjoint_sets() -> None:
    a = np.random.default_rng(9).uniform(-0.9, -0.1, (4, 100, 3))
    assert jsd(a, a)["value"] == pytest.approx(0, abs=1e-12)
    assert jsd(a, -a)["value"] == pytest.approx(1, abs=1e-12)
    assert jsd(a, a + 100)["value"] == pytest.approx(1, abs=1e-12)  # outside the cube is its border
    with pytest.raises(ConfigError, match="0 cells"):
        jsd(a, a, resolution=0)
