"""Voxel grids as people have them: what the numbers mean, which axis is which, and what is no grid at all."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from scipy.io import loadmat, savemat

from nfgen.errors import ShapeError
from nfgen.shapes import find_shapes
from nfgen.shapes.formats.mat import read_mat
from nfgen.shapes.reading import ReadingConfig

SIDE = 24
AXIS = (np.arange(SIDE) + 0.5) * 2 / SIDE - 1
PLACES = np.stack(np.meshgrid(AXIS, AXIS, AXIS, indexing="ij"))
DISTANCE = np.linalg.norm(PLACES / np.array([0.9, 0.6, 0.3])[:, None, None, None], axis=0) - 1  # an ellipsoid
SOLID = DISTANCE < 0
POINTS = np.random.default_rng(0).uniform(-1, 1, (4000, 3))
TRUE_SHARE = 4 / 3 * np.pi * 0.9 * 0.6 * 0.3 / 8 * 0.95**3


def inside(path: Path, **reading) -> np.ndarray:
    (ref,) = find_shapes(path, reading=ReadingConfig(**reading))
    return ref.load().value(POINTS) < 0


def saved(folder: Path, array: np.ndarray) -> Path:
    np.save(folder / "grid.npy", array)
    return folder / "grid.npy"


SAME = {
    "bool": SOLID,
    "bytes": SOLID.astype(np.uint8),
    "of 255": SOLID.astype(np.uint8) * 255,
    "probabilities": np.clip(0.5 - 3 * DISTANCE, 0, 1).astype(np.float32),
    "channel last": SOLID[..., None],
    "channel first": SOLID[None],
    "batch and channel": SOLID[None, None],
    "signed distance": DISTANCE.astype(np.float32),
    "signed distance in voxels": DISTANCE * SIDE / 2,
    "truncated distance": np.clip(DISTANCE, -0.1, 0.1).astype(np.float16),
    "distance with a channel": DISTANCE[..., None],
}


@pytest.mark.parametrize("name", SAME)
def test_one_ellipsoid_however_it_is_written(name: str, tmp_path: Path) -> None:
    found = inside(saved(tmp_path, SAME[name]))
    assert found.mean() == pytest.approx(TRUE_SHARE, abs=0.01)
    true = (np.linalg.norm(POINTS / np.array([0.9, 0.6, 0.3]) / 0.95, axis=1)) < 1
    assert (found == true).mean() > 0.985


def test_distances_place_the_surface_between_voxels(tmp_path: Path) -> None:
    sphere = np.linalg.norm(PLACES, axis=0) - 0.6
    (ref,) = find_shapes(saved(tmp_path, sphere))
    shape = ref.load()
    expected = np.linalg.norm(POINTS, axis=1) - 0.6 * 0.95
    np.testing.assert_allclose(shape.value(POINTS), expected, atol=0.006)  # a tenth of a voxel
    assert shape.mesh().is_watertight
    assert shape.mesh().volume == pytest.approx(4 / 3 * np.pi * (0.57) ** 3, rel=0.02)
    assert any("signed distances" in note for note in shape.notes)


def test_what_the_user_says_counts(tmp_path: Path) -> None:
    path = saved(tmp_path, DISTANCE)
    assert inside(path, values="sdf").mean() == pytest.approx(TRUE_SHARE, abs=0.01)
    assert inside(path, values="logits").mean() > 0.7, "the other side"
    logits = saved(tmp_path, -5 * DISTANCE)
    assert inside(logits, values="logits").mean() == pytest.approx(TRUE_SHARE, abs=0.01)
    labels = saved(tmp_path, SOLID.astype(np.int16) * (1 + (PLACES[0] > 0)))
    assert inside(labels, values="occupancy").mean() == pytest.approx(TRUE_SHARE, abs=0.01)


UNKNOWN = {
    "logits": -5 * DISTANCE,
    "distance that is positive inside": -DISTANCE,
    "minus and plus one": np.where(SOLID, 1, -1).astype(np.int8),
    "densities": np.clip(1 - DISTANCE, 0, None) * 1000,
    "labels": SOLID.astype(np.uint8) * (1 + (PLACES[0] > 0)),
    "grey": ndimage.gaussian_filter(SOLID.astype(float) * 255, 2).astype(np.uint8),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_cannot_be_known_is_asked_for(name: str, tmp_path: Path) -> None:
    (ref,) = find_shapes(saved(tmp_path, UNKNOWN[name]))
    with pytest.raises(ShapeError, match="cannot be known") as caught:
        ref.load()
    assert "--values" in caught.value.remedy


RNG = np.random.default_rng(0)
OTHERS = {
    "clouds": (RNG.normal(size=(20, 256, 3)).astype(np.float32), r"point clouds \(shape \[20, 256, 3\]\)"),
    "one cloud": (RNG.normal(size=(2048, 3)), "point clouds"),
    "a batch of one cloud": (RNG.normal(size=(1, 2048, 3)), "point clouds"),
    "clouds with normals": (RNG.normal(size=(2048, 6)), "point clouds"),
    "clouds by axis": (RNG.normal(size=(20, 3, 256)), "point clouds"),
    "digits": (RNG.integers(0, 256, (300, 28, 28), np.uint8), r"images.*\[300, 28, 28\]"),
    "few digits": (RNG.integers(0, 256, (50, 28, 28), np.uint8), "images"),
    "digits with a channel": (RNG.integers(0, 256, (50, 28, 28, 1), np.uint8), "images"),
    "digits with a channel in front": (RNG.integers(0, 256, (50, 1, 28, 28), np.uint8), "images"),
    "binary digits": (RNG.integers(0, 2, (1000, 28, 28), np.uint8), "images"),
    "one picture": (RNG.integers(0, 256, (64, 48), np.uint8), "images"),
    "a colour picture": (RNG.integers(0, 256, (64, 48, 3), np.uint8), "images"),
    "colour pictures": (RNG.integers(0, 256, (10, 32, 32, 3), np.uint8), r"3 channels.*\[10, 32, 32, 3\]"),
    "a colour volume": (RNG.integers(0, 256, (32, 32, 32, 3), np.uint8), "3 channels"),
    "colour volumes": (RNG.integers(0, 256, (2, 16, 16, 16, 4), np.uint8), "4 channels"),
    "a line": (np.ones(100, bool), "not a 3-D voxel grid"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_grid_is_refused_with_its_shape(name: str, tmp_path: Path) -> None:
    array, reason = OTHERS[name]
    refs = find_shapes(saved(tmp_path, array))
    with pytest.raises(ShapeError, match=reason):
        refs[0].load()
    np.savez(tmp_path / "other.npz", array)
    with pytest.raises(ShapeError, match=reason):
        find_shapes(tmp_path / "other.npz")[0].load()


def test_many_grids_are_still_many_grids(tmp_path: Path) -> None:
    stack = np.stack([SOLID, np.roll(SOLID, 2, 0), SOLID])
    for array in (stack, stack[:, None], stack[..., None], stack.astype(np.float32)):
        refs = find_shapes(saved(tmp_path, array))
        assert [ref.index for ref in refs] == [0, 1, 2]
        assert (refs[0].load().value(POINTS) < 0).mean() == pytest.approx(TRUE_SHARE, abs=0.01)


def test_a_solid_block_is_read_and_noted(tmp_path: Path) -> None:
    (ref,) = find_shapes(saved(tmp_path, np.ones((8, 8, 8), bool)))
    assert "every voxel is solid" in ref.load().notes[0]


def test_a_grid_with_y_up_is_turned(tmp_path: Path) -> None:
    upright = np.zeros((16, 16, 16), bool)
    upright[4:12, 4:12, :4] = upright[7:9, 4:6, 4:] = True  # a foot, and a pole at its front (-y)
    with_y_up = upright[:, ::-1].transpose(0, 2, 1)  # (x, y, z) -> (x, z, -y)
    expected = inside(saved(tmp_path, upright))
    np.testing.assert_array_equal(inside(saved(tmp_path, with_y_up), up="y"), expected)
    signed = (0.5 - with_y_up).astype(np.float32)
    assert (inside(saved(tmp_path, signed), up="y") == expected).mean() > 0.99
    (ref,) = find_shapes(tmp_path / "grid.npy", reading=ReadingConfig(up="y"))
    assert ref.load().transform.up == "y"


def test_matlab_files_of_modelnet(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"instance": SOLID.astype(np.uint8), "note": "thirty a side"}, do_compression=True)
    savemat(tmp_path / "b.mat", {"volume": DISTANCE})
    savemat(tmp_path / "c.mat", {"one": SOLID, "two": SOLID})
    a, b, c = (ref for ref in find_shapes(tmp_path))
    for ref in (a, b):
        assert (ref.load().value(POINTS) < 0).mean() == pytest.approx(TRUE_SHARE, abs=0.01)
    with pytest.raises(ShapeError, match="2 arrays of three axes"):
        c.load()
    (tmp_path / "d.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(512))
    with pytest.raises(ShapeError, match="HDF5"):
        find_shapes(tmp_path / "d.mat")[0].load()


@pytest.mark.parametrize("shape", [(12, 20, 24, 1), (100, 20, 20)])
def test_what_looks_like_images_is_a_grid_if_the_user_says_so(shape: tuple[int, ...], tmp_path: Path) -> None:
    grid = np.zeros(shape, np.float32)
    grid[3:-3, 5:-5, 5:-5] = 1
    np.save(tmp_path / "a.npy", grid)
    with pytest.raises(ShapeError, match="images") as caught:
        find_shapes(tmp_path / "a.npy")[0].load()
    assert "--values occupancy" in caught.value.remedy
    (ref,) = find_shapes(tmp_path / "a.npy", reading=ReadingConfig(values="occupancy"))
    assert np.ptp(ref.load().mesh().vertices, axis=0).argmax() == (2 if shape[0] == 12 else 0)


@pytest.mark.parametrize("kind", ["u1", "i2", "<f4", ">f8", "bool", "i8"])
@pytest.mark.parametrize("packed", [True, False])
def test_matlab_files_of_all_kinds_of_numbers(kind: str, packed: bool, tmp_path: Path) -> None:
    grid = np.random.default_rng(0).random((5, 6, 7)) > 0.5
    others = {"a": "x" * 5000, "b": 3.0, "c": np.zeros((4, 4)), "d": {"e": np.ones((2, 2, 2))}}
    savemat(tmp_path / "a.mat", others | {"grid": grid.astype(kind), "z": grid[:3]}, do_compression=packed)
    found = read_mat((tmp_path / "a.mat").read_bytes())
    np.testing.assert_array_equal(found, loadmat(tmp_path / "a.mat")["grid"])
    np.testing.assert_array_equal(found.astype(bool), grid)
    assert found.dtype.isnative


def test_a_matlab_file_of_the_other_byte_order() -> None:
    def element(kind: int, content: bytes) -> bytes:
        return struct.pack(">II", kind, len(content)) + content + bytes(-len(content) % 8)

    grid = np.arange(24, dtype=">i2").reshape(2, 3, 4)
    parts = element(6, struct.pack(">II", 10, 0)) + element(5, struct.pack(">iii", 2, 3, 4)) + element(1, b"grid")
    array = element(14, parts + element(3, grid.tobytes(order="F")))
    np.testing.assert_array_equal(read_mat(b"MATLAB 5.0".ljust(124) + b"\1\0MI" + array), grid)


@pytest.mark.parametrize("packed", [True, False])
def test_damaged_matlab_files_are_refused_in_a_sentence(packed: bool, tmp_path: Path) -> None:
    """Some of these end the process in SciPy's reader."""
    savemat(tmp_path / "a.mat", {"instance": SOLID[:8, :8, :8].astype(np.uint8), "note": "x"}, do_compression=packed)
    whole, rng = (tmp_path / "a.mat").read_bytes(), np.random.default_rng(0)
    problems: list[str] = []
    for _ in range(400):
        content = bytearray(whole[: rng.integers(120, len(whole))] if rng.random() < 0.2 else whole)
        for at in rng.integers(100, len(content), 3):
            content[at] = rng.choice([0, 1, 5, 14, 15, 127, 255])
        (tmp_path / "b.mat").write_bytes(content)
        try:
            find_shapes(tmp_path / "b.mat")[0].load()
        except ShapeError as error:
            problems.append(error.problem)
    assert len(problems) > 50
    assert all(problem.startswith("b.mat: ") and "\n" not in problem for problem in problems)


