"""Meshes that people can use: smooth, of few faces, of a real size, printable; closed in every format all the same."""

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from nfgen.errors import ArtifactError, ConfigError
from nfgen.evaluation.measure import measure_samples
from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.fields.finishing.printing import cut_flat, largest_body, thinnest_wall
from nfgen.fields.finishing.smoothing import smoothed
from nfgen.fields.mlp import flatten
from nfgen.fields.slopes import field_gradients
from nfgen.fields.spec import FieldSpec
from nfgen.io.meshes import turned_upright, write_mesh
from nfgen.metrics.validity import surface_volumes
from nfgen.pipeline.export import export
from nfgen.pipeline.finish import Size, finish, size_of
from nfgen.pipeline.generate import generate
from nfgen.pipeline.mesh_config import SurfaceConfig
from nfgen.pipeline.sample_set import read_list, read_meshes
from nfgen.shapes.synthetic import make_shapes

from ..closed_meshes import WRITABLE, faults

CHANGES = ("smooth", "simplify", "printable")
FACES = 300


def plate(thickness: float) -> Field:
    """A standing plate: |x| < thickness / 2, |y| < 0.5, |z| < 0.6, with distances along x."""
    first, second = torch.zeros(6, 3), torch.zeros(3, 6)
    for axis in range(3):
        first[2 * axis, axis], first[2 * axis + 1, axis] = 1, -1
        second[axis, 2 * axis] = second[axis, 2 * axis + 1] = 1
    layers = [
        (first, torch.zeros(6)),
        (second, -torch.tensor([0, 0.5, 0.6])),
        (torch.ones(1, 3), -torch.tensor([thickness / 2])),
    ]
    spec = FieldSpec(frequencies=0, hidden=(6, 3), activation="relu", output_bias=True)
    return Field(spec, flatten([(matrix[None], bias[None]) for matrix, bias in layers])[0])


def read_again(path: Path) -> trimesh.Trimesh:
    """A file, upright, with equal vertices merged."""
    mesh = trimesh.load_mesh(path, process=True)
    mesh.merge_vertices(merge_tex=True, merge_norm=True)
    if path.suffix == ".glb":
        mesh.vertices = turned_upright(mesh.vertices, "y")
    return mesh


@pytest.mark.parametrize("chosen", [some for n in range(4) for some in itertools.combinations(CHANGES, n)])
def test_whatever_is_asked_for_the_file_is_a_closed_surface_of_the_size(
    tiny_fields: FieldSet, tmp_path: Path, chosen: tuple[str, ...]
) -> None:
    if "printable" in chosen:
        pytest.importorskip("manifold3d", reason="the extra print is not installed")
    given = {"smooth": 10, "simplify": FACES, "printable": True}
    config = SurfaceConfig(resolution=24, height="9cm", **{name: given[name] for name in chosen})
    for index, field in enumerate((tiny_fields[7], plate(0.1))):
        for format in WRITABLE:
            path = tmp_path / f"{index}.{format}"
            made = finish(field, field.mesh(24), config, format)
            made.write(path, None, "z")
            read = read_again(path)
            assert not faults(read), (format, made.changes)
            assert len(read.faces) == len(made.mesh.faces)
            assert len(read.faces) <= FACES or "simplify" not in chosen
            low, high = read.bounds[:, 2]
            height = {"glb": 0.09, "stl": 90, "3mf": 90}.get(format, 9)
            assert (low / height, high / height) == pytest.approx((0, 1), abs=1e-4)


def test_the_mesh_of_a_chair_keeps_its_size() -> None:
    ((_, chair, _),) = make_shapes("chair", 1, seed=2, resolution=64)
    smooth, wrong = smoothed(chair, 20)
    assert wrong is None
    assert smooth.volume == pytest.approx(chair.volume, rel=0.002)
    assert smooth.extents == pytest.approx(chair.extents, rel=0.02)


def test_smoothing_takes_away_what_is_uneven_and_not_the_size() -> None:
    ball = trimesh.creation.icosphere(4)
    noise = 1 + 0.01 * np.random.default_rng(0).standard_normal((len(ball.vertices), 1))
    rough = trimesh.Trimesh(ball.vertices * noise, ball.faces, process=False)
    smooth, _ = smoothed(rough, 10)
    assert np.linalg.norm(smooth.vertices, axis=1).std() < 0.5 * np.linalg.norm(rough.vertices, axis=1).std()
    assert smooth.volume == pytest.approx(ball.volume, rel=0.005)


