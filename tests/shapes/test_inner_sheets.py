"""Open sheets within a solid take nothing from its inside; walls of cavities do, and sheets outside stay."""

import numpy as np
import pytest

from nfgen.shapes import MeshShape

from .boxes import CORNERS, TRIANGLES

BOX = np.array(TRIANGLES)
POINTS = np.random.default_rng(0).uniform(-1, 1, (4000, 3))
CENTER = CORNERS.mean(axis=0)


def inside(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, MeshShape]:
    shape = MeshShape(vertices, faces)
    return shape.value(POINTS) < 0, shape


def shrunk(by: float) -> np.ndarray:
    return np.concatenate([CORNERS, CENTER + (CORNERS - CENTER) * (1 - by)])


@pytest.mark.parametrize("by", [1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2])
@pytest.mark.parametrize("some", [2, 6, 10])
@pytest.mark.parametrize("turned", [1, -1])
def test_faces_doubled_a_little_way_inside(by: float, some: int, turned: int) -> None:
    expected, _ = inside(CORNERS, BOX)
    found, shape = inside(shrunk(by), np.concatenate([BOX, BOX[:some, ::turned] + 8]))
    np.testing.assert_array_equal(found, expected)
    assert shape.lost == 0
    if by > 1e-6:
        assert shape.notes == ("open sheets within the solid are left out",)


def test_the_wall_of_a_cavity_stays() -> None:
    found, shape = inside(shrunk(0.2), np.concatenate([BOX, BOX[:, ::-1] + 8]))
    expected, _ = inside(CORNERS, BOX)
    assert found.sum() == pytest.approx(expected.sum() * (1 - 0.8**3), rel=0.1)
    assert shape.notes == ()


def test_sheets_outside_of_the_solid_stay() -> None:
    vertices = np.concatenate([CORNERS, CORNERS + np.array([5, 0, 0])])
    shape = MeshShape(vertices, np.concatenate([BOX, BOX[:4] + 8]))
    assert len(shape.mesh().faces) == 16
    assert shape.notes == ()
    bowl = MeshShape(CORNERS, BOX[:10])  # open, and alone
    assert len(bowl.mesh().faces) == 10
