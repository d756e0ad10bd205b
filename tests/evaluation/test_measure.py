"""What is measured of shapes: each is read once, and what lies in one place is drawn once."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import trimesh

from nfgen.errors import NfgenError
from nfgen.evaluation import evaluate
from nfgen.evaluation.look import look_at, looks_of
from nfgen.evaluation.measure import measure_shapes
from nfgen.shapes import ShapeRef, find_shapes


def boxes(folder: Path, count: int) -> Path:
    folder.mkdir()
    for i in range(count):
        trimesh.creation.box((1, 1 + i, 2)).export(folder / f"{i}.off")
    return folder


def test_every_shape_is_read_once_for_all_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, load = Counter[Path](), ShapeRef.load
    monkeypatch.setattr(ShapeRef, "load", lambda ref: read.update([ref.path]) or load(ref))
    made, real = boxes(tmp_path / "made", 2), boxes(tmp_path / "real", 3)
    scores = evaluate(made, real, points=32)
    assert scores["light_field"] is not None
    assert scores["validity"]["valid"] == 1
    assert read
    assert set(read.values()) == {1}


def test_faces_in_one_place_look_like_one() -> None:
    box = trimesh.creation.box((1, 0.5, 0.8))
    doubled = trimesh.Trimesh(np.tile(box.vertices, (3, 1)), np.concatenate([box.faces + 8 * i for i in range(3)]))
    one, many = look_at(box), look_at(doubled)
    assert one is not None
    assert many is not None
    np.testing.assert_array_equal(one.views, many.views)
    np.testing.assert_allclose(one.light_field, many.light_field, atol=1e-6)


def test_what_has_no_surface_is_left_out(tmp_path: Path) -> None:
    folder = boxes(tmp_path / "made", 2)
    (folder / "words.obj").write_text("These are words and no mesh.\n")
    found = measure_shapes(find_shapes(folder), 16, 0, "generated", validity=True, pictures=True)
    assert found.clouds.shape == (2, 16, 3)
    assert found.kept == [0, 1]
    assert [one is not None and one.nonempty for one in found.validity] == [True, True, False]
    assert looks_of(found.looks, "generated").views.shape[0] == 2
    with pytest.raises(NfgenError, match="no generated shape has a surface"):
        looks_of([None], "generated")