@pytest.mark.parametrize("format", ["glb", "obj", "ply"])
@pytest.mark.parametrize("compact", [False, True])
def test_files_hold_the_normals_of_the_field(tiny_fields: FieldSet, tmp_path: Path, format: str, compact: bool) -> None:
    field, path = tiny_fields[1], tmp_path / f"ball.{format}"
    made = finish(field, field.mesh(16), SurfaceConfig(compact=compact), format)
    made.write(path, None, "z")
    points = torch.tensor(np.array(made.mesh.vertices), dtype=torch.float32)
    wanted = field_gradients(field.spec, field.weights[None], points[None])[0].numpy()
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    (read,) = trimesh.load_scene(path, process=False).geometry.values()  # merged into one they lose their normals
    normals = turned_upright(read.vertex_normals, "y") if format == "glb" else read.vertex_normals
    cosines = (normals * wanted).sum(axis=1) / np.linalg.norm(normals, axis=1)  # OBJ rounds to five digits
    assert cosines.min() > np.cos(np.radians(1 if compact else 0.2))


def test_twenty_thousand_faces_fit_into_300_kb(tmp_path: Path) -> None:
    ball = trimesh.creation.icosphere(5)
    write_mesh(ball, tmp_path / "a.glb", normals=np.array(ball.vertex_normals), compact=True)
    assert len(ball.faces) == 20480
    assert (tmp_path / "a.glb").stat().st_size * 20_000 / 20_480 < 300_000


@pytest.mark.parametrize("format", ["glb", "obj"])
def test_texture_coordinates_are_read_again(ball: Path, tmp_path: Path, format: str) -> None:
    pytest.importorskip("xatlas", reason="the extra uv is not installed")
    (file,) = export(ball, tmp_path / f"ball.{format}", resolution=16, uv=True)
    read = trimesh.load_mesh(file, process=False)
    uv = read.visual.uv
    assert len(uv) == len(read.vertices)
    assert 0 <= uv.min() < 0.1
    assert 0.9 < uv.max() <= 1
    corners = uv[read.faces]
    sides = corners[:, 1:] - corners[:, :1]
    assert (np.abs(np.linalg.det(sides)) > 0).mean() > 0.99, "faces have an area on the texture"


def test_walls_become_as_thick_as_is_asked() -> None:
    pytest.importorskip("manifold3d", reason="the extra print is not installed")
    field = plate(0.06)
    mesh = field.mesh(64)
    assert thinnest_wall(field, mesh, 0.2) == pytest.approx(0.06, abs=0.02), "the rims are thinner"
    made = finish(field, mesh, SurfaceConfig(resolution=64, printable=True, height="100mm", wall="8mm"), "stl")
    assert 8 <= made.placed(None).extents[0] < 11
    assert made.changes[0].startswith("walls thickened, the thinnest from ")
    assert "flat base" in made.changes[1]
    again = finish(field, mesh, SurfaceConfig(resolution=64, printable=True, height="100mm", wall="2mm"), "stl")
    assert not any("wall" in change for change in again.changes)


def test_walls_of_a_field_that_is_of_no_distances_are_said_to_be_thin() -> None:
    pytest.importorskip("manifold3d", reason="the extra print is not installed")
    field = plate(0.06)
    logits = Field(field.spec.replace(output="occupancy"), field.weights.clone())
    logits.weights[-4:] *= -1  # inside is above zero
    config = SurfaceConfig(resolution=64, printable=True, height="100mm", wall="8mm")
    made = finish(logits, logits.mesh(64), config, "stl")
    assert "still" in made.changes[0]
    assert "no distances" in made.changes[0]


def test_one_body_is_left_and_stands_flat() -> None:
    pytest.importorskip("manifold3d", reason="the extra print is not installed")
    ball, crumb = trimesh.creation.icosphere(3), trimesh.creation.icosphere(1, 0.1).apply_translation((2, 0, 0))
    body, dropped, share = largest_body(trimesh.util.concatenate([ball, crumb]))
    assert (len(body.faces), dropped) == (len(ball.faces), 1)
    assert share == pytest.approx(0.999, abs=0.001)
    cut, off, stands = cut_flat(ball)
    assert stands
    assert not faults(cut)
    lowest = cut.bounds[0, 2]
    assert lowest == pytest.approx(2 * off - 1)
    assert (cut.vertices[:, 2] == lowest).sum() > 8
    leaning = trimesh.creation.box((0.2, 0.2, 2))
    leaning.vertices[:, 0] += leaning.vertices[:, 2]
    assert not cut_flat(leaning)[2]


