"""Trainings in the background: what they say is followed, they end when they are told to, one runs at a time."""

import sys
import time
from pathlib import Path

import pytest
import trimesh

from nfgen.app import markup
from nfgen.app.trainings import Training, Trainings
from nfgen.app.uploads import Uploads
from nfgen.errors import ConfigError, NfgenError
from nfgen.pipeline.config import MakeConfig

LIMIT = 300.0  # seconds; only ends what hangs


def until(training: Training, *states: str) -> None:
    end = time.monotonic() + LIMIT
    while training.state not in states and time.monotonic() < end:
        time.sleep(0.05)
    assert training.state in states, list(training.lines)


def shapes(folder: Path, name: str = "shapes") -> Path:
    (folder / name).mkdir()
    trimesh.creation.box((1, 1, 2)).export(folder / name / "box.stl")
    return folder / name


def test_a_training_knows_its_step_and_how_far_it_is(tmp_path: Path) -> None:
    one = Training(tmp_path, MakeConfig(effort="quick"))
    assert one.command == ["nfgen", "make", "shapes", "--effort", "quick", "-o", "made"]
    for line in ("[ 0.0 min] nfgen fit shapes -o made/fields\n", "sample: 3/8 shape, 4 s left\n"):
        one.hear(line)
    assert (one.step, one.doing) == (0, ("sample", 3, 8))
    one.hear("[ 1.5 min] nfgen train made/tokens -o made/run   # about 3 min")
    assert (one.step, one.doing) == (2, None)
    one.hear("train: 10/54 s, loss 4.227, tokens/s 2648, 46 s left")
    one.state = "running"
    shown = markup.training(one, 0)
    assert 'aria-current="step">train the model' in shown
    assert '<progress value="10" max="54">' in shown


def test_a_training_that_cannot_work_says_why_and_the_next_one_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings = Trainings(tmp_path / "work")
    wrong, right = ("info", "nowhere"), ("shapes", "vase", "-n", "1", "--resolution", "16", "-o", "made")
    monkeypatch.setattr("nfgen.app.trainings.command_of", lambda config: ["nfgen", *wrong])
    first = trainings.start(shapes(tmp_path), MakeConfig())
    monkeypatch.setattr("nfgen.app.trainings.command_of", lambda config: ["nfgen", *right])
    second = trainings.start(shapes(tmp_path, "more"), MakeConfig())
    until(first, "failed")
    assert any("nowhere" in line for line in first.lines)
    assert str(tmp_path) not in markup.training(first, 0)
    until(second, "done")
    assert (second.made / "config.json").is_file()
    trainings.close()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no Ctrl-C to send there")
def test_a_training_is_stopped_and_what_was_uploaded_is_its_own(tmp_path: Path) -> None:
    trainings = Trainings(tmp_path / "work")
    given = shapes(tmp_path)
    one, waiting = trainings.start(given, MakeConfig()), trainings.start(shapes(tmp_path, "more"), MakeConfig())
    assert not given.exists()
    until(one, "running")
    trainings.stop(waiting)
    trainings.stop(one)
    assert (one.state, waiting.state) == ("stopped", "stopped")
    assert one.process is None or one.process.wait(LIMIT) is not None
    trainings.close()


def test_uploads_are_read_in_a_folder_of_their_own_and_named_without_it(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path, most=3)
    files = [tmp_path / "a" / "box.stl", tmp_path / "b" / "box.stl", tmp_path / "bad.obj"]
    for file in files[:2]:
        file.parent.mkdir()
        trimesh.creation.box((1, 1, 2)).export(file)
    files[2].write_text("v 1 2\nf 1 2 3\n")
    found = uploads.check(files)
    assert found.usable == 2
    text = "\n".join(found.lines)
    assert "box-2.stl" in text
    assert "bad.obj: a vertex has 2 coordinates" in text
    assert str(tmp_path) not in text
    assert found.sheet.startswith(b"\x89PNG")
    uploads.remove(found.folder)
    assert not found.folder.exists()


def test_uploads_that_are_no_shapes_are_one_problem(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    uploads = Uploads(tmp_path, most=1)
    with pytest.raises(ConfigError, match="no files"):
        uploads.check([])
    with pytest.raises(ConfigError, match="too many"):
        uploads.check([tmp_path / "notes.txt"] * 2)
    with pytest.raises(NfgenError, match="no shapes found in the upload") as caught:
        uploads.check([tmp_path / "notes.txt"])
    assert str(tmp_path) not in f"{caught.value.problem} {caught.value.remedy}"
    assert not list(tmp_path.glob("shapes-*"))
