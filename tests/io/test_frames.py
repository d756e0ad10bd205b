"""Which way is up, and where a shape lies: into the field and back into files, whatever their format and unit."""

import json
import logging
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from nfgen.errors import NfgenError
from nfgen.fields.field_set import FieldSet
from nfgen.io.meshes import FORMATS, write_mesh
from nfgen.io.names import file_name
from nfgen.pipeline.export import export
from nfgen.shapes import Transform, find_shapes
from nfgen.shapes.reading import ReadingConfig

# A foot with a pole at its front, upright: z up, front -y. No two of its turned copies are alike.
FOOT = trimesh.creation.box((2, 1.5, 0.5)).apply_translation((0, 0, 0.25))
POLE = trimesh.creation.box((0.25, 0.25, 3)).apply_translation((0.5, -0.5, 1.5))
UPRIGHT = trimesh.util.concatenate([FOOT, POLE])
TURN = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # (x, y, z) -> (x, z, -y): how glTF holds it
POINTS = np.random.default_rng(0).uniform(-1, 1, (3000, 3))


def mesh(scale: float = 1.0, place: tuple[float, float, float] = (0, 0, 0)) -> trimesh.Trimesh:
    return trimesh.Trimesh(UPRIGHT.vertices * scale + np.array(place), UPRIGHT.faces, process=False)


