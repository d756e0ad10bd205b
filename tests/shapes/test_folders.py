"""Folders as people have them: nothing left out in silence, no class by accident, archives as folders."""

import io
import os
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from nfgen.errors import NfgenError, ShapeError
from nfgen.shapes import find_shapes, sample_shapes
from nfgen.shapes.discovery import discover
from nfgen.shapes.left_out import LeftOut

BOX = trimesh.creation.box((1, 2, 3))
OBJ = BOX.export(file_type="obj").encode()
GRID = np.pad(np.ones((2, 3, 4), bool), 1)


def write(folder: Path, *names: str) -> None:
    """Files of these names, each with what its suffix says."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = path.suffix.lower()
        if kind == ".npy":
            np.save(path, GRID)
        elif kind == ".png":
            Image.new("L", (4, 4)).save(path)
        elif kind == ".binvox":
            path.write_bytes(b"#binvox 1\ndim 4 4 4\ndata\n\x01\x30\x00\x10")
        elif kind in (".off", ".ply", ".stl", ".glb"):
            BOX.export(path)
        else:
            path.write_bytes(OBJ if kind == ".obj" else b"something")


def packed(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def ids(source: Path) -> list[str]:
    return [ref.id for ref in find_shapes(source)]


def line(source: Path) -> str:
    (said,) = discover(source).left_out.lines()
    return said


def test_what_is_not_read_is_said_in_one_line(tmp_path: Path) -> None:
    write(tmp_path, "a.obj", "a.mtl", "b.fbx", "c.fbx", "d/e.FBX", "skin.png", "notes", "scan.dcm")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "tassen").symlink_to(tmp_path / "elsewhere")
    packed(tmp_path / "outer.zip", {"inner.zip": b"PK"})
    assert ids(tmp_path) == ["a.obj"]
    said = line(tmp_path)
    for part in (
        "3 .fbx", "1 .zip", "1 without a suffix", "1 .dcm", "DICOM must be converted to NIfTI",
        "taken for textures: 1 .png", "link not followed: tassen/",
    ):  # fmt: skip
        assert part in said
    assert ".mtl" not in said, "it belongs to the OBJ"


def test_nothing_is_said_where_all_was_read(tmp_path: Path) -> None:
    write(tmp_path, "a.obj", "a.mtl", "b.off", ".hidden.fbx")
    assert discover(tmp_path).lines() == []


def test_a_search_that_finds_nothing_says_what_is_there(tmp_path: Path) -> None:
    write(tmp_path, "a.fbx", "b.blend")
    with pytest.raises(NfgenError, match=r"not read: 1 \.\w+, 1 \.\w+"):
        find_shapes(tmp_path)


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        (["m.obj", "m.solid.binvox", "m.surface.binvox", "m.mtl"], ["m.obj"]),
        (["m.solid.binvox", "m.surface.binvox"], ["m.solid.binvox"]),
        (["m.stl", "m.glb", "m.off"], ["m.glb"]),
        (["m.npy", "m.binvox"], ["m.binvox"]),
        (["m.obj", "n.off", "sub/m.off"], ["m.obj", "n.off", "sub/m.off"]),
        (["m.obj", "m.OBJ"], ["m.OBJ", "m.obj"]),
        (["m.1.obj", "m.2.off"], ["m.1.obj", "m.2.off"]),
        (["a.png", "a.bmp"], ["a.png"]),
    ],
)
def test_one_stem_in_several_formats_is_one_shape(names: list[str], kept: list[str], tmp_path: Path) -> None:
    write(tmp_path, *names)
    if len(list(tmp_path.rglob("*.*"))) < len(names):
        pytest.skip("the file system does not tell capitals apart")
    assert ids(tmp_path) == kept
    dropped = len([name for name in names if not name.endswith(".mtl")]) - len(kept)
    assert bool(discover(tmp_path).left_out.lines()) == (dropped > 0)
    assert len(find_shapes([tmp_path / name for name in names if not name.endswith(".mtl")])) == len(kept) + dropped


def test_formats_left_out_are_counted(tmp_path: Path) -> None:
    write(tmp_path, *(f"{i}/model{end}" for i in range(3) for end in (".obj", ".solid.binvox", ".surface.binvox")))
    assert "3 .solid.binvox of the same name as .obj, which are read" in line(tmp_path)
    assert "3 .surface.binvox" in line(tmp_path)


HASHES = [
    "1a04e3eab45ca15dd86060f189eb133",
    "u481ebf18-4bc0-4b77-8d92-9ce2c9d3ae3d",
    "4f2ab9c0d1e2f3a4b5c6d7e8f9a0b1c2",
]


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["chair/a.obj", "chair/b.obj", "table/c.obj"], ["chair", "chair", "table"]),
        (["chair/a.obj", "chair/b.obj", "table/c.obj", "loose.obj"], ["chair", "chair", None, "table"]),
        (["train/a.obj", "train/b.obj", "test/c.obj"], [None] * 3),
        (["chair/train/a.obj", "chair/test/b.obj", "table/train/c.obj"], ["chair", "chair", "table"]),
        (["train/chair/a.obj", "train/table/b.obj", "test/chair/c.obj"], ["chair", "chair", "table"]),
        ([f"{name}/{n}.obj" for name in HASHES for n in "ab"], [None] * 6),
        ([f"{synset}/{name}/m/m.obj" for synset in ("02691156", "03001627") for name in HASHES[:2]],
         ["02691156", "02691156", "03001627", "03001627"]),
        (["a/1.obj", "b/2.obj", "c/3.obj"], [None] * 3),
        (["a.obj", "b.obj", "c.obj", "old/d.obj", "old/e.obj", "new/f.obj"], [None] * 6),
        (["deadbeef/a.obj", "deadbeef/b.obj", "facade/c.obj"], ["deadbeef", "deadbeef", "facade"]),
    ],
)  # fmt: skip
def test_classes_are_folders_that_name_what_they_hold(
    names: list[str], labels: list[str | None], tmp_path: Path
) -> None:
    write(tmp_path, *names)
    found = {ref.id: ref.label for ref in find_shapes(tmp_path)}
    assert sorted(found, key=str) == sorted(names)
    assert sorted(found.values(), key=str) == sorted(labels, key=str)
    said = discover(tmp_path).lines()
    assert any("classes: " in one for one in said) == any(labels)
    if "loose.obj" in names:
        assert said == ["2 classes: chair (2), table (1); 1 shape has none"]


def test_a_zip_file_is_a_folder(tmp_path: Path) -> None:
    gltf = trimesh.Scene(BOX).export(file_type="gltf")
    stream = io.BytesIO()
    np.savez(stream, np.stack([GRID] * 3))
    members = {"set/chair/a.obj": OBJ, "set/chair/b.off": BOX.export(file_type="off").encode(), "set/table/c.npz": b""}
    members["set/table/c.npz"] = stream.getvalue()
    members |= {f"set/table/{name}": content for name, content in gltf.items()}
    members |= {"set/.hidden.obj": OBJ, "__MACOSX/set/chair/._a.obj": b"fork"}
    archive = packed(tmp_path / "in" / "shapes.zip", members)
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path / "plain")
    (tmp_path / "plain" / "set" / ".hidden.obj").unlink()
    before = set(Path(tempfile.gettempdir()).glob("nfgen-*"))
    plain, zipped, held = find_shapes(tmp_path / "plain"), find_shapes(archive), find_shapes(tmp_path / "in")
    assert [ref.id for ref in zipped] == [ref.id for ref in plain]
    assert [ref.id for ref in held] == [f"shapes.zip/{ref.id}" for ref in plain]
    assert [ref.label for ref in zipped] == [ref.label for ref in held] == [ref.label for ref in plain]
    points = np.random.default_rng(0).uniform(-1, 1, (300, 3))
    for one, other in zip(plain, zipped, strict=True):
        np.testing.assert_array_equal(one.load().value(points), other.load().value(points))
    done, skipped = sample_shapes(zipped, 8, 8, seed=0, cache=tmp_path / "cache")
    assert (len(done), len(skipped)) == (len(plain), 0)
    assert set(Path(tempfile.gettempdir()).glob("nfgen-*")) == before
    assert {path.name for path in (tmp_path / "in").iterdir()} == {"shapes.zip"}


def test_a_damaged_zip_is_refused_in_a_sentence(tmp_path: Path) -> None:
    """Whichever of its bytes is wrong: zipfile fails in a dozen ways."""
    whole = packed(tmp_path / "a.zip", {"a.obj": OBJ, "b.npy": b"x"}).read_bytes()
    heads = [*range(60), *range(whole.rindex(b"PK\1\2", 0, -80) - 60, len(whole))]
    problems = []
    for at in heads[::2]:
        (tmp_path / "b.zip").write_bytes(whole[:at] + bytes([255 - whole[at]]) + whole[at + 1 :])
        try:
            find_shapes(tmp_path / "b.zip")[0].load()
        except NfgenError as error:
            problems.append(error.problem)
    assert any("cannot be unpacked" in problem for problem in problems)
    assert not any("\n" in problem for problem in problems)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_of_one_name_and_of_windows_paths_are_said(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, content in (("a.obj", b"x"), ("a.obj", OBJ), ("d\\b.obj", OBJ), ("c:b.obj", OBJ)):
            archive.writestr(name, content)
    found = discover(tmp_path / "a.zip")
    (ref,) = found.refs
    assert ref.load().about["faces"] == 12, "the last one, as unpacking leaves it"
    (line,) = found.left_out.lines()
    assert "1 members that stand again later" in line
    assert "2 members whose names lead outside their archive or hold \\ or :" in line


def test_pictures_and_labels_in_a_zip(tmp_path: Path) -> None:
    images = np.zeros((2, 8, 8), np.uint8)
    images[:, 2:6, 2:6] = 255
    head = b"\0\0\x08\x03" + b"".join(side.to_bytes(4, "big") for side in images.shape)
    labels = b"\0\0\x08\x01" + (2).to_bytes(4, "big") + bytes([7, 1])
    archive = packed(
        tmp_path / "digits.zip", {"train-images-idx3-ubyte": head + images.tobytes(), "train-labels-idx1-ubyte": labels}
    )
    refs = find_shapes(archive)
    assert [ref.label for ref in refs] == ["7", "1"]
    assert refs[1].load().value(np.zeros((1, 2)))[0] < 0
    stream = io.BytesIO()
    Image.fromarray(images[0]).save(stream, "PNG")
    (ref,) = find_shapes(packed(tmp_path / "pictures.zip", {"a.png": stream.getvalue()}))
    assert ref.load().value(np.zeros((1, 2)))[0] < 0


def test_no_member_leads_outside(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.obj")
    link.external_attr = 0o120777 << 16
    archive = tmp_path / "in" / "a.zip"
    archive.parent.mkdir()
    names = ["../up.obj", "/root.obj", "in/../../up.obj", "C:\\windows.obj", "..\\up.obj", "good.obj", "new\nline.obj"]
    with zipfile.ZipFile(archive, "w") as opened:
        for name in names:
            info = zipfile.ZipInfo("x")
            info.filename = name
            opened.writestr(info, OBJ)
        opened.writestr(link, "/etc/passwd")
    assert ids(archive) == ["good.obj"]
    find_shapes(archive)[0].load()
    said = line(archive)
    assert "6 members whose names lead outside" in said
    assert "link not followed: a.zip/link.obj" in said
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.zip", "in"]


def test_a_member_that_claims_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = packed(tmp_path / "a.zip", {"bomb.obj": OBJ + bytes(2_000_000), "good.obj": OBJ})
    monkeypatch.setattr("nfgen.shapes.formats.shape_file.MAX_MEMBER_BYTES", 1_000_000)
    bad, good = find_shapes(archive)
    good.load()
    with pytest.raises(ShapeError, match=r"bomb\.obj: claims 2,000,\d+ bytes"):
        bad.load()


def test_archives_that_cannot_be_opened_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "good.obj")
    (tmp_path / "letter.zip").write_bytes(b"Dear reader" * 50)
    packed(tmp_path / "many.zip", {f"{i}.obj": b"" for i in range(200)})
    monkeypatch.setattr("nfgen.shapes.archives.MAX_DIRECTORY_BYTES", 5_000)
    assert ids(tmp_path) == ["good.obj"]
    assert "cannot be opened: letter.zip (File is not a zip file), many.zip (its list of members is longer" in line(
        tmp_path
    )


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_a_name_that_is_not_utf_8_skips_its_file_alone(tmp_path: Path) -> None:
    write(tmp_path, "good.obj")
    (tmp_path / os.fsdecode(b"caf\xe9.obj")).write_bytes(OBJ)
    done, skipped = sample_shapes(find_shapes(tmp_path), 8, 8, seed=0)
    assert [one.ref.id for one in done] == ["good.obj"]
    assert [one.id for one in skipped] == ["caf\\xe9.obj"]
    assert "not UTF-8 (rename the file)" in skipped[0].reason


def test_a_skip_names_the_file_once_with_reason_and_remedy(tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_bytes(b"")
    np.save(tmp_path / "b.npy", GRID * -1.5)
    (tmp_path / "c.png").write_bytes(b"no picture")
    _, skipped = sample_shapes(find_shapes([tmp_path / "a.obj", tmp_path / "b.npy"]), 8, 8, seed=0)
    _, more = sample_shapes(find_shapes(tmp_path / "c.png"), 8, 8, seed=0)
    for one in (*skipped, *more):
        assert one.id not in one.reason
        assert one.reason.endswith(")"), "the remedy"


def test_long_lists_are_cut() -> None:
    left_out = LeftOut()
    left_out.unknown(Path(f"a.x{i}") for i in range(30))
    left_out.links = [f"l{i}/" for i in range(30)]
    (said,) = left_out.lines()
    assert len(said) < 250
    assert "and 22 more" in said
