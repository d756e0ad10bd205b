"""Commands that write single files replace their own ones, and never those of others."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import trimesh
from PIL import Image

import nfgen
from nfgen import evaluation
from nfgen.errors import ArtifactError


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    folder = tmp_path / "shapes"
    folder.mkdir()
    for number in range(4):
        trimesh.creation.box((1, 1 + number / 4, 1)).export(folder / f"{number}.stl")
    return folder


def check(shapes: Path, out: Path) -> None:
    nfgen.check_shapes(shapes, workers=1, sheet=out / "sheet.png")


def evaluate(shapes: Path, out: Path) -> None:
    nfgen.evaluate(shapes, shapes, train=shapes, out=out, points=16, pictures=False)


def evaluate_pairs(shapes: Path, out: Path) -> None:
    evaluation.evaluate_pairs(shapes, shapes, out=out, resolution=8)


Command = Callable[[Path, Path], None]
WRITTEN = [
    (check, "sheet.png"),
    (evaluate, "evaluation.json"),
    (evaluate, "novelty.svg"),
    (evaluate, "giveaways.png"),
    (evaluate, "classifier.safetensors"),
    (evaluate_pairs, "reconstruction.json"),
]


def text(path: Path) -> None:
    path.write_text("years of work")


def picture(path: Path) -> None:
    Image.new("RGB", (8, 8)).save(path, format="PNG")


def table(path: Path) -> None:
    path.write_text(json.dumps({"score": 1}))


def folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("make", [text, picture, table, folder])
@pytest.mark.parametrize(("command", "name"), WRITTEN)
def test_a_file_of_others_is_not_replaced(
    command: Command, name: str, make: Callable[[Path], None], shapes: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    make(out / name)
    before = (out / name).is_file() and (out / name).read_bytes()
    with pytest.raises(ArtifactError, match=f"{name} is there already"):
        command(shapes, out)
    assert sorted(out.iterdir()) == [out / name]
    assert before == ((out / name).is_file() and (out / name).read_bytes())


@pytest.mark.parametrize("command", [check, evaluate, evaluate_pairs])
def test_results_are_replaced_by_newer_ones(command: Command, shapes: Path, tmp_path: Path) -> None:
    command(shapes, tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    command(shapes, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
