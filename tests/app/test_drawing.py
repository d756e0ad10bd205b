"""What the page draws is what the command that it shows writes; what is kept in memory is found by its key alone."""

import io
import json
import zipfile
from pathlib import Path
from shlex import split

import pytest

from nfgen.app.drawing import Drawing, Wish
from nfgen.app.runs import Runs
from nfgen.app.shelf import MOST, Shelf
from nfgen.app.things import Drawn, Picture
from nfgen.errors import ArtifactError, ConfigError

from ..commands import run as command

WISH = Wish("run", None, 2, 1.0, 0.0, False, False, 16, 3)


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture(scope="module")
def runs(run: Path) -> Runs:
    return Runs([run, run], "cpu", show_paths=True)


@pytest.fixture(scope="module")
def drawing(runs: Runs, shelf: Shelf) -> Drawing:
    return Drawing(runs, shelf, most=4)


def shown(drawing: Drawing, wish: Wish, vary: Drawn | None = None) -> tuple[list[Drawn], list[str]]:
    """The samples of a wish, and the words of its command."""
    config = drawing.config(wish, vary)
    recipe = drawing.recipe(wish, config)
    (line,) = recipe.lines()
    return [drawing.drawn(key) for key in drawing.samples(wish, config, recipe)], split(line)


@pytest.mark.parametrize("format", ["glb", "stl", "obj"])
def test_the_command_makes_the_same_files(format: str, drawing: Drawing, tmp_path: Path) -> None:
    samples, words = shown(drawing, WISH._replace(label="box", temperature=0.8))
    assert words[-2:] == ["-o", "out"]
    command(*words[1:-1], tmp_path / "out", "--format", format, "--quiet")
    listed = json.loads((tmp_path / "out" / "samples.json").read_text())
    assert [one.nearest for one in samples] == [entry["nearest"] for entry in listed]
    for one, entry in zip(samples, listed, strict=True):
        assert one.name in entry["field"]
        assert one.content("safetensors") == (tmp_path / "out" / entry["field"]).read_bytes()
        written = None if entry["file"] is None else (tmp_path / "out" / entry["file"]).read_bytes()
        assert one.content(format) == written


def test_a_variation_keeps_the_first_tokens_and_says_how(drawing: Drawing, tmp_path: Path) -> None:
    (first, _), _ = shown(drawing, WISH)
    varied, words = shown(drawing, WISH._replace(seed=5), vary=first)
    assert first.tokens is not None
    kept = round(0.5 * len(first.tokens))
    assert all(one.tokens is not None and one.tokens[:kept] == first.tokens[:kept] for one in varied)
    assert varied[0].tokens != first.tokens
    command(*words[1:-1], tmp_path / "out", "--quiet")
    listed = json.loads((tmp_path / "out" / "samples.json").read_text())
    assert [list(one.tokens or ()) for one in varied] == [entry["tokens"] for entry in listed]


def test_a_setting_that_is_as_the_run_chose_is_not_said(drawing: Drawing, runs: Runs) -> None:
    before = runs["run"].defaults
    usual = Wish(
        "run", None, 2, before.sampling.temperature, before.sampling.contrastive_weight, before.acceptance.distinct,
        before.acceptance.require_body > 0, before.meshing.resolution, 0,
    )  # fmt: skip
    (line,) = drawing.recipe(usual, drawing.config(usual)).lines()
    assert line.split()[3:] == ["-n", "2", "--seed", "0", "-o", "out"]


def test_the_nearest_training_shape_is_found_beside_the_run(drawing: Drawing, shelf: Shelf) -> None:
    (one, _), _ = shown(drawing, WISH)
    beside = shelf.get(one.beside or "")
    assert beside is not None
    assert beside.content("model")


@pytest.mark.parametrize(
    "wish",
    [
        WISH._replace(run="another"),
        WISH._replace(label="chair"),
        WISH._replace(n=5),
        WISH._replace(n=0),
        WISH._replace(seed=-1),
        WISH._replace(temperature=-1.0),
        WISH._replace(resolution=100_000),
    ],
)
def test_a_wrong_wish_is_one_problem(wish: Wish, drawing: Drawing) -> None:
    with pytest.raises(ConfigError):
        shown(drawing, wish)


def test_runs_of_one_name_are_told_apart_and_others_are_refused(runs: Runs, run: Path, tmp_path: Path) -> None:
    assert runs.names == ["run", "run 2"]
    with pytest.raises(ArtifactError):
        Runs([run.parent / "fields"], "cpu", show_paths=True)
    assert Runs([run], "cpu", show_paths=False)["run"].word == "run"
    assert runs["run"].word == str(run)


def test_the_shelf_forgets_what_was_used_longest_ago(shelf: Shelf) -> None:
    own = Shelf()
    first, second = (own.put(Picture("sheet", b"png")) for _ in range(2))
    own.get(first)
    for _ in range(MOST - 1):
        own.put(Picture("sheet", b"png"))
    assert own.get(first) is not None
    assert own.get(second) is None
    assert own.file(first, "picture.png") is not None
    assert own.file(first, "other.png") is None
    assert own.file(first, "sheet.glb") is None


def test_kept_samples_go_into_one_archive(drawing: Drawing, shelf: Shelf) -> None:
    config = drawing.config(WISH)
    keys = list(drawing.samples(WISH, config, drawing.recipe(WISH, config)))
    packed = zipfile.ZipFile(io.BytesIO(shelf.archive([*keys, "gone"], ["glb", "safetensors"])))
    names = packed.namelist()
    assert "01-sample-0000.safetensors" in names
    assert "02-sample-0001.safetensors" in names
    assert packed.testzip() is None