@pytest.mark.filterwarnings("ignore:.*utcnow:DeprecationWarning")  # of pynrrd, when it writes
def test_nrrd_has_its_place_and_its_spacing(tmp_path: Path) -> None:
    nrrd = pytest.importorskip("nrrd", reason="the extra volumes is not installed")
    flat = SOLID[:, :, ::2]  # voxels twice as high
    nrrd.write(str(tmp_path / "a.nrrd"), flat.astype(np.uint8), {"spacings": [1.0, 1.0, 2.0]})
    nrrd.write(str(tmp_path / "b.nrrd"), SOLID.astype(np.uint8), {"encoding": "raw"})
    moved = {"space": "right-anterior-superior", "space directions": np.diag([0.5, 0.5, 0.5]),
             "space origin": [10.0, 20, 30]}  # fmt: skip
    nrrd.write(str(tmp_path / "c.nrrd"), SOLID.astype(np.uint8), moved)
    turned = dict(moved, **{"space directions": np.array([[0, 0.5, 0], [0.5, 0, 0], [0, 0, -0.5]])})
    nrrd.write(str(tmp_path / "d.nrrd"), SOLID.astype(np.uint8).transpose(1, 0, 2)[:, :, ::-1], turned)
    shapes = [ref.load() for ref in find_shapes(tmp_path)]
    for shape in shapes:
        assert (shape.value(POINTS) < 0).mean() == pytest.approx(TRUE_SHARE, abs=0.012)
    np.testing.assert_allclose(shapes[2].transform.center, np.array([10, 20, 30]) + 0.5 * (SIDE - 1) / 2)
    assert shapes[2].transform.scale == pytest.approx(0.95 * 2 / (0.5 * SIDE))
    agreement = [((shape.value(POINTS) < 0) == (shapes[1].value(POINTS) < 0)).mean() for shape in shapes]
    assert min(agreement) > 0.98


