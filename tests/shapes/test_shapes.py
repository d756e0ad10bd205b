"""Laws of shapes: exact values where they are known, the same points whatever the road, ids and labels."""

import gzip
import hashlib
import itertools
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nfgen.errors import NfgenError
from nfgen.runtime.progress import show_progress
from nfgen.shapes import ImageShape, MeshShape, Shape, Transform, VoxelShape, find_shapes, mesh_repair, sample_shapes

BOX = trimesh.creation.box()
BALL = trimesh.creation.icosphere(subdivisions=4)


def uniform(n: int, dims: int = 3) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (n, dims))


def box_distance(points: np.ndarray, half: float = 0.95) -> np.ndarray:
    beyond = np.abs(points) - half
    return np.linalg.norm(beyond.clip(0), axis=1) + beyond.max(axis=1).clip(max=0)


def joined(*meshes: trimesh.Trimesh) -> trimesh.Trimesh:
    return trimesh.util.concatenate(meshes)


def moved(mesh: trimesh.Trimesh, x: float) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices + np.array([x, 0, 0]), mesh.faces, process=False)


def inverted(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices, mesh.faces[:, ::-1], process=False)


def shape_of(mesh: trimesh.Trimesh) -> MeshShape:
    return MeshShape(mesh.vertices, mesh.faces)


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


def voxel_ball(n: int = 32, radius: float = 0.8) -> np.ndarray:
    axis = (np.arange(n) + 0.5) * 2 / n - 1
    return np.linalg.norm(np.stack(np.meshgrid(axis, axis, axis, indexing="ij")), axis=0) < radius


def test_a_voxel_cube_with_stairs_has_the_exact_distance_straight_from_its_faces() -> None:
    shape = VoxelShape(np.ones((8, 8, 8), bool), smooth=False)
    line = np.stack([np.linspace(-1, 1, 81), np.zeros(81), np.zeros(81)], axis=1)
    np.testing.assert_allclose(shape.value(line), np.abs(line[:, 0]) - 0.95, atol=1e-6)
    assert shape.mesh().is_watertight
    assert shape.mesh().volume == pytest.approx(8 * 0.95**3, rel=0.03)  # its edges are bevelled by half a voxel


@pytest.mark.parametrize("smooth", [False, True])
def test_a_voxel_ball_is_within_half_a_voxel_of_the_sphere_even_beyond_the_grid(smooth: bool) -> None:
    points = uniform(4000) * 1.2
    shape = VoxelShape(voxel_ball(), smooth=smooth)
    half_diagonal = np.sqrt(3) / 2 * 2 * 0.95 / 32
    np.testing.assert_allclose(shape.value(points), np.linalg.norm(points, axis=1) - 0.76, atol=half_diagonal)


def slanted_plate() -> np.ndarray:
    """A plate two voxels thick that rises by one voxel in four, inside a grid of 32."""
    x, y, z = np.indices((32, 32, 32)) - 15.5
    return (np.abs(z - x / 4) < 1.05) & (np.abs(x) < 13) & (np.abs(y) < 13)


def slope_error(shape: Shape) -> float:
    """Degrees between the normals of the plate's broad sides and what they would be, on average over their area."""
    mesh = shape.mesh()
    across = np.array([-0.25, 0, 1]) / np.hypot(0.25, 1)
    inner = (np.abs(mesh.triangles_center[:, :2]) < 0.6).all(1)
    cosine = np.abs(mesh.face_normals[inner] @ across)
    return float(np.average(np.degrees(np.arccos(cosine.clip(max=1))), weights=mesh.area_faces[inner]))


def test_a_smooth_surface_goes_through_the_stairs_and_keeps_the_thickness() -> None:
    smooth, stairs = VoxelShape(slanted_plate()), VoxelShape(slanted_plate(), smooth=False)
    assert slope_error(smooth) < 4 < 10 < slope_error(stairs)
    assert smooth.mesh().is_watertight
    assert smooth.mesh().volume == pytest.approx(stairs.mesh().volume, rel=0.05)
    moved = np.abs(smooth.mesh().vertices - stairs.mesh().vertices).max()
    assert 0 < moved <= 0.5 * 1.9 / 32 + 1e-9


def thin_rod(slope: float, thickness: int) -> np.ndarray:
    """A rod of so many voxels each way that leans along x."""
    rod = np.zeros((32, 32, 32), bool)
    for z in range(3, 29):
        x = 16 + round(slope * (z - 16))
        rod[x : x + thickness, 16 : 16 + thickness, z] = True
    return rod


