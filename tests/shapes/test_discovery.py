"""Where shapes are found: files, folders and globs, each file once, with the labels of sub-folders."""

from pathlib import Path

import pytest
from PIL import Image

from nfgen.errors import NfgenError
from nfgen.shapes import find_shapes

from .bodies import BOX


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
