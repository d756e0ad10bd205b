"""What the page edits is what the commands that it shows write: one decode path, from draws and from edits of edits."""

import json
from dataclasses import replace
from pathlib import Path
from shlex import split

import pytest
import trimesh

from nfgen.app.boxes import Boxed, read_corners, with_bars
from nfgen.app.drawing import Drawing, Wish
from nfgen.app.editing import Change, Editing
from nfgen.app.recipe import Recipe, Source
from nfgen.app.runs import Runs
from nfgen.app.shelf import Shelf
from nfgen.errors import ConfigError

from ..commands import run as command

WISH = Wish("any", None, 2, 1.0, 0.0, False, False, 16, 3)
LOWER = (-1.0, -1.0, -1.0, 1.0, 1.0, 0.0)
CHANGE = Change("vary", ("", ""), 2, 5, 2.0, 0.5, LOWER, "z", 16)


@pytest.fixture(scope="module")
def studio(edit_runs: Path) -> tuple[Drawing, Editing]:
    """What draws and what edits, of a run in any order, one in raster order, and one without places in space."""
    runs = Runs([edit_runs / "any", edit_runs / "raster"], "cpu", show_paths=True)
    drawing = Drawing(runs, Shelf(), most=4)
    return drawing, Editing(runs, drawing, most=4)


@pytest.fixture(scope="module")
def keys(studio: tuple[Drawing, Editing]) -> tuple[str, str]:
    """Of two samples that were drawn."""
    return drawn(studio[0], WISH)


def drawn(drawing: Drawing, wish: Wish) -> tuple[str, str]:
    config = drawing.config(wish)
    first, second = drawing.samples(wish, config, drawing.recipe(wish, config))
    return first, second


def edited(studio: tuple[Drawing, Editing], change: Change) -> tuple[list[str], list[str]]:
    """Keys of the samples, and the commands for them."""
    config = studio[1].config(change)
    recipe = studio[1].recipe(change, config)
    return list(studio[1].samples(change, config, recipe)), recipe.lines()


@pytest.mark.parametrize("how", ["vary", "complete", "interpolate", "mix"])
def test_the_commands_make_the_same_files_as_an_edit_of_an_edit(
    how: str, studio: tuple[Drawing, Editing], keys: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first, _), _ = edited(studio, CHANGE._replace(how="interpolate", shapes=keys))
    made, lines = edited(studio, CHANGE._replace(how=how, shapes=(first, keys[1])))
    monkeypatch.chdir(tmp_path)
    for line in lines:
        command(*split(line)[1:], "--quiet")
    assert [split(line)[1] for line in lines] == ["generate", "edit", "edit"]
    listed = json.loads((tmp_path / "out" / "samples.json").read_text())
    for key, entry in zip(made, listed, strict=True):
        one = studio[0].drawn(key)
        assert list(one.tokens or ()) == entry["tokens"]
        assert one.content("safetensors") == (tmp_path / "out" / entry["field"]).read_bytes()
        written = None if entry["file"] is None else (tmp_path / "out" / entry["file"]).read_bytes()
        assert one.content("glb") == written


def test_the_run_of_the_first_shape_edits_and_says_what_it_cannot(studio: tuple[Drawing, Editing]) -> None:
    keys = drawn(studio[0], WISH._replace(run="raster"))
    mixed, lines = edited(studio, CHANGE._replace(how="mix", shapes=keys))
    assert len(mixed) == 2
    assert lines[-1].split()[3].endswith("raster")
    with pytest.raises(ConfigError, match="raster order") as caught:
        edited(studio, CHANGE._replace(shapes=keys))
    assert "--random-order" in caught.value.remedy


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"shapes": ("", "")}, "no shape"),
        ({"shapes": ("gone", "")}, "no longer in memory"),
        ({"n": 5}, "at once"),
        ({"share": 0.0}, "share"),
        ({"how": "complete", "region": (0.9, 0.9, 0.9, 1.0, 1.0, 1.0)}, "no cell"),
        ({"how": "mix", "axis": "x"}, "mirror"),
        ({"how": "mix", "shapes": None}, "no shape"),
    ],
)
def test_what_cannot_be_edited_is_one_problem(
    changes: dict[str, object], said: str, studio: tuple[Drawing, Editing], keys: tuple[str, str]
) -> None:
    change = CHANGE._replace(**{"shapes": keys} | changes)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=said):
        edited(studio, change._replace(shapes=change.shapes or (keys[0], "")))


def test_commands_run_what_they_start_from_first_and_each_once() -> None:
    draw = Recipe(("nfgen", "generate", "a run"), ("-n", "2"))
    steps = Recipe(("nfgen", "edit", "interpolate", "run"), (), (Source(draw, 0), Source(draw, 1)))
    last = Recipe(("nfgen", "edit", "mix", "run"), ("--axis", "z"), (Source(steps, 3), Source(draw, 1)))
    assert last.lines() == [
        "nfgen generate 'a run' -n 2 -o from-1",
        "nfgen edit interpolate run 'from-1#0' 'from-1#1' -o from-2",
        "nfgen edit mix run 'from-2#3' 'from-1#1' --axis z -o out",
    ]
    assert draw.lines() == ["nfgen generate 'a run' -n 2 -o out"]


def test_a_box_is_shown_by_bars_along_its_edges(studio: tuple[Drawing, Editing], keys: tuple[str, str]) -> None:
    sample = replace(studio[0].drawn(keys[0]), mesh=trimesh.creation.icosphere(2, 0.5))
    assert sample.mesh is not None
    boxed = with_bars(sample.mesh, LOWER)
    bars = boxed.split(only_watertight=False)
    assert len(boxed.faces) == len(sample.mesh.faces) + 12 * 12
    assert len(bars) >= 12
    assert abs(boxed.bounds).max() < 0.6, "however large the box, its bars are near the shape"
    assert (abs(with_bars(trimesh.creation.box((2, 2, 2)), LOWER).vertices) <= 1).all(), "no more is drawn"
    assert Boxed(sample, LOWER).content("model")
    assert Boxed(sample, LOWER).content("glb") is None
    assert read_corners("-1,-1,-1,1,1,0.5") == (*LOWER[:5], 0.5)
    assert [read_corners(text) for text in ("1,2", "a", "-1,-1,-1,1,1,7", "nan,0,0,0,0,0", "")] == [None] * 5
