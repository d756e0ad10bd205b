"""Whatever a file holds, it gives a shape or a ShapeError with its name and the reason: quickly, in little memory."""

import gzip
import json
import logging
import os
import resource
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nfgen.errors import NfgenError, ShapeError
from nfgen.shapes import ImageShape, MeshShape, VoxelShape, find_shapes, sample_shapes

from .bad_files import glb, idx, npy, npy_claiming, npz, obj, png

BOX = trimesh.creation.box()
HUGE = 2_000_000_000
MEMORY = 3 * 2**30  # of address space beyond what is in use: any claim of 2 GB that is believed twice ends here


@pytest.fixture(autouse=True)
def _little_memory() -> Iterator[None]:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() if os.name == "posix" else 0
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


CORNERS = "0 0 0,1 0 0,0 1 0,0 0 1"
GRID = np.ones((4, 4, 4), np.uint8)
NOISE = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
PLY = b"ply\nformat binary_little_endian 1.0\nelement vertex %d\n" + b"property float x\nend_header\n"
CLAIMING = {
    "accessors": [{"componentType": 5126, "count": HUGE, "type": "VEC3"}],
    "asset": {"version": "2.0"},
    "bufferViews": [],
    "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
    "nodes": [{"mesh": 0}],
    "scenes": [{"nodes": [0]}],
}
BOMB = npz(voxels=npy_claiming((HUGE,)), shape=npy(np.array([10, 10, 10])))