def test_crumbs_are_left_out_of_samples_and_of_what_is_exported_of_them(tmp_path: Path) -> None:
    settings = {"n": 4, "resolution": 32, "temperature": 9.0, "require_body": 0.0, "balanced": False}  # noise
    generate("chairs", tmp_path / "all", crumbs=0, **settings)
    generate("chairs", tmp_path / "out", crumbs=0.2, **settings)
    export(tmp_path / "out", tmp_path / "again", resolution=32)
    export(tmp_path / "out", tmp_path / "whole", resolution=32, crumbs=0)

    def surfaces(folder: Path) -> list[int]:
        return [len(surface_volumes(trimesh.load_mesh(path))[1]) for path in sorted(folder.glob("*.glb"))]

    every, few = surfaces(tmp_path / "all"), surfaces(tmp_path / "out")
    assert sum(few) < sum(every)
    assert surfaces(tmp_path / "again") == few
    assert surfaces(tmp_path / "whole") == every
    said = [any("left out" in change for change in entry["mesh"]["changes"]) for entry in read_list(tmp_path / "out")]
    assert said == [one < other for one, other in zip(few, every, strict=True)]


def test_sizes_do_not_change_what_is_compared(run: Path, tmp_path: Path) -> None:
    """`nfgen evaluate` and the report see samples in the frame of their shapes, whatever size their files have."""
    settings = {"n": 2, "resolution": 16, "require_surface": True}
    plain = generate(run, tmp_path / "plain", **settings)
    sized = generate(run, tmp_path / "sized", height="35in", format="stl", **settings)
    assert [one.tokens for one in plain] == [one.tokens for one in sized]
    for one, before, after in zip(sized, read_meshes(tmp_path / "plain"), read_meshes(tmp_path / "sized"), strict=True):
        assert trimesh.load_mesh(tmp_path / "sized" / str(one.file)).extents[2] == pytest.approx(889, rel=1e-5)
        np.testing.assert_allclose(after.bounds, before.bounds, atol=1e-5)
        assert one.mesh["size"]["unit"] == "mm"
    clouds = [measure_samples(tmp_path / name, 64, 0).clouds for name in ("plain", "sized")]
    np.testing.assert_allclose(*clouds, atol=1e-4)
    assert [entry["mesh"]["faces"] for entry in read_list(tmp_path / "sized")] == [one.mesh["faces"] for one in plain]


@pytest.mark.parametrize(
    "size", [3, {}, {"unit": "m", "scale": 0, "base": 0}, {"unit": "m", "scale": "many", "base": 0},
             {"unit": "m", "scale": 1, "base": float("inf")}],
)  # fmt: skip
def test_a_damaged_size_is_refused(size: object) -> None:
    with pytest.raises(ArtifactError, match="size of a sample is damaged"):
        size_of({"mesh": {"size": size}})
    assert size_of({}) is None
    assert size_of({"mesh": {"size": Size("m", 2.0, -1.0).to_json()}}) == Size("m", 2.0, -1.0)


@pytest.mark.parametrize(
    ("name", "settings", "problem"),
    [
        ("a.stl", {"uv": True}, "stl files hold no texture"),
        ("a.onnx", {"smooth": 3}, "smooth has no meaning for onnx"),
        ("a.glb", {"printable": True}, "need a height"),
        ("a.glb", {"printable": True, "height": "2mm"}, "wall must be far below 2mm"),
        ("a.glb", {"height": "90"}, "height must be a number and a unit"),
        ("a.glb", {"height": "-9cm"}, "height must be a number and a unit"),
        ("a.glb", {"height": "9 parsecs"}, "height must be a number and a unit"),
        ("a.glb", {"height": "0mm"}, "height must be from 0.001mm"),
        ("a.glb", {"simplify": 3}, "simplify must be greater than or equal to 4"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is(
    ball: Path, tmp_path: Path, name: str, settings: dict[str, object], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        export(ball, tmp_path / name, **settings)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize(
    ("package", "settings", "extra"),
    [("xatlas", {"uv": True}, "uv"), ("manifold3d", {"printable": True, "height": "9cm"}, "print")],
)
def test_a_missing_package_is_named_with_its_extra(
    ball: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, settings: dict[str, object], extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=f"need the package {package}") as error:
        export(ball, tmp_path / "a.glb", **settings)
    assert error.value.remedy == f"pip install 'nfgen[{extra}]'"
