"""Meshes as shapes: exact distances, whatever the winding, openings and overlaps of their bodies."""

import numpy as np
import pytest
import trimesh

from nfgen.shapes import mesh_repair

from .bodies import BALL, BOX, box_distance, moved, shape_of, uniform


def joined(*meshes: trimesh.Trimesh) -> trimesh.Trimesh:
    return trimesh.util.concatenate(meshes)


def inverted(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices, mesh.faces[:, ::-1], process=False)


def soup(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    corners = mesh.vertices[mesh.faces].reshape(-1, 3)
    return trimesh.Trimesh(corners, np.arange(len(corners)).reshape(-1, 3), process=False)


def some_faces_turned(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    faces = mesh.faces.copy()
    faces[1::4] = faces[1::4, ::-1]
    return trimesh.Trimesh(mesh.vertices, faces, process=False)


@pytest.mark.parametrize("spoil", [lambda m: m, inverted, soup, some_faces_turned, lambda m: inverted(soup(m))])
def test_a_cube_has_the_exact_distance_however_its_faces_are_wound(spoil) -> None:
    points = uniform(2000)
    np.testing.assert_allclose(shape_of(spoil(BOX)).value(points), box_distance(points), atol=1e-12)


def test_a_sphere_has_the_distance_of_a_sphere() -> None:
    points = uniform(2000)
    expected = np.linalg.norm(points, axis=1) - 0.95
    # The facets of the icosphere lie up to 0.0012 below the sphere.
    np.testing.assert_allclose(shape_of(BALL).value(points), expected, atol=0.0015)


def test_a_crowd_of_bodies_is_looked_at_no_more_often_than_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    asked = mesh_repair.igl.fast_winding_number
    monkeypatch.setattr(
        mesh_repair.igl, "fast_winding_number", lambda v, f, points: looked.append(len(points)) or asked(v, f, points)
    )
    places = np.random.default_rng(0).uniform(-0.02, 0.02, (70, 3))
    crowd = trimesh.util.concatenate([trimesh.creation.box().apply_translation(place) for place in places])
    shape_of(crowd)
    assert sum(looked) < 1.5 * mesh_repair.MAX_LOOKS


@pytest.mark.parametrize("second", [BALL, inverted(BALL)], ids=["outward", "inverted"])
def test_overlapping_bodies_are_their_union(second: trimesh.Trimesh) -> None:
    shape = shape_of(joined(BALL, moved(second, 1.0)))
    points = uniform(2000)
    there = shape.transform.invert(points)
    each = np.stack([np.linalg.norm(there - [x, 0, 0], axis=1) - 1 for x in (0.0, 1.0)])
    expected = each.min(axis=0) * shape.transform.scale
    outside = expected > 0.002
    values = shape.value(points)
    np.testing.assert_allclose(values[outside], expected[outside], atol=0.0015)
    assert (values[expected < -0.002] < 0).all()
    # Between the centres the boundary is nearest where the spheres meet; the wall of either inside the other is none.
    middle = shape.value(shape.transform.apply(np.array([[0.5, 0.0, 0.0]])))[0]
    assert middle == pytest.approx(-np.sqrt(0.75) * shape.transform.scale, abs=0.02)
    on = shape.transform.invert(shape.surface(500, np.random.default_rng(0)))
    assert np.min([np.linalg.norm(on - [x, 0, 0], axis=1) - 1 for x in (0.0, 1.0)], axis=0).min() > -0.05


def test_a_cavity_stays_hollow_and_bodies_of_either_winding_stay_solid() -> None:
    small = trimesh.Trimesh(BALL.vertices * 0.5, BALL.faces, process=False)
    for hollow in (joined(BALL, inverted(small)), inverted(joined(BALL, inverted(small)))):
        middle, wall, corner = shape_of(hollow).value(np.array([[0, 0, 0], [0.7, 0, 0], [1, 1, 1]]))
        assert middle == pytest.approx(0.475, abs=0.002)
        assert wall == pytest.approx(-0.225, abs=0.002)
        assert corner > 0
    apart = shape_of(joined(BALL, inverted(moved(small, 3.0))))
    assert (apart.value(apart.transform.apply(np.array([[0, 0, 0], [3.0, 0, 0]]))) < 0).all()


@pytest.mark.parametrize("spoil", [lambda m: m, inverted])
def test_an_open_box_is_solid_inside(spoil) -> None:
    open_box = trimesh.Trimesh(BOX.vertices, BOX.faces[BOX.face_normals[:, 2] < 0.5], process=False)
    inside, outside = shape_of(spoil(open_box)).value(np.array([[0.0, 0, 0], [0, 0, 0.999]]))
    assert inside == pytest.approx(-0.95)
    assert outside > 0