BAD: dict[str, tuple[bytes, str]] = {
    "empty.obj": (b"", "is empty"),
    "empty.stl": (b"", "is empty"),
    "empty.npy": (b"", "is empty"),
    "empty.npz": (b"", "is empty"),
    "empty.binvox": (b"", "is empty"),
    "empty.png": (b"", "is empty"),
    "empty-idx3-ubyte": (b"", "is empty"),
    "empty-idx3-ubyte.gz": (b"", "is empty"),
    "letter.obj": (b"Dear reader,\nthis is no mesh.\nf is the sixth letter\n", "letter.obj"),
    "letter.off": (b"Dear reader", "cannot be read as .off"),
    "letter.ply": (b"Dear reader", "cannot be read as .ply"),
    "letter.stl": (b"Dear reader" * 20, "claims"),
    "letter.glb": (b"Dear reader" * 20, "cannot be read as .glb"),
    "letter.gltf": (b"Dear reader" * 20, "cannot be read as .gltf"),
    "letter.npy": (b"Dear reader" * 20, "cannot be read as .npy"),
    "letter.npz": (b"Dear reader" * 20, "cannot be read as .npz"),
    "letter.png": (b"Dear reader" * 20, "cannot be read as a picture"),
    "letter-idx3-ubyte.gz": (b"Dear reader" * 20, "IDX"),
    "bytes.obj": (bytes(range(256)) * 10, "bytes.obj"),
    "points.obj": (obj(CORNERS, "").replace(b"f ", b""), "no faces"),
    "nan.obj": (obj("0 0 0,1 0 0,0 nan 0,0 0 1", "1 2 3,1 2 4,1 3 4,2 3 4"), "nan.obj"),
    "infinite.off": (b"OFF\n4 2 0\n0 0 0\n1 0 0\n0 inf 0\n0 0 1\n3 0 1 2\n3 0 1 3\n", "not finite"),
    "nan.off": (b"OFF\n4 2 0\n0 0 0\n1 0 0\n0 nan 0\n0 0 1\n3 0 1 2\n3 0 1 3\n", "not finite"),
    "degenerate.obj": (obj("0 0 0,1 0 0,2 0 0,3 0 0", "1 2 3,2 3 4,1 1 2"), "every face is degenerate"),
    "dot.obj": (obj("1 1 1,1 1 1,1 1 1", "1 2 3"), "zero extent"),
    "sheet.obj": (obj("0 0 0,1 0 0,1 1 0,0 1 0", "1 2 3,1 3 4"), "enclose no volume"),
    "beyond.obj": (obj(CORNERS, "1 2 3,1 2 9"), "beyond.obj"),
    "zero.obj": (obj(CORNERS, "0 1 2,0 1 3"), "OBJ counts from 1"),
    "before.obj": (obj(CORNERS, "-1 -2 -3,-1 -2 -9"), "out of range"),
    "beyond.off": (b"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 7\n", "out of range"),
    "short.off": (b"OFF\n400 200 0\n0 0 0\n", "claims 400 vertices, holds 1"),
    "claim.off": (b"OFF\n%d %d 0\n0 0 0\n" % (HUGE, HUGE), "claims 2,000,000,000 vertices, holds 1"),
    "claim.stl": (bytes(80) + struct.pack("<I", HUGE // 50) + bytes(50), "claims 40,000,000 faces, holds 1"),
    "claim.ply": (PLY % HUGE + bytes(100), "claims 2,000,000,000 vertices, holds 25"),
    "endless.ply": (b"ply\nformat ascii 1.0\nelement vertex 3\n", "cannot be read as .ply"),
    "claim.glb": (glb(CLAIMING), "accessors without data claim"),
    "claim.gltf": (json.dumps(CLAIMING).encode(), "accessors without data claim"),
    "claim.npy": (npy_claiming((10**6, 32, 32, 32)), "cannot be read as .npy"),
    "claim_one.npy": (npy_claiming((1290, 1290, 1290)), "cannot be read as .npy"),
    "objects.npy": (npy(np.array([[["a", None]]], dtype=object)), "Python objects"),
    "objects.npz": (npz(voxels=npy(np.array([[["a", None]]], dtype=object))), "Python objects"),
    "words.npy": (npy(np.array([[["a", "b"]]])), "no occupancy"),
    "complex.npy": (npy(GRID * 1j), "no occupancy"),
    "times.npy": (npy(GRID.astype("timedelta64[s]")), "no occupancy"),
    "flat.npy": (npy(GRID[0]), "not a 3-D voxel grid"),
    "none.npy": (npy(GRID[:0]), "none.npy"),
    "hollow.npy": (npy(GRID * 0), "grid is empty"),
    "nan.npy": (npy(np.where(GRID[..., None][..., 0] == 1, np.nan, 0.0)), "not finite"),
    "claim.npz": (BOMB, "claims 2,000,000,000 bytes"),
    "length.npz": (npz(voxels=npy(np.zeros((3, 7), np.uint8)), shape=npy(np.array([4, 4, 4]))), r"uint8 \[n, 8\]"),
    "kind.npz": (npz(voxels=npy(np.zeros((3, 8))), shape=npy(np.array([4, 4, 4]))), r"uint8 \[n, 8\]"),
    "sides.npz": (
        npz(voxels=npy(np.zeros((3, 8), np.uint8)), shape=npy(np.array([-4, -4, 4]))),
        "not a 3-D voxel grid",
    ),
    "vast.npz": (npz(voxels=npy(np.zeros((3, 8), np.uint8)), shape=npy(np.array([2**20] * 3))), "are more than"),
    "labels.npz": (npz(voxels=npy(GRID), labels=npy(np.arange(5))), "not one whole number or name for each of 1"),
    "names.npz": (npz(a=npy(GRID), b=npy(GRID)), "has no array `voxels`"),
    "claim.binvox": (b"#binvox 1\ndim 2000 1000 1000\ndata\n\x01\xff", "are more than"),
    "runs.binvox": (b"#binvox 1\ndim 4 4 4\ndata\n\x01\xff", "the runs give 255 voxels"),
    "dims.binvox": (b"#binvox 1\ndim 4 four 4\ndata\n\x01\x40", "header is malformed"),
    "endless.binvox": (b"#binvox 1\n" + b"comment\n" * 100, "header does not end"),
    "scale.binvox": (b"#binvox 1\ndim 4 4 4\nscale nan\ndata\n\x01\x40", "not finite and positive"),
    "claim-idx3-ubyte": (idx(0x803, (HUGE, 28, 28), bytes(100)), "the header claims"),
    "claim-idx3-ubyte.gz": (gzip.compress(idx(0x803, (1000, 1000, 1000), bytes(100))), "the header claims"),
    "short-idx3-ubyte": (idx(0x803, (10, 2, 2), bytes(30)), "the header claims"),
    "cut-idx3-ubyte.gz": (gzip.compress(idx(0x803, (10, 2, 2), bytes(40)))[:-9], "cannot be read as IDX"),
    "images-idx1-ubyte": (idx(0x801, (10,), bytes(10)), "not an IDX file of images"),
    "dark.png": (png(np.zeros((8, 8), np.uint8)), "all dark"),
    "claim.png": (
        png(np.zeros((8, 8), np.uint8)).replace(struct.pack(">II", 8, 8), struct.pack(">II", 60000, 60000)),
        "claim.png",
    ),
    "large.png": (png(np.zeros((4097, 4097), np.uint8)), "are more than"),
    "cut.png": (
        png(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8))[:500],
        "cannot be read as a picture",
    ),
    "shape.xyz": (b"0 0 0\n", "no known kind"),
    "shape.docx": (b"0 0 0\n", "no known kind"),
    "shape": (b"0 0 0\n", "no known kind"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_skipped_with_its_name_and_reason(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    data, reason = BAD[name]
    (tmp_path / name).write_bytes(data)
    done, skipped = sample_shapes(find_shapes(tmp_path / name), 8, 8, seed=0)
    assert not done
    assert [skip.id for skip in skipped] == [name]
    with pytest.raises(ShapeError, match=reason) as caught:
        find_shapes(tmp_path / name)[0].load()
    assert name in caught.value.problem
    assert "\n" not in caught.value.problem
    assert str(tmp_path) not in caught.value.problem
    assert caught.value.remedy
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_the_rest_goes_on_in_order_and_strict_stops(tmp_path: Path) -> None:
    BOX.export(tmp_path / "a.obj")
    BOX.export(tmp_path / "d.off")
    for name in ("letter.obj", "claim.npz", "nan.off"):
        (tmp_path / name).write_bytes(BAD[name][0])
    np.savez(tmp_path / "grids.npz", np.stack([GRID, GRID * 0]))
    done, skipped = sample_shapes(find_shapes(tmp_path), 8, 8, seed=0)
    assert [sampled.ref.id for sampled in done] == ["a.obj", "d.off", "grids.npz#0"]
    assert [skip.id for skip in skipped] == ["claim.npz", "grids.npz#1", "letter.obj", "nan.off"]
    with pytest.raises(ShapeError, match=r"claim\.npz"):
        sample_shapes(find_shapes(tmp_path), 8, 8, seed=0, strict=True)


def test_a_format_without_its_package_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trimesh.exceptions import ExceptionWrapper
    from trimesh.exchange import load

    monkeypatch.setitem(
        load.mesh_loaders, "3dxml", ExceptionWrapper(ModuleNotFoundError("No module named 'lxml'", name="lxml"))
    )
    (tmp_path / "a.3dxml").write_bytes(npz(model=b"x"))
    with pytest.raises(ShapeError, match="needs the Python package lxml"):
        find_shapes(tmp_path)[0].load()


def test_a_file_or_archive_beyond_the_limit_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.zae").write_bytes(npz(model=bytes(100_000)))
    BOX.export(tmp_path / "b.obj")
    assert (tmp_path / "a.zae").stat().st_size < 400 < (tmp_path / "b.obj").stat().st_size
    monkeypatch.setattr("nfgen.shapes.formats.limits.MAX_MESH_BYTES", 400)
    for ref in find_shapes(tmp_path):
        with pytest.raises(ShapeError, match="too large"):
            ref.load()


def test_what_is_no_regular_file_is_not_read(tmp_path: Path) -> None:
    for name in ("a.obj", "a.npy", "a.binvox", "a.png", "a-idx3-ubyte"):
        os.mkfifo(tmp_path / name)  # opening one would wait for a writer for ever
        with pytest.raises(ShapeError, match="not a regular file"):
            find_shapes(tmp_path / name)[0].load()
    (tmp_path / "folder.obj").mkdir()
    with pytest.raises(NfgenError, match="no shapes found"):
        find_shapes(tmp_path / "folder.obj")


def test_a_call_that_finds_nothing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no shape")
    for sources in (tmp_path, f"{tmp_path}/*.obj", [], [tmp_path, tmp_path]):
        with pytest.raises(NfgenError, match="no shapes found"):
            find_shapes(sources)
    with pytest.raises(NfgenError, match="does not exist"):
        find_shapes(tmp_path / "absent.obj")
    BOX.export(tmp_path / "a.obj")
    with pytest.raises(NfgenError, match="no shapes found"):
        find_shapes(tmp_path, kind="brightness")
    with pytest.raises(ShapeError, match="only images have a brightness"):
        find_shapes(tmp_path / "a.obj", kind="brightness")[0].load()


def test_labels_that_do_not_fit_their_images_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(0x803, (2, 4, 4), bytes(32)))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(0x801, (3,), bytes(3)))
    with pytest.raises(ShapeError, match="3 labels in train-labels-idx1-ubyte for 2 images"):
        find_shapes(tmp_path)[0].load()


def test_a_file_that_vanishes_is_skipped(tmp_path: Path) -> None:
    BOX.export(tmp_path / "a.obj")
    np.save(tmp_path / "b.npy", GRID)
    refs = find_shapes(tmp_path)
    for ref in refs:
        ref.path.unlink()
    done, skipped = sample_shapes(refs, 8, 8, seed=0, cache=tmp_path / "cache")
    assert (len(done), len(skipped)) == (0, 2)


@pytest.mark.parametrize(
    ("vertices", "faces", "reason"),
    [
        (np.zeros((0, 3)), np.zeros((0, 3), int), "no 3-D vertices"),
        (np.zeros((3, 2)), [[0, 1, 2]], "no 3-D vertices"),
        (BOX.vertices, np.zeros((0, 3), int), "no faces"),
        (BOX.vertices, [[0, 1, 2, 3]], "no faces"),
        (BOX.vertices, [[0, 1, 99]], "out of range"),
        (BOX.vertices, [[-1, 1, 2]], "out of range"),
        (BOX.vertices * 0, BOX.faces, "zero extent"),
        (BOX.vertices * 5e-324, BOX.faces, "zero extent"),
        (BOX.vertices * [1e-9, 1e-9, 1], BOX.faces, "degenerate"),
        (BOX.vertices * [1e-10, 1, 1e-10], BOX.faces, "degenerate"),
    ],
)
def test_arrays_that_are_no_mesh_are_refused(vertices, faces, reason: str) -> None:
    with pytest.raises(ShapeError, match=reason):
        MeshShape(vertices, np.asarray(faces))


def test_extremes_that_are_still_shapes_are_taken() -> None:
    for scale in (1e-300, 1e-30, 1e30, 1e300):
        assert MeshShape(BOX.vertices * scale, BOX.faces).value(np.zeros((1, 3)))[0] == pytest.approx(-0.95)
    stray = np.concatenate([BOX.vertices, [[np.nan] * 3]])  # no face uses it
    assert MeshShape(stray, BOX.faces).value(np.zeros((1, 3)))[0] == pytest.approx(-0.95)
    with pytest.raises(ShapeError, match=r"reaches beyond \[-1, 1\]"):
        MeshShape(BOX.vertices * 3, BOX.faces, normalize="none")


@pytest.mark.parametrize("pixels", [np.zeros((0, 4)), np.zeros(4), np.full((4, 4), np.nan), np.full((4, 4), 255)])
def test_arrays_that_are_no_image_are_refused(pixels: np.ndarray) -> None:
    for kind in ("sdf", "brightness"):
        with pytest.raises(ShapeError, match="image"):
            ImageShape(pixels, kind=kind)


def test_grids_beyond_the_limit_are_refused_before_they_are_touched() -> None:
    with pytest.raises(ShapeError, match="are more than"):
        VoxelShape(np.broadcast_to(np.uint8(1), (2000, 2000, 2000)))


WHOLE = {
    "a.obj": BOX.export(file_type="obj").encode(),
    "a.off": BOX.export(file_type="off").encode(),
    "a.stl": BOX.export(file_type="stl"),
    "b.stl": BOX.export(file_type="stl_ascii").encode(),
    "a.ply": BOX.export(file_type="ply"),
    "b.ply": BOX.export(file_type="ply", encoding="ascii"),
    "a.glb": BOX.export(file_type="glb"),
    "a.npy": npy(GRID),
    "a.npz": npz(voxels=npy(np.packbits(GRID.reshape(1, -1), axis=1)), shape=npy(np.array([4, 4, 4]))),
    "a.binvox": b"#binvox 1\ndim 4 4 4\ntranslate 0 0 0\nscale 1\ndata\n\x01\x30\x00\x10",
    "a.png": png(np.pad(np.full((4, 4), 255, np.uint8), 2)),
    "a-idx3-ubyte.gz": gzip.compress(idx(0x803, (1, 8, 8), np.pad(np.full((4, 4), 255, np.uint8), 2).tobytes())),
}


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_damage_gives_a_shape_or_a_shape_error(tmp_path: Path, name: str, data: st.DataObject) -> None:
    damaged = bytearray(WHOLE[name])
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(1, len(damaged)) | st.just(len(damaged)))
    (tmp_path / name).write_bytes(damaged[:cut])
    done, skipped = sample_shapes(find_shapes(tmp_path / name), 8, 8, seed=0, workers=1)
    assert len(done) + len(skipped) == len(find_shapes(tmp_path / name))
    assert all(np.isfinite(shape.samples.values).all() for shape in done)
