"""Faces that double others change nothing: the shape is that of the faces without them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trimesh

from nfgen.shapes import MeshShape, find_shapes

from .boxes import CORNERS, SIDES, TRIANGLES, check, rows

BOX = trimesh.creation.box((2, 3, 4))
LEGS = [((0.1, 0.1, 1), (x, y, -0.55)) for x in (-0.4, 0.4) for y in (-0.4, 0.4)]
PARTS = [((1, 1, 0.1), (0, 0, 0)), ((1, 0.1, 1), (0, 0.45, 0.55)), *LEGS]  # seat, back and four legs that touch
CHAIR = trimesh.util.concatenate([trimesh.creation.box(size).apply_translation(at) for size, at in PARTS])
SOLIDS = {
    "box": BOX,
    "ring": trimesh.creation.annulus(0.5, 1, 0.5, sections=16),
    "ball": trimesh.creation.icosphere(2),
    "chair": CHAIR,
}
CAVITY = trimesh.creation.icosphere(2, 0.5)
CAVITY.invert()
SOLIDS["hollow"] = trimesh.util.concatenate([SOLIDS["ball"], CAVITY])
Doubling = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def some(faces: np.ndarray) -> np.ndarray:
    return faces[np.random.default_rng(0).random(len(faces)) < 0.5]


DOUBLINGS: dict[str, Doubling] = {
    "back": lambda v, f: (v, np.concatenate([f, f[:, ::-1]])),
    "back_in_turn": lambda v, f: (v, np.stack([f, f[:, [1, 0, 2]]], axis=1).reshape(-1, 3)),
    "back_of_its_own_vertices": lambda v, f: (np.concatenate([v, v]), np.concatenate([f, f[:, ::-1] + len(v)])),
    "back_as_soup": lambda v, f: (
        v[np.concatenate([f, f[:, ::-1]])].reshape(-1, 3),
        np.arange(6 * len(f)).reshape(-1, 3),
    ),
    "part": lambda v, f: (v, np.concatenate([f, f[: len(f) // 3, ::-1]])),
    "some": lambda v, f: (v, np.concatenate([f, some(f)[:, ::-1]])),
    "all_but_one": lambda v, f: (v, np.concatenate([f, f[1:, ::-1]])),
    "same_way": lambda v, f: (v, np.concatenate([f, f[:, [1, 2, 0]]])),
    "some_same_way": lambda v, f: (v, np.concatenate([f, some(f)])),
    "three_times": lambda v, f: (v, np.concatenate([f, f[:, ::-1], f])),
    "shuffled": lambda v, f: (v, np.random.default_rng(0).permutation(np.concatenate([f, f[:, ::-1], some(f)]))),
}


@pytest.mark.parametrize("doubling", DOUBLINGS)
@pytest.mark.parametrize("solid", SOLIDS)
def test_doubled_faces_count_once(solid: str, doubling: str) -> None:
    mesh = SOLIDS[solid]
    plain = MeshShape(mesh.vertices, mesh.faces)
    shape = MeshShape(*DOUBLINGS[doubling](mesh.vertices, mesh.faces))
    points = np.random.default_rng(0).uniform(-1, 1, (1000, 3))
    np.testing.assert_allclose(shape.value(points), plain.value(points), atol=1e-9)
    assert len(shape.mesh().faces) == len(plain.mesh().faces)


def grid(*counts: int) -> trimesh.Trimesh:
    places = np.argwhere(np.ones(counts)) * [2, 3, 4]
    return trimesh.util.concatenate([BOX.copy().apply_translation(place) for place in places])


@pytest.mark.parametrize("counts", [(2, 1, 1), (2, 2, 1), (3, 2, 2)])
@pytest.mark.parametrize("doubled", [False, True])
def test_walls_between_solids_that_touch_are_no_doubles(counts: tuple[int, ...], doubled: bool) -> None:
    mesh = grid(*counts)
    faces = np.concatenate([mesh.faces, mesh.faces[:, ::-1]]) if doubled else mesh.faces
    shape = MeshShape(mesh.vertices, faces)
    assert shape.mesh().volume / shape.transform.scale**3 == pytest.approx(24 * np.prod(counts))
    inside = mesh.bounds[0] + np.random.default_rng(0).uniform(0.01, 0.99, (500, 3)) * mesh.extents
    assert (shape.value(shape.transform.apply(inside)) < 0).all()
    assert (shape.value(shape.transform.apply(inside + mesh.extents)) > 0).all()


def test_quadrilaterals_cut_along_the_other_diagonal_double_too() -> None:
    other = [[side[i], side[(i + 1) % 4], side[(i + 2) % 4]] for side in SIDES for i in (1, 3)]
    for back in (np.array(other)[:, ::-1], np.array(other), np.array(other)[:7, ::-1]):
        shape = MeshShape(
            np.concatenate([CORNERS, CORNERS]), np.concatenate([TRIANGLES, back[: len(back) // 2 * 2] + 8])
        )
        assert shape.mesh().volume / shape.transform.scale**3 == pytest.approx(24)


@pytest.mark.parametrize("start", range(4))
def test_polygons_back_to_back_are_cut_alike(start: int, tmp_path: Path) -> None:
    text = "".join(f"v {row}\n" for row in rows(CORNERS).splitlines())
    for side in SIDES:
        back = np.roll(side[::-1], start)
        text += "".join("f " + " ".join(str(i + 1) for i in face) + "\n" for face in (side, back))
    (tmp_path / "a.obj").write_text(text)
    check(tmp_path / "a.obj")
    assert len(find_shapes(tmp_path / "a.obj")[0].load().mesh().faces) == 12


def test_concave_polygons_back_to_back_are_cut_alike(tmp_path: Path) -> None:
    outline = [(0, 0), (4, 0), (4, 1), (3, 0.5), (1, 1), (0.5, 3), (1, 4), (0, 4)]
    points = [(x, y, z) for z in (0, 2) for x, y in outline]
    sides = [
        [7 - i for i in range(8)],
        [8 + i for i in range(8)],
        *([i, (i + 1) % 8, 8 + (i + 1) % 8, 8 + i] for i in range(8)),
    ]
    text = {}
    for name, back in (("one", []), ("two", [np.roll(side[::-1], 3) for side in sides])):
        faces = "".join("f " + " ".join(str(i + 1) for i in face) + "\n" for face in [*sides, *back])
        text[name] = "".join(f"v {x} {y} {z}\n" for x, y, z in points) + faces
        (tmp_path / f"{name}.obj").write_text(text[name])
    one, two = (ref.load().mesh() for ref in find_shapes(tmp_path))
    assert (len(one.faces), one.volume) == (len(two.faces), pytest.approx(two.volume))


def test_a_body_that_touches_another_along_an_edge_is_turned_by_itself() -> None:
    small = trimesh.creation.box((1, 3, 1)).apply_translation([1.5, 0, 2.5])
    small.invert()
    mesh = trimesh.util.concatenate([BOX, small])
    shape = MeshShape(mesh.vertices, mesh.faces)
    assert shape.mesh().volume / shape.transform.scale**3 == pytest.approx(24 + 3)
