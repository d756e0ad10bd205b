"""What a fit says of its shapes: skipped ones once, choices together, lost surface as a warning and in the report."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import trimesh

import nfgen
from nfgen.fields.field_set import FieldSet
from nfgen.pipeline.fit_notes import fit_notes

from ..commands import run

SMALL = ["--steps", "5", "--points", "64", "--near", "96", "--uniform", "64", "--near-eval", "16"]
SMALL += ["--uniform-eval", "64", "--workers", "1"]
BOX = trimesh.creation.box((1, 2, 3))
SAIL = trimesh.Trimesh([[2, 0, 0], [5, 0, 0], [5, 3, 0], [2, 3, 0]], [[0, 1, 2], [0, 2, 3]], process=False)


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    folder = tmp_path / "my shapes; all"
    folder.mkdir()
    BOX.export(folder / "box.obj")
    trimesh.util.concatenate([BOX, SAIL]).export(folder / "sail.obj")
    distance = np.linalg.norm(np.mgrid[-1:1:12j, -1:1:12j, -1:1:12j], axis=0) - 0.6
    np.save(folder / "ball.npy", distance)
    (folder / "letter.off").write_bytes(b"Dear reader")
    (folder / "scene.fbx").write_bytes(b"fbx")
    return folder


def test_a_fit_says_what_became_of_its_shapes(shapes: Path, tmp_path: Path) -> None:
    result = run("fit", shapes, *SMALL, "-o", tmp_path / "my fields")
    said = result.stderr
    assert "note: not read: 1 .fbx" in said
    assert "--values sdf): ball.npy" in said
    assert said.count("letter.off") == 1
    assert re.search(r"sail\.obj: \d+% of the surface is open and was lost", said)
    assert "--shell 0.02" in said
    assert f"next: nfgen train '{tmp_path / 'my fields'}' -o RUN" in result.stdout
    entries = {
        entry["id"]: entry for entry in json.loads((tmp_path / "my fields" / "fit_report.json").read_text())["fields"]
    }
    assert entries["sail.obj"]["lost"] == pytest.approx(9 / 31, abs=0.04)
    assert "lost" not in entries["box.obj"]
    quiet = run("fit", shapes, *SMALL, "--quiet", "--overwrite", "-o", tmp_path / "my fields").stderr
    assert "note: not read" not in quiet
    assert "was lost" in quiet


def test_walls_keep_what_would_be_lost(shapes: Path, tmp_path: Path) -> None:
    said = run("fit", shapes / "sail.obj", *SMALL, "--shell", "auto", "-o", tmp_path / "fields").stderr
    assert "open bodies became walls of 0.02" in said
    assert "was lost" not in said
    fields = FieldSet.load(tmp_path / "fields")
    assert fields.settings["reading"]["shell"] == "auto"


def test_the_report_shows_each_mesh_beside_its_field(shapes: Path, tmp_path: Path) -> None:
    run("fit", shapes, *SMALL, "-o", tmp_path / "fields")
    page = nfgen.write_report([tmp_path / "fields"]).read_text()
    assert 'data-label="the mesh of sail.obj"' in page
    assert "of its surface open and lost" in page
    for file in shapes.iterdir():
        file.unlink()
    alone = nfgen.write_report([tmp_path / "fields"]).read_text()
    assert "the mesh of" not in alone, "the files are gone"
    assert "of its surface open and lost" in alone


def test_long_lists_are_cut_and_control_characters_do_not_reach_the_terminal(tiny_fields: FieldSet) -> None:
    skipped = tuple({"id": f"\x1b[2J{i}.obj", "reason": "empty"} for i in range(50))
    fields = FieldSet(
        tiny_fields.spec, tiny_fields.weights, tiny_fields.ids, tiny_fields.labels, tiny_fields.classes, skipped=skipped
    )
    lines = fit_notes(fields)
    assert lines[0] == "warning: 50 shapes were skipped:"
    assert lines[-1] == "  and 30 more, in fit_report.json"
    assert all(line.isprintable() for line in lines)


def test_every_next_line_is_quoted() -> None:
    """A path with a blank makes two words of one, and `;` a second command."""
    root = Path(nfgen.__file__).parent
    for file in (root / "cli").glob("*.py"):
        for line in file.read_text().splitlines():
            assert "next: nfgen" not in line, f"{file.name}: {line.strip()}"