@pytest.mark.parametrize("slope", [0.0, 0.25])
@pytest.mark.parametrize("thickness", [1, 2])
def test_a_thin_rod_stays_as_thick_as_it_was_when_it_is_smoothed(slope: float, thickness: int) -> None:
    rod = thin_rod(slope, thickness)
    smooth, stairs = VoxelShape(rod), VoxelShape(rod, smooth=False)
    assert smooth.mesh().volume == pytest.approx(stairs.mesh().volume, rel=0.25)
    inner = np.argwhere(rod)[4 * thickness**2 : -4 * thickness**2]  # but for its ends
    centres = ((inner + 0.5) / 32 * 2 - 1) * 0.95
    assert (smooth.value(centres) < 0).all()


def test_a_hollow_voxel_body_is_filled_and_a_long_grid_keeps_its_proportions() -> None:
    hollow = voxel_ball() & ~voxel_ball(radius=0.5)
    np.testing.assert_array_equal(VoxelShape(hollow).value(uniform(100)), VoxelShape(voxel_ball()).value(uniform(100)))
    long = VoxelShape(np.ones((16, 8, 4), np.uint8), smooth=False)
    np.testing.assert_allclose(long.mesh().bounds[1], [0.95, 0.475, 0.2375], atol=1e-6)


def test_image_rows_run_from_top_to_bottom() -> None:
    pixels = np.zeros((20, 20))
    pixels[:10, :10] = 1  # the upper left quarter
    quarters = np.array([[-0.5, 0.5], [0.5, 0.5], [-0.5, -0.5], [0.5, -0.5]])
    assert ImageShape(pixels, kind="brightness").value(quarters).tolist() == [1, 0, 0, 0]
    assert (ImageShape(pixels).value(quarters) < 0).tolist() == [True, False, False, False]


def test_an_image_of_a_disc_has_the_distance_of_a_disc() -> None:
    axis = (np.arange(32) + 0.5) * 2 / 32 - 1
    radius = np.hypot(*np.meshgrid(axis, axis))
    disc = ((0.6 - radius) * 16 + 0.5).clip(0, 1)  # antialiased: one pixel from bright to dark
    points = uniform(2000, 2)
    np.testing.assert_allclose(ImageShape(disc).value(points), np.linalg.norm(points, axis=1) - 0.57, atol=0.01)


def test_brightness_is_bilinear_between_pixel_centres() -> None:
    shape = ImageShape(np.array([[0.0, 1.0], [0.5, 0.5]]), kind="brightness")
    points = np.array([[-0.5, 0.5], [0.5, 0.5], [0.0, 0.5], [0.0, 0.0], [-1.0, 1.0]])
    np.testing.assert_allclose(shape.value(points), [0, 1, 0.5, 0.5, 0], atol=1e-12)


SHAPES: list[Shape] = [shape_of(BALL), VoxelShape(voxel_ball()), ImageShape(voxel_ball()[16].astype(float))]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.id)
def test_samples_are_near_the_surface_first_then_uniform(shape: Shape) -> None:
    points, values = shape.sample(2000, 1000, np.random.default_rng(0))
    assert points.shape == (3000, shape.dims)
    assert points.dtype == values.dtype == np.float32
    assert np.abs(points).max() <= 1
    np.testing.assert_allclose(values, shape.value(points.astype(np.float64)), atol=1e-5)
    near, far = np.abs(values[:2000]), np.abs(values[2000:])
    # Distances along the normal: half of sigma 0.05, half of 0.0158; their mean size is 0.026.
    assert near.mean() == pytest.approx(0.026, abs=0.006)
    assert far.mean() > 0.15
    on = shape.surface(1000, np.random.default_rng(0))
    assert np.abs(shape.value(on)).max() < 0.02


def write_grids(folder: Path) -> None:
    packed = np.packbits(np.stack([voxel_ball(16)] * 2).reshape(2, -1), axis=1)
    np.savez_compressed(folder / "grids.npz", voxels=packed, shape=[16, 16, 16], labels=[4, 7])


def write_shapes(folder: Path) -> None:
    for i in range(3):
        moved(BOX, i).export(folder / f"{i}.off")
    write_grids(folder)


