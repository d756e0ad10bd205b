"""Faces of no area are told, and are flipped away without a change of the surface."""

import numpy as np
import pytest
import trimesh

from nfgen.fields.finishing.closed_surface import what_is_open, without_slivers

from ..closed_meshes import faults


def with_sliver(shape: trimesh.Trimesh, face: int, share: float) -> trimesh.Trimesh:
    """A mesh with a vertex on the first side of a face, which a face of no area joins to the other side of it."""
    a, b, c = shape.faces[face]
    middle = len(shape.vertices)
    place = (1 - share) * shape.vertices[a] + share * shape.vertices[b]
    others = np.delete(shape.faces, face, axis=0)
    faces = [*others.tolist(), [a, middle, c], [middle, b, c], [a, b, middle]]
    return trimesh.Trimesh(np.vstack([shape.vertices, place]), faces, process=False)


@pytest.mark.parametrize("share", [0.5, 0.1, 0.97])
@pytest.mark.parametrize("face", range(12))
def test_a_sliver_is_flipped_away(face: int, share: float) -> None:
    box = trimesh.creation.box((1, 2, 3))
    mesh = with_sliver(box, face, share)
    assert what_is_open(mesh) == "a face has no area"
    mended = without_slivers(mesh)
    assert what_is_open(mended) is None
    assert not faults(mended)
    assert len(mended.faces) == len(mesh.faces)
    assert mended.volume == pytest.approx(6)
    assert mended.area == pytest.approx(box.area)


def test_several_in_a_row_are_flipped_away() -> None:
    mesh = trimesh.creation.box()
    for face in (0, 3, 7):
        mesh = with_sliver(mesh, face, 0.3)
    twice = with_sliver(with_sliver(trimesh.creation.box(), 0, 0.5), 12, 0.5)  # beside the first one
    for made in (mesh, twice):
        mended = without_slivers(made)
        assert what_is_open(mended) is None
        assert mended.volume == pytest.approx(1)


def test_a_mesh_without_slivers_stays_as_it_is() -> None:
    ball = trimesh.creation.icosphere(2)
    assert np.array_equal(without_slivers(ball).faces, ball.faces)
    assert what_is_open(ball) is None
    assert what_is_open(ball.copy().apply_scale((1, 1, 1e-9))) is not None
