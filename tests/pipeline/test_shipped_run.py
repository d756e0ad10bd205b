"""Chairs at once: the run that ships is found by its name, by every command, and gives meshes that one can use."""

from pathlib import Path

import pytest
import trimesh

from nfgen import Run, generate
from nfgen.io.shipped import FOLDER

from ..commands import run

NAME = "chairs"


def test_chairs_at_once(tmp_path: Path) -> None:
    samples = generate(NAME, tmp_path / "out", n=2, resolution=32)
    for sample in samples:
        mesh = trimesh.load_mesh(tmp_path / "out" / str(sample.file))
        assert mesh.is_watertight
        assert 0.2 < mesh.extents[1] / mesh.extents.max() <= 1  # GLB has y up: a chair is no board


def test_commands_and_the_api_know_it_by_name(tmp_path: Path) -> None:
    run("generate", NAME, "-n", 1, "--resolution", 24, "--quiet", "-o", tmp_path / "out")
    assert "gpt" in run("info", NAME).output
    assert len(Run.from_pretrained(NAME).train_ids) > 100


def test_a_folder_of_that_name_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / NAME).mkdir()
    monkeypatch.chdir(tmp_path)
    refused = run("generate", NAME, "-n", 1, "--quiet", "-o", "out", status=2)
    assert "chairs is not a folder that nfgen wrote" in refused.output


def test_what_ships_is_small_and_tells_no_paths() -> None:
    for folder in FOLDER.iterdir():
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert all(path.stat().st_size <= 6e6 for path in files)
        card = (folder / "README.md").read_text(encoding="utf-8")
        assert "OWNER" not in card
        assert f'"{folder.name}"' in card
        assert "license:" in card
        for path in folder.rglob("*.json"):
            assert '"/' not in path.read_text(encoding="utf-8")