def lying(upright: trimesh.Trimesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(upright.vertices @ TURN.T, upright.faces, process=False)


def inside(path: Path, **reading) -> np.ndarray:
    (ref,) = find_shapes(path, reading=ReadingConfig(**reading))
    return ref.load().value(POINTS) < 0


@pytest.fixture
def expected(tmp_path: Path) -> np.ndarray:
    UPRIGHT.export(tmp_path / "true.obj")
    return inside(tmp_path / "true.obj")


@pytest.mark.parametrize("suffix", ["glb", "gltf"])
def test_gltf_is_y_up(suffix: str, expected: np.ndarray, tmp_path: Path) -> None:
    if suffix == "glb":
        lying(UPRIGHT).export(tmp_path / "a.glb")
        path = tmp_path / "a.glb"
    else:
        for name, content in trimesh.Scene(lying(UPRIGHT)).export(file_type="gltf").items():
            (tmp_path / name).write_bytes(content)
        path = tmp_path / "model.gltf"
    assert (inside(path) == expected).all()
    (ref,) = find_shapes(path)
    assert ref.load().transform.up == "y"
    UPRIGHT.export(tmp_path / "wrong.glb")  # as programs write it that do not know
    assert (inside(tmp_path / "wrong.glb", up="z") == expected).all()


@pytest.mark.parametrize("suffix", ["obj", "off", "ply", "stl"])
def test_the_rest_is_as_the_user_says(suffix: str, expected: np.ndarray, tmp_path: Path) -> None:
    lying(UPRIGHT).export(tmp_path / f"a.{suffix}")
    assert (inside(tmp_path / f"a.{suffix}", up="y") == expected).mean() > 0.999
    assert (inside(tmp_path / f"a.{suffix}") == expected).mean() < 0.95
    assert (inside(tmp_path / f"a.{suffix}", up="z") == inside(tmp_path / f"a.{suffix}")).all()


UNITS = {
    "as it is": (1.0, (0, 0, 0)),
    "far, as UTM is": (1.0, (512345.25, 5412345.75, 312.5)),
    "nanometres in metres": (1e-9, (0, 0, 0)),
    "light years in metres": (1e16, (3e16, 0, 0)),
    "small and far": (1e-4, (100, 200, 300)),
    "far below": (0.01, (0, 0, -5000)),
    "atoms far from the origin": (1e-12, (1e-7, 0, 0)),
}


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("format", FORMATS)
def test_a_mesh_that_is_written_is_the_mesh_that_is_read(format: str, unit: str, tmp_path: Path, caplog) -> None:
    if format == "3mf":
        pytest.importorskip("lxml", reason="the extra formats is not installed")
        pytest.importorskip("networkx", reason="the extra formats is not installed")
    original = mesh(*UNITS[unit])
    with caplog.at_level(logging.WARNING, "nfgen"):
        write_mesh(original, tmp_path / f"a.{format}")
    from nfgen.shapes.formats.meshes import read_mesh

    read = read_mesh(tmp_path / f"a.{format}", "a")
    error = np.abs(read.vertices[read.faces] - original.vertices[original.faces]).max() / original.extents.max()
    if format == "stl" and "far" in unit:
        assert "STL holds single precision" in caplog.text
    else:
        assert error < 1e-3, "0.1 % of the extent"
        assert not caplog.records


def test_a_glb_is_upright_in_every_viewer(tmp_path: Path) -> None:
    """By the standard alone: its numbers, the node's translation, and y for up."""
    write_mesh(mesh(1.0, (512345.25, 5412345.75, 312.5)), tmp_path / "a.glb")
    content = (tmp_path / "a.glb").read_bytes()
    length = struct.unpack("<I", content[12:16])[0]
    tree = json.loads(content[20 : 20 + length])
    (node,) = (node for node in tree["nodes"] if "mesh" in node)
    assert not {"matrix", "rotation", "scale"} & set(node)
    accessor = tree["accessors"][tree["meshes"][0]["primitives"][0]["attributes"]["POSITION"]]
    low, high = np.array(accessor["min"]) + node["translation"], np.array(accessor["max"]) + node["translation"]
    true = lying(mesh(1.0, (512345.25, 5412345.75, 312.5)))
    np.testing.assert_allclose([low, high], true.bounds, atol=1e-4)
    assert (high - low)[1] == pytest.approx(3, abs=1e-4), "the pole's height, along y"


@pytest.mark.parametrize("format", ["obj", "ply", "off", "stl"])
@pytest.mark.parametrize("up", ["x", "y", "z"])
def test_other_formats_keep_the_axis_of_the_files(format: str, up: str, tmp_path: Path) -> None:
    write_mesh(UPRIGHT, tmp_path / f"a.{format}", up=up)
    extents = trimesh.load_mesh(tmp_path / f"a.{format}").extents
    assert extents["xyz".index(up)] == pytest.approx(3, abs=1e-5)


@pytest.mark.parametrize("format", ["glb", "stl"])
def test_coordinates_beyond_single_precision_are_refused(format: str, tmp_path: Path) -> None:
    with pytest.raises(NfgenError, match="beyond single precision"):
        write_mesh(mesh(1e300), tmp_path / f"a.{format}")
    assert not list(tmp_path.iterdir())


def test_exports_go_back_into_the_file_s_frame(tiny_fields: FieldSet, tmp_path: Path) -> None:
    center, scale = (5.0, 6.0, 7.0), 0.5
    row = torch.tensor([Transform(center, scale, "y").to_row()], dtype=torch.float64)
    placed = tiny_fields.select(torch.arange(2))
    object.__setattr__(placed, "transforms", row.expand(2, -1))
    placed.save(tmp_path / "fields")
    (obj,) = export(tmp_path / "fields", tmp_path / "obj", format="obj", resolution=16, limit=1)
    (glb,) = export(tmp_path / "fields", tmp_path / "glb", format="glb", resolution=16, limit=1)
    # Upright it is about (5, 6, 7); in the file, whose y is up, about (5, 7, -6), and so it is in glTF.
    for path in (obj, glb):
        assert trimesh.load_mesh(path).bounds.mean(0) == pytest.approx([5, 7, -6], abs=1)
    (ref,) = find_shapes(glb)
    assert ref.load().transform.center == pytest.approx(center, abs=1)


def test_a_transform_keeps_its_axis() -> None:
    for up in ("x", "y", "z"):
        transform = Transform((1.0, 2.0, 3.0), 0.5, up)
        assert Transform.from_json(transform.to_json()) == transform
        assert Transform.from_row(transform.to_row(), 3) == transform
    assert Transform.from_row([1.0, 2.0, 3.0, 0.5], 3) == Transform((1.0, 2.0, 3.0), 0.5, "z"), "of a set of before"
    assert Transform.from_json({"center": [0, 0, 0], "scale": 1}).up == "z"


STRANGE = ["a/b#7", "..\\..\\up", "new\nline", "esc\x1b[31m", "nul\0", "x" * 300, "ü" * 200, "CON", "lpt1", "", "..."]


@pytest.mark.parametrize("id", [*STRANGE, "/", 'a:b|c?*<>"'])
def test_exported_names_are_plain(id: str, tmp_path: Path) -> None:
    name = file_name(id)
    assert name
    assert len(name.encode()) <= 130
    assert name.lower() not in ("con", "nul", "lpt1")
    assert name.replace("-", "").replace("_", "").isalnum()
    (tmp_path / f"{name}.obj").write_bytes(b"")
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.obj"]


def test_a_field_set_of_strange_ids_is_exported(tiny_fields: FieldSet, tmp_path: Path) -> None:
    some = tiny_fields.select(torch.arange(3))
    object.__setattr__(some, "ids", ("..\\up\n.obj", "grids.npy#12", "\x1b[31m" + "n" * 300))
    some.save(tmp_path / "fields")
    files = export(tmp_path / "fields", tmp_path / "out", format="obj", resolution=12)
    assert [file.name for file in files[:2]] == ["00000-up.obj", "00001-grids-12.obj"]
    assert all(file.parent == tmp_path / "out" and file.name.isprintable() for file in files)