def test_nifti_is_upright_whatever_the_order_of_its_axes(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel", reason="the extra volumes is not installed")
    plain = nibabel.Nifti1Image(SOLID.astype(np.uint8), np.diag([2.0, 2, 2, 1]))
    nibabel.save(plain, tmp_path / "plain.nii.gz")
    affine = np.zeros((4, 4))
    affine[2, 0], affine[0, 1], affine[1, 2], affine[3, 3] = -2, 2, 2, 1
    turned = nibabel.Nifti1Image(SOLID.astype(np.uint8).transpose(2, 0, 1)[::-1], affine)
    nibabel.save(turned, tmp_path / "turned.nii")
    uneven = nibabel.Nifti1Image(SOLID.astype(np.uint8)[:, ::3], np.diag([1.0, 3, 1, 1]))
    nibabel.save(uneven, tmp_path / "uneven.nii")
    many = nibabel.Nifti1Image(np.stack([SOLID] * 3, -1).astype(np.uint8), np.eye(4))
    nibabel.save(many, tmp_path / "many.nii")
    nibabel.save(nibabel.Nifti1Image((-5 * DISTANCE).astype(np.float32), np.eye(4)), tmp_path / "unknown.nii")
    refs = {ref.id: ref for ref in find_shapes(tmp_path)}
    expected = refs["plain.nii.gz"].load().value(POINTS) < 0
    assert expected.mean() == pytest.approx(TRUE_SHARE, abs=0.01)
    np.testing.assert_array_equal(refs["turned.nii"].load().value(POINTS) < 0, expected)
    assert ((refs["uneven.nii"].load().value(POINTS) < 0) == expected).mean() > 0.97
    with pytest.raises(ShapeError, match=r"not a 3-D voxel grid|grids|channels"):
        refs["many.nii"].load()
    with pytest.raises(ShapeError, match="cannot be known"):
        refs["unknown.nii"].load()


def nrrd_bytes(header: str, data: bytes) -> bytes:
    return f"NRRD0004\ntype: uint8\ndimension: 3\n{header}\n\n".encode() + data


BAD_VOLUMES = {
    "claims.nrrd": (nrrd_bytes("sizes: 100 100 100\nencoding: raw", bytes(10)), "claims 1,000,000 bytes"),
    "bomb.nrrd": (nrrd_bytes("sizes: 4 4 4\nencoding: gzip", gzip.compress(bytes(10**8))), "the file holds more"),
    "vast.nrrd": (nrrd_bytes("sizes: 9999 9999 9999\nencoding: raw", bytes(10)), "are more than"),
    "elsewhere.nrrd": (nrrd_bytes("sizes: 4 4 4\nencoding: raw\ndata file: /etc/passwd", b""), "in another file"),
    "letter.nrrd": (b"Dear reader" * 20, "cannot be read as .nrrd"),
    "letter.nii": (b"Dear reader" * 40, "cannot be read as .nii"),
    "letter.nii.gz": (gzip.compress(b"Dear reader" * 40), "cannot be read as"),
    "letter.mat": (b"Dear reader" * 40, "cannot be read as .mat"),
    "empty.nrrd": (b"", "is empty"),
    "scan.dcm": (b"DICM" * 100, "DICOM is not read"),
}


@pytest.mark.parametrize("name", BAD_VOLUMES)
def test_bad_volumes_are_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    pytest.importorskip("nrrd", reason="the extra volumes is not installed")
    pytest.importorskip("nibabel", reason="the extra volumes is not installed")
    content, reason = BAD_VOLUMES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ShapeError, match=reason):
        find_shapes(tmp_path / name)[0].load()