def test_samples_do_not_depend_on_company_or_cache(tmp_path: Path) -> None:
    write_shapes(tmp_path)
    refs = find_shapes(tmp_path)
    alone, _ = sample_shapes(refs, 20, 10, seed=1, workers=1)
    assert [sampled.ref for sampled in alone] == refs
    others = [
        sample_shapes(refs, 20, 10, seed=1, workers=1, cache=tmp_path / "cache")[0],
        sample_shapes(refs, 20, 10, seed=1, workers=1, cache=tmp_path / "cache")[0],
        [sample_shapes([ref], 20, 10, seed=1)[0][0] for ref in refs],
    ]
    for one, other in itertools.product([alone], others):
        for a, b in zip(one, other, strict=True):
            assert a.ref.id == b.ref.id
            assert a.transform == b.transform
            np.testing.assert_array_equal(a.samples.points, b.samples.points)
            np.testing.assert_array_equal(a.samples.values, b.samples.values)
    different, _ = sample_shapes(refs, 20, 10, seed=2, workers=1)
    assert not np.array_equal(different[0].samples.points, alone[0].samples.points)
    assert not np.array_equal(alone[0].samples.points[20:], alone[1].samples.points[20:])


def test_the_cache_is_used_outlives_damage_and_follows_the_file(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    BOX.export(tmp_path / "a.off")
    refs = find_shapes(tmp_path / "a.off")
    [first], _ = sample_shapes(refs, 20, 10, seed=0, cache=cache)
    [kept] = cache.rglob("*.safetensors")
    written = kept.stat().st_mtime_ns
    sample_shapes(refs, 20, 10, seed=0, cache=cache)
    assert kept.stat().st_mtime_ns == written
    kept.write_bytes(kept.read_bytes()[:100])
    [again], _ = sample_shapes(refs, 20, 10, seed=0, cache=cache)
    np.testing.assert_array_equal(first.samples.points, again.samples.points)
    BALL.export(tmp_path / "a.off")
    [changed], _ = sample_shapes(refs, 20, 10, seed=0, cache=cache)
    assert not np.array_equal(first.samples.values, changed.samples.values)
    assert len(list(cache.rglob("*"))) == len(list(cache.rglob("*.safetensors"))) + len(list(cache.glob("*")))


SCRIPT = """
import hashlib, sys
from nfgen.shapes import find_shapes, over_processes, sample_shapes
print("ran")
over_processes.ALONE_SECONDS = 0
done, _ = sample_shapes(find_shapes(sys.argv[1]), 20, 10, seed=1, workers=2)
print(len(done), hashlib.sha256(b"".join(shape.samples.points.tobytes() for shape in done)).hexdigest())
"""


def test_a_script_without_a_guard_samples_over_processes_with_the_same_result(tmp_path: Path) -> None:
    write_grids(tmp_path)
    (tmp_path / "script.py").write_text(SCRIPT)
    here, _ = sample_shapes(find_shapes(tmp_path), 20, 10, seed=1, workers=1)
    digest = hashlib.sha256(b"".join(shape.samples.points.tobytes() for shape in here)).hexdigest()
    command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path)]
    # The checkout is on the path as it is in this process, installed or not.
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=600, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    )
    assert (done.returncode, done.stderr, done.stdout.split()) == (0, "", ["ran", "2", digest])


def test_progress_is_shown_when_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_shapes(tmp_path)
    show_progress(True)
    try:
        sample_shapes(find_shapes(tmp_path), 8, 8, seed=0)
    finally:
        show_progress(False)
    assert "sample: 5/5 shape" in capsys.readouterr().err


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


def write_binvox(path: Path, grid: np.ndarray) -> None:
    flat = grid.transpose(0, 2, 1).ravel()
    runs = b"".join(bytes([value, 1]) for value in flat.astype(np.uint8))
    x, y, z = grid.shape
    path.write_bytes(f"#binvox 1\ndim {x} {z} {y}\ntranslate 10 20 30\nscale 4\ndata\n".encode() + runs)


