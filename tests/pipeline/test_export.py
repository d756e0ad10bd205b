"""Fields as files of other programs: the same surface in every mesh format, the same values in ONNX."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from click.testing import CliRunner

from nfgen.cli.main import main
from nfgen.errors import ArtifactError, ConfigError, NfgenError
from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.fields.mlp import initial_weights
from nfgen.fields.onnx import TOLERANCE
from nfgen.fields.spec import PRESETS, FieldSpec
from nfgen.io.meshes import FORMATS as MESHES
from nfgen.pipeline.export import FORMATS, export
from nfgen.pipeline.finish import FinishedMesh
from nfgen.pipeline.sample_set import Sample, read_meshes, write_list, write_sample
from nfgen.shapes import Transform

SPECS = {
    **PRESETS,
    "sine": FieldSpec(activation="sine", frequencies=0),
    "silu": FieldSpec(activation="silu", hidden=(8,), output_bias=True),
    "mixed": FieldSpec(activation=("relu2", "sine", "silu", "gelu")),
}


@pytest.mark.parametrize("format", MESHES)
def test_every_mesh_format_holds_the_field_s_surface(ball: Path, tmp_path: Path, format: str) -> None:
    if format == "3mf":
        pytest.importorskip("lxml", reason="the extra formats is not installed")
        pytest.importorskip("networkx", reason="the extra formats is not installed")
    (file,) = export(ball, tmp_path / f"ball.{format}", resolution=24)
    read, wanted = trimesh.load_mesh(file), Field.load(ball).mesh(24)
    if format == "glb":  # which is y-up by its standard
        read.vertices = read.vertices[:, [0, 2, 1]] * [1, -1, 1]
    read.merge_vertices()  # STL has no shared vertices
    assert read.is_watertight
    assert read.volume == pytest.approx(wanted.volume, rel=1e-4)
    assert read.bounds == pytest.approx(wanted.bounds, abs=1e-4)


@pytest.mark.parametrize("name", SPECS)
def test_onnxruntime_computes_the_same_values(name: str, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    spec = SPECS[name]
    field = Field(spec, initial_weights(spec, 1, torch.Generator().manual_seed(1))[0])
    field.save(tmp_path / "field.safetensors")
    (file,) = export(tmp_path / "field.safetensors", tmp_path / "field.onnx")
    points = torch.rand(1000, spec.dims, generator=torch.Generator().manual_seed(2)) * 2 - 1
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (values,) = session.run(["values"], {"points": points.numpy()})
    assert np.abs(values - field(points).numpy()).max() <= TOLERANCE == 1e-5


def test_onnx_of_a_fitted_field(ball: Path, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    (file,) = export(ball, tmp_path / "graph", format="onnx")
    session = onnxruntime.InferenceSession(file.read_bytes(), providers=["CPUExecutionProvider"])
    (values,) = session.run(None, {"points": np.float32([[0, 0, 0], [1, 1, 1]])})
    assert values[0] < 0 < values[1]


def test_a_field_set_is_put_back_where_its_shapes_were(tiny_fields: FieldSet, tmp_path: Path) -> None:
    frames = torch.tensor([[5.0, 6.0, 7.0, 0.5]], dtype=torch.float64).expand(len(tiny_fields), -1)
    placed = tiny_fields.joined(
        [tiny_fields], spec=tiny_fields.spec, classes=tiny_fields.classes, base=tiny_fields.base
    ).select(torch.arange(3))
    object.__setattr__(placed, "transforms", frames[:3])
    placed.save(tmp_path / "fields")
    files = export(tmp_path / "fields", tmp_path / "out", format="ply", resolution=16, limit=2)
    assert [file.name for file in files] == ["00000-sphere-0.ply", "00001-sphere-1.ply"]
    centre = trimesh.load_mesh(files[0]).bounds.mean(0)
    assert centre == pytest.approx([5, 6, 7], abs=1)
    assert np.ptp(trimesh.load_mesh(files[0]).vertices) > 1, "half the scale is twice the size"


def test_what_cannot_be_exported_is_refused(ball: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="no format 'gltf2'"):
        export(ball, tmp_path / "ball.gltf2")
    export(ball, tmp_path / "ball.stl", resolution=8)
    with pytest.raises(ConfigError, match="exists already"):
        export(ball, tmp_path / "ball.stl", resolution=8)
    with pytest.raises(ArtifactError, match="does not exist"):
        export(tmp_path / "nowhere", tmp_path / "out")
    empty = Field.load(ball)
    empty.weights[:] = 0
    empty.save(tmp_path / "empty.safetensors")
    with pytest.raises(NfgenError, match="has no surface"):
        export(tmp_path / "empty.safetensors", tmp_path / "empty.obj", resolution=8)
    assert not (tmp_path / "empty.obj").exists()
    for name in ("onnx", "onnx.numpy_helper"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match="needs the package onnx"):
        export(ball, tmp_path / "ball.onnx")


def test_the_command(ball: Path, tmp_path: Path) -> None:
    words = ["export", ball, "--resolution", 8, "-o", tmp_path / "ball.obj"]
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    assert "1 obj file written" in result.output
    listed = CliRunner().invoke(main, ["export", "--help"]).output
    assert f"--format [{'|'.join(FORMATS)}]" in listed


@pytest.mark.parametrize("up", ["y", "z"])
@pytest.mark.parametrize("format", ["glb", "obj"])
@pytest.mark.parametrize("common", [True, False], ids=["in one frame", "each in its own"])
def test_samples_are_read_back_upright(
    tiny_fields: FieldSet, tmp_path: Path, format: str, up: str, common: bool
) -> None:
    """Also those of folders of before: they lack `up`, which stood in the frame alone, and their GLBs are z-up."""
    field = tiny_fields[0]
    mesh, frame = field.mesh(24), Transform((5.0, 6.0, 7.0), 0.5, up) if common else None
    mesh.vertices = mesh.vertices * [1, 0.8, 0.4]
    names = write_sample(tmp_path, "sample-0000", field, FinishedMesh(mesh), frame, format, up=up)
    sample = Sample(*names, [], 0, 0, None, False, None)
    stored = {"frame": None if frame is None else frame.to_json()}
    write_list(tmp_path, [sample], stored | {"up": up})
    placed = mesh.bounds if frame is None else frame.invert(mesh.bounds)
    (read,) = read_meshes(tmp_path)
    np.testing.assert_allclose(read.bounds, placed, atol=1e-5)
    if format == "obj":
        height = trimesh.load_mesh(tmp_path / str(sample.file)).extents["xyz".index(up)]
        assert height == pytest.approx(np.ptp(placed, axis=0)[2], abs=1e-5)
    if common or up == "z":
        write_list(tmp_path, [sample], stored)
        (read,) = read_meshes(tmp_path)
        np.testing.assert_allclose(read.bounds, placed, atol=1e-5)
    if format == "glb":
        config = json.loads((tmp_path / "config.json").read_text())
        del config["glb_up"]
        (tmp_path / "config.json").write_text(json.dumps(config))
        vertices = mesh.vertices if frame is None else frame.invert(mesh.vertices)
        trimesh.Trimesh(vertices, mesh.faces).export(tmp_path / str(sample.file))
        (read,) = read_meshes(tmp_path)
        np.testing.assert_allclose(read.bounds, placed, atol=1e-5)


@pytest.mark.parametrize("up", ["sideways", 1, ["y"], {}])
def test_an_axis_that_is_none_is_refused(tmp_path: Path, up: object) -> None:
    config = {"type": "samples", "format": 1, "frame": None, "up": up}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "samples.json").write_text("[]")
    with pytest.raises(ArtifactError, match="up must be one of x, y, z"):
        export(tmp_path, tmp_path / "out", format="obj")
