"""Sheets: how much of a surface encloses nothing, and walls made of it, of open bodies alone."""

import numpy as np
import pytest
import trimesh

from nfgen.errors import ConfigError, ShapeError
from nfgen.shapes import MeshShape
from nfgen.shapes.reading import ReadingConfig

BOX = trimesh.creation.box()
PLANE = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]], process=False)
BALL = trimesh.creation.icosphere(3, radius=0.3)
POINTS = np.random.default_rng(0).uniform(-1, 1, (40_000, 3))


def joined(*meshes: trimesh.Trimesh) -> trimesh.Trimesh:
    return trimesh.util.concatenate(meshes)


def shape_of(mesh: trimesh.Trimesh, shell=0.0) -> MeshShape:
    return MeshShape(mesh.vertices, mesh.faces, shell=shell)


def inside(shape: MeshShape) -> np.ndarray:
    return shape.value(POINTS) < 0


def lidless(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices, mesh.faces[mesh.face_normals[:, 2] < 0.5], process=False)


def seamed() -> trimesh.Trimesh:
    """A closed box, two of whose triangles are cut finer than their neighbours."""
    vertices, faces = trimesh.remesh.subdivide(BOX.vertices, BOX.faces[:2])
    return trimesh.Trimesh(
        np.concatenate([BOX.vertices, vertices]), np.concatenate([BOX.faces[2:], faces + 8]), process=False
    )


def soup(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    corners = mesh.vertices[mesh.faces].reshape(-1, 3)
    return trimesh.Trimesh(corners, np.arange(len(corners)).reshape(-1, 3), process=False)


TUBE = trimesh.creation.cylinder(1, 2, sections=48)
TUBE = trimesh.Trimesh(TUBE.vertices, TUBE.faces[np.abs(TUBE.face_normals[:, 2]) < 0.5], process=False)
SAIL = PLANE.copy().apply_translation((0.6, -0.5, -0.5))


def table() -> trimesh.Trimesh:
    """Of sheets alone: a top, a rim that stands up from it, and legs of two strips that cross."""
    quads = [[(-1, -0.6, 0.3), (1, -0.6, 0.3), (1, 0.6, 0.3), (-1, 0.6, 0.3)]]
    corners = [(-1, -0.6), (1, -0.6), (1, 0.6), (-1, 0.6)]
    for (a, b), (c, d) in zip(corners, corners[1:] + corners[:1], strict=True):
        quads.append([(a, b, 0.3), (c, d, 0.3), (c, d, 0.5), (a, b, 0.5)])
    for x in (-0.9, 0.9):
        for y in (-0.5, 0.5):
            quads.append([(x - 0.08, y, -0.5), (x + 0.08, y, -0.5), (x + 0.08, y, 0.3), (x - 0.08, y, 0.3)])
            quads.append([(x, y - 0.08, -0.5), (x, y + 0.08, -0.5), (x, y + 0.08, 0.3), (x, y - 0.08, 0.3)])
    faces = [[4 * i, 4 * i + j, 4 * i + j + 1] for i in range(len(quads)) for j in (1, 2)]
    return trimesh.Trimesh(np.array(quads, float).reshape(-1, 3), faces, process=False)


@pytest.mark.parametrize("mesh", [BOX, BALL, lidless(BOX), seamed(), soup(BALL), joined(BALL, BALL)], ids=str)
def test_what_encloses_a_volume_is_not_lost(mesh: trimesh.Trimesh) -> None:
    assert shape_of(mesh).lost < 0.005


def test_the_share_that_is_lost_is_that_of_the_sheets() -> None:
    mixed = joined(BALL, SAIL)
    assert shape_of(mixed).lost == pytest.approx(SAIL.area / mixed.area, abs=0.03)
    assert shape_of(joined(BOX, SAIL)).lost == pytest.approx(1 / 7, abs=0.03)
    assert shape_of(table()).lost > 0.1


@pytest.mark.parametrize("shell", [0.04, "auto"])
@pytest.mark.parametrize("mesh", [BOX, BALL, seamed(), soup(BOX), joined(BALL, BOX)], ids=str)
def test_closed_bodies_stay_as_they_are(mesh: trimesh.Trimesh, shell) -> None:
    shape = shape_of(mesh, shell)
    assert (inside(shape) == inside(shape_of(mesh))).all()
    assert shape.notes == ()


@pytest.mark.parametrize(("shell", "thickness"), [(0.04, 0.04), (0.02, 0.02), ("auto", 0.02)])
def test_a_sheet_alone_becomes_a_wall(shell, thickness: float) -> None:
    shape = shape_of(PLANE, shell)
    assert shape.mesh().is_watertight
    assert shape.mesh().volume == pytest.approx(1.9**2 * thickness)
    near = POINTS[np.abs(POINTS[:, :2]).max(axis=1) < 0.9]
    np.testing.assert_allclose(shape.value(near), np.abs(near[:, 2]) - thickness / 2, atol=1e-6)
    assert shape.lost < 0.005
    assert f"walls of {thickness}" in shape.notes[0]


@pytest.mark.parametrize(("mesh", "area"), [(lidless(BOX), 5 * 1.9**2), (TUBE, 2 * np.pi * 0.95 * 1.9)], ids=str)
def test_a_cup_without_thickness_stays_a_cup_if_asked_for(mesh: trimesh.Trimesh, area: float) -> None:
    walled = shape_of(mesh, 0.04)
    assert inside(walled).mean() * 8 == pytest.approx(area * 0.04, rel=0.06)
    assert walled.mesh().is_watertight
    assert (inside(shape_of(mesh, "auto")) == inside(shape_of(mesh))).all(), "nothing of it would be lost"


def test_sheets_beside_solids_become_walls_and_the_solids_stay() -> None:
    shape, plain = shape_of(joined(BOX, SAIL), "auto"), shape_of(joined(BOX, SAIL))
    assert shape.lost < 0.005
    assert (inside(shape) >= inside(plain)).all()
    added = (inside(shape) & ~inside(plain)).mean() * 8
    assert added == pytest.approx(0.02 * SAIL.area * shape.transform.scale**2, rel=0.25)


def test_a_table_of_sheets_keeps_its_legs_and_its_rim() -> None:
    mesh = table()
    shape = shape_of(mesh, 0.02)
    surface = shape.transform.apply(trimesh.sample.sample_surface(mesh, 3000, seed=0)[0])
    assert (shape.value(surface) < 0).mean() > 0.99, "each point of the file is inside a wall"
    assert inside(shape).mean() * 8 == pytest.approx(0.02 * mesh.area * shape.transform.scale**2, rel=0.1)
    lost = shape_of(mesh)
    assert (np.abs(lost.value(surface)) < 1e-3).mean() > 0.9
    points, values = shape.sample(500, 0, np.random.default_rng(0))
    assert np.isfinite(values).all()
    assert np.abs(points).max() <= 1


def test_a_sheet_is_refused_with_the_way_out() -> None:
    with pytest.raises(ShapeError, match="enclose no volume") as caught:
        shape_of(PLANE)
    assert "--shell" in caught.value.remedy


@pytest.mark.parametrize("shell", [-0.1, 0.5, "thick", True])
def test_thickness_is_checked(shell) -> None:
    with pytest.raises(ConfigError, match="shell"):
        ReadingConfig.from_json({"shell": shell})
