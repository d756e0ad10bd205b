"""The endless stream of random solids."""

import numpy as np
import pytest

from nfgen.shapes.synthetic.random_solids import random_solid
from nfgen.shapes.synthetic.sdf import box

NUMBERS = range(40)


def points(seed: int, count: int = 2000) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (count, 3))


@pytest.mark.parametrize("number", NUMBERS)
def test_a_solid_is_there_and_lies_within_the_cube(number: int) -> None:
    solid, anywhere = random_solid(number), points(number, 40_000)
    assert (solid(anywhere) < 0).any()
    on_a_side = anywhere[:4000].copy()
    axis = np.random.default_rng(0).integers(3, size=4000)
    on_a_side[np.arange(4000), axis] = np.sign(on_a_side[np.arange(4000), axis])
    assert (solid(on_a_side) > 0).all()


@pytest.mark.parametrize("number", NUMBERS)
def test_values_change_by_no_more_than_the_distance_of_points(number: int) -> None:
    solid, here = random_solid(number), points(number)
    there = here + np.random.default_rng(1).normal(0, 0.03, here.shape)
    change = np.abs(solid(here) - solid(there))
    assert (change <= np.linalg.norm(here - there, axis=1) * (1 + 1e-6) + 1e-9).all()


def test_the_same_number_gives_the_same_solid_and_another_one_another() -> None:
    at = points(0)
    values = [random_solid(number)(at) for number in NUMBERS]
    assert all(np.array_equal(random_solid(number)(at), values[number]) for number in NUMBERS)
    assert len({value.tobytes() for value in values}) == len(values)


def test_most_solids_are_symmetric_and_some_are_not() -> None:
    at, mirrored = points(0), points(0) * [-1, 1, 1]
    found = [np.allclose(random_solid(n)(at), random_solid(n)(mirrored), atol=1e-6) for n in range(100)]
    assert 0.5 < np.mean(found) < 0.95


def test_a_scaled_solid_is_as_far_in_its_own_measure() -> None:
    solid, at = box(0.4, 0.6, 0.8), points(0)
    np.testing.assert_allclose(solid.scaled(0.5)(at / 2), solid(at) / 2)
