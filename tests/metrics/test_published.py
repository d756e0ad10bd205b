"""The values that published programs give for the same clouds, kept as numbers.

They were computed on processors by the functions `distChamfer`, `emd_approx`, `lgan_mmd_cov`, `knn` and
`jsd_between_point_cloud_sets` of PointFlow (26e8c26), HyperDiffusion (fd2c581) and LION (7711b3d), which agree with
each other to the last digit given, and by `Zu` of data-copying (a0ba2db). Only PointFlow has an exact EMD.
"""

import numpy as np
import pytest

from nfgen.metrics import chamfer_matrix, cov, emd_matrix, jsd, mmd, one_nna, z_u


def fraction(values: np.ndarray) -> np.ndarray:
    return np.modf(values)[0]


def clouds(count: int, first: int) -> np.ndarray:
    """Ellipsoids of 96 points within the sphere of radius 1/2, from formulas alone."""
    i, made = np.arange(96), []
    for j in range(first, first + count):
        height = 2 * fraction(i * 0.7548776662466927 + 0.37 * j + 0.013) - 1
        angle = 2 * np.pi * fraction(i * 0.5698402909980532 + 0.11 * j)
        across = np.sqrt(1 - height * height)
        ball = np.stack([across * np.cos(angle), across * np.sin(angle), height], axis=1)
        sides = [
            0.55 + 0.45 * np.modf(0.618 * j)[0],
            0.5 + 0.4 * np.modf(0.414 * j)[0],
            0.6 + 0.35 * np.modf(0.732 * j)[0],
        ]
        made.append(ball * 0.48 * np.array(sides))
    return np.stack(made).astype(np.float32)


GENERATED, REFERENCE = clouds(8, 0), clouds(8, 20)


def test_chamfer_distances_and_scores_are_those_of_pointflow_hyperdiffusion_and_lion() -> None:
    between = chamfer_matrix(GENERATED, REFERENCE)
    assert between[0, 0] == pytest.approx(0.0159975996, abs=2e-9)
    assert between[3, 5] == pytest.approx(0.0088732150, abs=2e-9)
    assert mmd(between) == pytest.approx(0.008530777592, abs=2e-9)
    assert cov(between) == 0.75
    assert one_nna(chamfer_matrix(GENERATED), between, chamfer_matrix(REFERENCE)) == 0.4375


def test_earth_movers_distances_and_scores_are_those_of_pointflow() -> None:
    between = emd_matrix(GENERATED, REFERENCE, points=96)
    assert between[3, 5] == pytest.approx(0.0805069121, abs=1e-8)
    assert mmd(between) == pytest.approx(0.075519927426, abs=1e-8)
    assert cov(between) == 0.625
    own = emd_matrix(GENERATED, None, points=96), emd_matrix(REFERENCE, None, points=96)
    assert one_nna(own[0], between, own[1]) == 0.4375


def test_the_jsd_of_the_grid_named_pointflow_is_theirs_and_that_of_the_cube_is_another() -> None:
    theirs = jsd(GENERATED, REFERENCE, extent=0.5, grid="pointflow")["value"]
    assert theirs == pytest.approx(0.895169564, abs=1e-9)
    assert jsd(GENERATED, REFERENCE, extent=0.5)["value"] != pytest.approx(theirs, abs=1e-3)
    doubled = jsd(2 * GENERATED, 2 * REFERENCE, extent=1.0, grid="pointflow")["value"]
    assert doubled == pytest.approx(theirs, abs=1e-12), "the grid grows with the extent"


def test_z_u_is_that_of_meehan_and_others() -> None:
    i = np.arange(60)
    heldout = np.stack([fraction(i[:40] * 0.754877666), fraction(i[:40] * 0.569840290)], axis=1)
    train = np.stack([fraction(0.5 + i * 0.618), fraction(0.25 + i * 0.414)], axis=1)
    made = np.stack([fraction(0.1 + i[:50] * 0.332), fraction(0.7 + i[:50] * 0.238)], axis=1)
    made[::3] = train[:17] + 0.01

    def nearest(points: np.ndarray) -> np.ndarray:
        return np.linalg.norm(points[:, None] - train[None], axis=2).min(axis=1)

    assert z_u(nearest(made), nearest(heldout)) == pytest.approx(-3.16273198775578, abs=1e-12)
