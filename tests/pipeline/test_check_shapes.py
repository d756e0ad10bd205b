"""`nfgen check`: every shape in a table, with its faults, and on a sheet."""

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh
from click.testing import CliRunner

import nfgen
from nfgen.cli.main import main
from nfgen.io.pictures import read_rgb
from nfgen.pipeline.check_shapes import TILE

BOX = trimesh.creation.box((1, 2, 3))
SAIL = trimesh.Trimesh([[2, 0, 0], [3, 0, 0], [3, 1, 0], [2, 1, 0]], [[0, 1, 2], [0, 2, 3]], process=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "my shapes"
    for name, mesh in {
        "box/plain.obj": BOX,
        "box/two.off": trimesh.util.concatenate([BOX, BOX.copy().apply_translation((5, 0, 0))]),
        "box/doubled.stl": trimesh.Trimesh(
            BOX.vertices, np.concatenate([BOX.faces, BOX.faces[:, ::-1]]), process=False
        ),
        "other/sail.ply": trimesh.util.concatenate([BOX, SAIL]),
    }.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        mesh.export(place / name)
    np.save(place / "other" / "grid.npy", np.ones((4, 4, 4), bool))
    (place / "other" / "letter.obj").write_bytes(b"Dear reader")
    (place / "other" / "scene.fbx").write_bytes(b"fbx")
    return place


def test_the_table_says_what_was_read(folder: Path) -> None:
    report = nfgen.check_shapes(folder, workers=1)
    rows = {one.id: one for one in report.shapes}
    plain, two, doubled, sail = (
        rows[f"{name}"] for name in ("box/plain.obj", "box/two.off", "box/doubled.stl", "other/sail.ply")
    )
    assert plain.extent == pytest.approx((1, 2, 3))
    assert (plain.label, plain.format, plain.up, plain.faces, plain.triangles) == ("box", "obj", "z", 12, 12)
    assert (plain.bodies, plain.closed, plain.doubled, plain.open) == (1, True, 0, 0)
    assert (two.bodies, two.triangles) == (2, 24)
    assert (doubled.triangles, doubled.doubled, doubled.closed) == (24, 12, True)
    assert sail.open == pytest.approx(1 / 23, abs=0.02)
    assert not sail.closed
    assert "every voxel is solid" in rows["other/grid.npy"].notes[0]
    letter = rows["other/letter.obj"]
    assert letter.extent is None
    assert letter.problem is not None
    assert "letter.obj" not in letter.problem
    text = "\n".join(report.lines())
    assert "5 of 6 shapes can be used" in text
    assert "of the surface is open and was lost" in text
    assert report.sheet is None


def test_the_sheet_has_a_thumbnail_of_each(folder: Path, tmp_path: Path) -> None:
    report = nfgen.check_shapes(folder, workers=1, sheet=tmp_path / "sheet.png")
    pixels = read_rgb(tmp_path / "sheet.png")
    assert (pixels == report.sheet).all()
    rows, columns = pixels.shape[0] // TILE, pixels.shape[1] // TILE
    assert rows * columns >= len(report.shapes)
    seen = [one.id for one in report.shapes].index("box/plain.obj")
    tile = pixels[seen // columns * (pixels.shape[0] // rows) :, seen % columns * TILE :][:TILE, :TILE]
    assert tile.std() > 10, "there is something to see"


def test_the_command(folder: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke(main, ["check", str(folder), "--workers", "1", "--quiet", "-o", str(tmp_path / "a.png")])
    assert run.exit_code == 0, run.output
    assert "not read: 1 .fbx" in run.output
    assert "2 classes: box (3), other (3)" in run.output
    assert f"next: nfgen fit '{folder}' -o FIELDS" in run.output
    assert (tmp_path / "a.png").is_file()
    run = CliRunner().invoke(main, ["check", str(folder), "--workers", "1", "--quiet", "--json", "-n", "2"])
    described = json.loads(run.stdout)
    assert [one["id"] for one in described["shapes"]] == ["box/doubled.stl", "box/plain.obj"]
    assert described["shapes"][1]["class"] == "box"


def test_how_files_are_read_is_passed_on(folder: Path) -> None:
    words = ["check", str(folder / "box"), "--workers", "1", "--quiet", "--up", "y", "--shell", "0.02"]
    run = CliRunner().invoke(main, words)
    assert run.exit_code == 0, run.output
    assert "--up y --shell 0.02 -o FIELDS" in run.output
    report = nfgen.check_shapes(folder / "box" / "plain.obj", reading=nfgen.ReadingConfig(up="y"))
    assert report.shapes[0].extent == pytest.approx((1, 3, 2)), "upright"
    assert report.shapes[0].up == "y"
    wrong = CliRunner().invoke(main, ["check", str(folder), "--shell", "3"])
    assert wrong.exit_code == 2
    assert "shell must be" in wrong.output
    wrong = CliRunner().invoke(main, ["check", str(folder), "--shell", "thick"])
    assert wrong.exit_code == 2
    assert "shell must be a valid number, not 'thick'" in wrong.output


def test_pictures_are_checked_as_shapes(tmp_path: Path) -> None:
    from PIL import Image

    pixels = np.full((32, 64), 255, np.uint8)
    pixels[8:24, 16:48] = 0
    Image.fromarray(pixels).save(tmp_path / "a.bmp")
    report = nfgen.check_shapes(tmp_path, workers=1, sheet=tmp_path / "out" / "sheet.png")
    (one,) = report.shapes
    assert one.extent == pytest.approx((1.0, 0.5), abs=0.05)
    assert (one.up, one.bodies, one.closed) == (None, None, None)
    assert "what is dark" in one.notes[0]
