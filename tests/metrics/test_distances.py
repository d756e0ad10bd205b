"""Distances between clouds equal a brute-force computation, whatever the numbers of points, and copies are at zero."""

from itertools import permutations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from nfgen.errors import ConfigError, NfgenError
from nfgen.metrics import chamfer_matrix, emd_matrix, surface_clouds, thin, z_score


def random_clouds(count: int, points: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(count, points, 3)) * rng.uniform(0.1, 1, (count, 1, 3))).astype(np.float32)


def brute_chamfer(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    out = np.empty((len(a), len(b)))
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            squared = cdist(x.astype(np.float64), y.astype(np.float64), "sqeuclidean")
            out[i, j] = squared.min(1).mean() + squared.min(0).mean()
    return out


@pytest.mark.parametrize("points", [(1, 1), (7, 5), (33, 64), (100, 257), (500, 300), (1024, 1024)])
def test_chamfer_equals_brute_force(points: tuple[int, int]) -> None:
    a, b = random_clouds(3, points[0], 0), random_clouds(4, points[1], 1)
    np.testing.assert_allclose(chamfer_matrix(a, b), brute_chamfer(a, b), rtol=2e-6, atol=2e-6)


def test_chamfer_of_a_set_with_itself_is_symmetric_and_equals_the_full_computation() -> None:
    a = random_clouds(20, 200, 2)
    half = chamfer_matrix(a)
    np.testing.assert_array_equal(half, half.T)
    np.testing.assert_allclose(half, brute_chamfer(a, a), rtol=2e-6, atol=2e-6)
    np.testing.assert_array_equal(np.diag(half), 0)


def test_chamfer_by_hand() -> None:
    a = np.array([[[0, 0, 0], [1, 0, 0]]], np.float32)
    b = np.array([[[0, 2, 0], [1, 0, 0]]], np.float32)
    # From a: 1 (to (1,0,0), nearer than 4) and 0; from b: 4 and 0.
    assert chamfer_matrix(a, b)[0, 0] == pytest.approx(0.5 + 2.0, abs=1e-6)


def test_chamfer_of_copies_is_exactly_zero_in_any_order_of_points_and_far_from_the_origin() -> None:
    a = random_clouds(3, 300, 3) + 50
    shuffled = a[:, np.random.default_rng(0).permutation(300)]
    np.testing.assert_array_equal(np.diag(chamfer_matrix(a, shuffled)), 0)


def test_chamfer_of_near_copies_keeps_its_digits() -> None:
    a = random_clouds(2, 400, 4)
    b = a + np.float32(1e-4) * random_clouds(2, 400, 5)
    np.testing.assert_allclose(np.diag(chamfer_matrix(a, b)), np.diag(brute_chamfer(a, b)), rtol=1e-4)


def test_chamfer_of_an_outlier_and_of_points_that_coincide() -> None:
    a = random_clouds(3, 200, 6)
    a[0, 0] = 30
    a[1] = a[1, :1]
    b = random_clouds(2, 150, 7)
    np.testing.assert_allclose(chamfer_matrix(a, b), brute_chamfer(a, b), rtol=1e-5, atol=1e-4)


def test_chamfer_does_not_depend_on_workers_and_leaves_torch_as_it_was() -> None:
    a, b = random_clouds(5, 128, 8), random_clouds(4, 128, 9)
    before = torch.get_num_threads()
    np.testing.assert_array_equal(chamfer_matrix(a, b, workers=1), chamfer_matrix(a, b, workers=3))
    assert torch.get_num_threads() == before


def test_tensors_are_taken_as_arrays_are() -> None:
    a = random_clouds(3, 64, 10)
    np.testing.assert_array_equal(chamfer_matrix(torch.from_numpy(a)), chamfer_matrix(a))


def test_emd_equals_the_best_of_all_bijections() -> None:
    a, b = random_clouds(2, 6, 0), random_clouds(2, 6, 1)
    rows = np.arange(6)
    expected = [[min(cdist(x, y)[rows, list(p)].mean() for p in permutations(range(6))) for y in b] for x in a]
    np.testing.assert_allclose(emd_matrix(a, b), expected, rtol=1e-6)


def test_emd_of_a_shifted_copy_is_the_shift() -> None:
    a = random_clouds(1, 50, 2)
    shift = np.array([0.3, -0.4, 0.0], np.float32)
    assert emd_matrix(a, a + shift)[0, 0] == pytest.approx(0.5, abs=1e-6)


def test_emd_in_processes_equals_emd_in_one() -> None:
    a = random_clouds(4, 16, 3)
    np.testing.assert_array_equal(emd_matrix(a, workers=2), emd_matrix(a, workers=1))


def test_emd_states_its_limits() -> None:
    a = random_clouds(2, 20, 4)
    with pytest.raises(ConfigError, match="2000 points"):
        emd_matrix(a, points=2000)
    with pytest.raises(NfgenError, match="20 and 10 points"):
        emd_matrix(a, a[:, :10])


@pytest.mark.parametrize(
    ("clouds", "problem"),
    [
        (np.zeros((0, 10, 3)), "empty"),
        (np.zeros((2, 0, 3)), "empty"),
        (np.zeros((10, 3)), "shape"),
        (np.zeros((2, 10, 2)), "shape"),
        (np.full((2, 10, 3), np.nan), "NaN"),
        (np.full((2, 10, 3), np.inf), "NaN or infinite"),
        ([["a", "b", "c"]], "not an array"),
        ([[[0.0, 0, 0]], [[0.0, 0, 0], [1.0, 0, 0]]], "not an array"),
    ],
)
def test_unusable_clouds_are_named(clouds: object, problem: str) -> None:
    good = random_clouds(2, 10, 0)
    with pytest.raises(NfgenError, match=problem) as caught:
        chamfer_matrix(clouds, good)
    assert caught.value.remedy
    with pytest.raises(NfgenError, match=problem):
        emd_matrix(good, clouds)


def test_z_score_gives_mean_zero_and_one_deviation_of_all_coordinates() -> None:
    clouds = random_clouds(3, 500, 5) * 7 + 3
    scored = z_score(clouds)
    np.testing.assert_allclose(scored.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(scored.std(axis=(1, 2)), 1, atol=1e-5)
    assert scored.std(axis=1).max() > 1.05  # one number for all axes: proportions stay
    with pytest.raises(NfgenError, match="cloud 1 coincide"):
        z_score(np.concatenate([clouds[:1], np.ones((1, 500, 3), np.float32)]))


def test_thinning_keeps_points_of_the_cloud_each_once() -> None:
    clouds = random_clouds(2, 100, 6)
    thinned = thin(clouds, 40, seed=1)
    assert thinned.shape == (2, 40, 3)
    for small, large in zip(thinned, clouds, strict=True):
        assert len({p.tobytes() for p in small}) == 40
        assert {p.tobytes() for p in small} <= {p.tobytes() for p in large}
    np.testing.assert_array_equal(thinned, thin(clouds, 40, seed=1))
    assert thin(clouds, 100) is clouds


def test_surfaces_are_sampled_by_area_and_empty_meshes_left_out() -> None:
    import trimesh

    plate = trimesh.creation.box((2, 2, 0.002))
    clouds, kept = surface_clouds([None, plate, trimesh.Trimesh()], 2000, seed=0)
    assert kept == [1]
    # The four edges of the plate have a thousandth of its area.
    assert (np.abs(np.abs(clouds[0, :, 2]) - 0.001) < 1e-6).mean() > 0.99
    np.testing.assert_array_equal(clouds, surface_clouds([None, plate], 2000, seed=0)[0])
    with pytest.raises(NfgenError, match="none of 2 meshes"):
        surface_clouds([None, trimesh.Trimesh()], 10)
