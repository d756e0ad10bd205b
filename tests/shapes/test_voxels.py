"""Voxel grids as shapes: distances from their faces, hollows filled, proportions kept."""

import numpy as np
import pytest

from nfgen.shapes import VoxelShape

from .bodies import uniform, voxel_ball


def test_a_voxel_cube_with_stairs_has_the_exact_distance_straight_from_its_faces() -> None:
    shape = VoxelShape(np.ones((8, 8, 8), bool), smooth=False)
    line = np.stack([np.linspace(-1, 1, 81), np.zeros(81), np.zeros(81)], axis=1)
    np.testing.assert_allclose(shape.value(line), np.abs(line[:, 0]) - 0.95, atol=1e-6)
    assert shape.mesh().is_watertight
    assert shape.mesh().volume == pytest.approx(8 * 0.95**3, rel=0.03)  # its edges are bevelled by half a voxel


@pytest.mark.parametrize("smooth", [False, True])
def test_a_voxel_ball_is_within_half_a_voxel_of_the_sphere_even_beyond_the_grid(smooth: bool) -> None:
    points = uniform(4000) * 1.2
    shape = VoxelShape(voxel_ball(), smooth=smooth)
    half_diagonal = np.sqrt(3) / 2 * 2 * 0.95 / 32
    np.testing.assert_allclose(shape.value(points), np.linalg.norm(points, axis=1) - 0.76, atol=half_diagonal)


def test_a_hollow_voxel_body_is_filled_and_a_long_grid_keeps_its_proportions() -> None:
    hollow = voxel_ball() & ~voxel_ball(radius=0.5)
    np.testing.assert_array_equal(VoxelShape(hollow).value(uniform(100)), VoxelShape(voxel_ball()).value(uniform(100)))
    long = VoxelShape(np.ones((16, 8, 4), np.uint8), smooth=False)
    np.testing.assert_allclose(long.mesh().bounds[1], [0.95, 0.475, 0.2375], atol=1e-6)