def test_a_file_of_few_bytes_holds_no_million_grids(tmp_path: Path) -> None:
    """Listing them would take seconds and a gigabyte."""
    np.savez_compressed(tmp_path / "million.npz", np.zeros((10**6, 2, 2, 2), bool))
    assert (tmp_path / "million.npz").stat().st_size < 20_000
    np.savez_compressed(tmp_path / "single.npz", np.zeros((8 * 10**6, 1, 1, 1), bool))
    with (tmp_path / "sparse.npy").open("wb") as file:
        head = {"descr": "|u1", "fortran_order": False, "shape": (10**6, 8, 8, 8)}
        np.lib.format.write_array_header_1_0(file, head)
        file.truncate(file.tell() + 512 * 10**6)
    images = struct.pack(">4I", 0x803, 10**6, 2, 2) + bytes(4 * 10**6)
    (tmp_path / "a-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
    for name in ("million.npz", "single.npz", "sparse.npy", "a-images-idx3-ubyte.gz"):
        (ref,) = find_shapes(tmp_path / name)
        with pytest.raises(ShapeError, match=r"claims 1,000,000|not a 3-D voxel grid"):
            ref.load()


@pytest.mark.parametrize("header", ["scale 1e-320", "scale 1e400", "translate 1e308 0 0\nscale 1e308", "scale -1"])
def test_a_binvox_beyond_the_floats_is_refused(header: str, tmp_path: Path) -> None:
    (tmp_path / "a.binvox").write_bytes(f"#binvox 1\ndim 4 4 4\n{header}\ndata\n".encode() + b"\x00\x20\x01\x20")
    with pytest.raises(ShapeError, match="scale"):
        find_shapes(tmp_path / "a.binvox")[0].load()
