"""Mesh files of every format give the same shape, with the transforms of a scene and relative indices."""

from pathlib import Path

import numpy as np
import pytest
import trimesh

from nfgen.shapes import find_shapes

from ..bodies import BALL, BOX, box_distance, moved, uniform


@pytest.mark.parametrize("suffix", ["obj", "off", "stl", "ply", "glb", "gltf"])
def test_mesh_formats_are_read(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"box.{suffix}"
    if suffix == "gltf":
        for name, data in trimesh.Scene(BOX).export(file_type="gltf").items():
            (tmp_path / name).write_bytes(data)
        path = tmp_path / "model.gltf"
    else:
        BOX.export(path)
    [ref] = find_shapes(path)
    points = uniform(200)
    np.testing.assert_allclose(ref.load().value(points), box_distance(points), atol=1e-6)


def test_a_scene_is_flattened_with_its_transforms_mirrored_ones_too(tmp_path: Path) -> None:
    scene = trimesh.Scene()
    mirror = np.diag([-1.0, 1, 1, 1])
    mirror[0, 3] = 5
    scene.add_geometry(BALL, node_name="a", geom_name="ball")
    scene.add_geometry(BALL, node_name="b", geom_name="ball", transform=mirror)
    scene.export(tmp_path / "two.glb")
    shape = find_shapes(tmp_path / "two.glb")[0].load()
    there = np.array([[0.0, 0, 0], [5, 0, 0], [2.5, 0, 0]])
    assert (shape.value(shape.transform.apply(there)) < 0).tolist() == [True, True, False]


def test_relative_obj_indices_count_from_their_line(tmp_path: Path) -> None:
    text = ""
    for part in (BOX, moved(BOX, 3)):
        text += "".join(f"v {x} {y} {z}\n" for x, y, z in part.vertices)
        text += "".join("f " + " ".join(str(i - 8) for i in face) + "\n" for face in part.faces)
    (tmp_path / "a.obj").write_text(text)
    shape = find_shapes(tmp_path / "a.obj")[0].load()
    there = np.array([[0.0, 0, 0], [3, 0, 0], [1.5, 0, 0]])
    assert (shape.value(shape.transform.apply(there)) < 0).tolist() == [True, True, False]
