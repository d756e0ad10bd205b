"""Transforms of shapes: into the cube of fields, and exactly back."""

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st

from nfgen.shapes import MeshShape, Transform

from .bodies import BALL, shape_of


def test_normalising_keeps_the_way_back() -> None:
    mesh = trimesh.Trimesh(BALL.vertices * [3, 1, 2] + [100, -50, 7], BALL.faces, process=False)
    shape = shape_of(mesh)
    assert np.abs(shape.mesh().vertices).max() == pytest.approx(0.95)
    np.testing.assert_allclose(shape.transform.invert(shape.mesh().bounds), mesh.bounds, atol=1e-9)
    assert shape.mesh().is_watertight
    assert shape.mesh().volume > 0
    kept = MeshShape(BALL.vertices * 0.4, BALL.faces, normalize="none")
    assert kept.transform == Transform((0.0, 0.0, 0.0), 0.95)


@given(
    st.tuples(*[st.floats(-1e3, 1e3)] * 3),
    st.floats(1e-3, 1e3),
    st.lists(st.tuples(*[st.floats(-1e3, 1e3)] * 3), min_size=1),
)
def test_a_transform_is_undone_by_its_inverse(center, scale: float, points) -> None:
    transform = Transform.from_json(Transform(center, scale).to_json())
    assert transform == Transform(center, scale)
    np.testing.assert_allclose(transform.invert(transform.apply(np.array(points))), points, atol=1e-9)