def test_voxel_formats_give_the_same_shape(tmp_path: Path) -> None:
    grid = voxel_ball(16)
    grid[:, :5] = False  # so that the axes differ
    grid[:7, :, :7] = False
    np.save(tmp_path / "alone.npy", grid)
    np.save(tmp_path / "many.npy", np.stack([grid] * 2).astype(np.float32))
    np.savez(tmp_path / "plain.npz", grid.astype(np.uint8) * 255)
    np.savez(tmp_path / "packed.npz", voxels=np.packbits(grid.reshape(1, -1), axis=1), shape=grid.shape)
    write_binvox(tmp_path / "one.binvox", grid)
    refs = find_shapes(tmp_path)
    assert [ref.id for ref in refs] == [
        "alone.npy",
        "many.npy#0",
        "many.npy#1",
        "one.binvox",
        "packed.npz",
        "plain.npz",
    ]
    points = uniform(500)
    expected = VoxelShape(grid).value(points)
    for ref in refs:
        np.testing.assert_array_equal(ref.load().value(points), expected)
    np.testing.assert_allclose(refs[3].load().transform.invert(np.zeros((1, 3))), [[12, 22, 32]])


def write_idx(path: Path, array: np.ndarray) -> None:
    data = struct.pack(f">I{array.ndim}I", 0x800 | array.ndim, *array.shape) + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.mark.parametrize("end", ["", ".gz"])
def test_idx_images_take_the_labels_beside_them(end: str, tmp_path: Path) -> None:
    images = np.zeros((3, 8, 8), np.uint8)
    images[:, 2:6, 2:6] = 255
    write_idx(tmp_path / f"train-images-idx3-ubyte{end}", images)
    assert [ref.label for ref in find_shapes(tmp_path)] == [None] * 3
    write_idx(tmp_path / f"train-labels-idx1-ubyte{end}", np.array([7, 0, 2]))
    refs = find_shapes(tmp_path, kind="brightness")
    assert [(ref.id.split("#")[1], ref.label, ref.dims) for ref in refs] == [
        ("0", "7", 2),
        ("1", "0", 2),
        ("2", "2", 2),
    ]
    assert refs[1].load().value(np.array([[0.0, 0.0], [0.9, 0.9]])).tolist() == [1, 0]


def test_pictures_are_read_as_brightness(tmp_path: Path) -> None:
    pixels = np.zeros((16, 16), np.uint8)
    pixels[4:12, 4:12] = 255
    Image.fromarray(pixels).save(tmp_path / "grey.png")
    Image.fromarray(np.stack([pixels] * 3, axis=-1)).save(tmp_path / "colour.jpg", quality=100)
    clear = np.full((16, 16, 4), 255, np.uint8)
    clear[..., 3] = pixels
    Image.fromarray(clear).save(tmp_path / "clear.png")
    Image.fromarray(pixels.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    refs = find_shapes(tmp_path, kind="brightness")
    assert len(refs) == 4
    for ref in refs:
        np.testing.assert_allclose(ref.load().value(np.array([[0, 0], [0.9, 0.9]])), [1, 0], atol=0.02)


def test_labels_are_the_sub_folders_that_hold_several_shapes(tmp_path: Path) -> None:
    for name in (
        "set/chair/train/a.off",
        "set/chair/b.off",
        "set/table/c.off",
        "set/.hidden/d.off",
        "set/chair/._b.off",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        BOX.export(tmp_path / name)
    refs = find_shapes(tmp_path)
    expected = {"set/chair/b.off": "chair", "set/chair/train/a.off": "chair", "set/table/c.off": "table"}
    assert {ref.id: ref.label for ref in refs} == expected
    assert [ref.label for ref in find_shapes([tmp_path / "set/chair", tmp_path / "set/table"])] == [
        "chair",
        "chair",
        "table",
    ]
    assert [ref.label for ref in find_shapes([tmp_path / "set/chair/b.off", tmp_path / "set/table"])] == [None, None]
    assert [ref.label for ref in find_shapes(tmp_path / "set/table")] == [None]


def test_sources_are_files_folders_and_globs_each_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(3):
        BOX.export(tmp_path / f"{i}.off")
    (tmp_path / "notes.txt").write_text("no shape")
    Image.new("L", (4, 4)).save(tmp_path / "texture.png")
    monkeypatch.chdir(tmp_path)
    names = ["0.off", "1.off", "2.off"]
    for sources in (".", tmp_path, "*.off", f"{tmp_path}/*.off", names, ["0.off", "."], [Path("0.off"), "*"]):
        assert sorted(ref.id for ref in find_shapes(sources) if ref.id.endswith(".off")) == names
    assert len(find_shapes(".")) == 3  # a texture among meshes is no shape
    with pytest.raises(NfgenError, match="mix 2-D images with 3-D"):
        find_shapes(["0.off", "texture.png"])
