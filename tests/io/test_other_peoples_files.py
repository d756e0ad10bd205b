"""Nothing is removed but what nfgen wrote: whatever lies at the path of an output, or beside it, stays as it is."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nfgen import demo
from nfgen.errors import ArtifactError
from nfgen.io import artifact, files, resuming
from nfgen.report import write_report
from nfgen.workflow import folder as made_folder


def write(path: Path, **arguments: bool) -> None:
    with artifact.writing(path, "thing", **arguments) as folder:
        files.write_json(folder / "made.json", 1)
        artifact.write_config(folder, "thing", {})


def interrupted(path: Path, **arguments: bool) -> None:
    """As a process leaves it that is stopped after its first checkpoint."""
    with contextlib.suppress(KeyboardInterrupt):
        work_until_stopped(path, **arguments)


def work_until_stopped(path: Path, **arguments: bool) -> None:
    with artifact.writing(path, "thing", resumable=["state"], **arguments) as folder:
        (folder / "state").write_text("hours of work")
        raise KeyboardInterrupt


def snapshot(folder: Path) -> dict[str, str]:
    """Every file and link below a folder, and what it holds."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file():
            found[name] = path.read_text()
        else:
            found[name] = "folder"
    return found


def folder_with_a_thesis(path: Path) -> None:
    path.mkdir(parents=True)
    (path / "thesis.txt").write_text("years of work")


def link_to_a_thesis(path: Path) -> None:
    folder_with_a_thesis(path.parent / "elsewhere")
    path.symlink_to(path.parent / "elsewhere", target_is_directory=True)


def model_of_another_program(path: Path) -> None:
    folder_with_a_thesis(path)
    (path / "config.json").write_text('{"model_type": "bert", "format": 1}')


def file_of_a_thesis(path: Path) -> None:
    path.write_text("years of work")


FOREIGN = [folder_with_a_thesis, link_to_a_thesis, model_of_another_program, file_of_a_thesis]


@pytest.mark.parametrize("make", FOREIGN)
@pytest.mark.parametrize(
    "name", ["o", "o.partial", "o.replaced", "o.tmp", ".o.nfgen-partial", ".o.nfgen-replaced", ".o.nfgen-lock"]
)
@pytest.mark.parametrize("arguments", [{}, {"overwrite": True}, {"resume": True}, {"resume": True, "overwrite": True}])
def test_what_others_wrote_stays(
    make: Callable[[Path], None], name: str, arguments: dict[str, bool], tmp_path: Path
) -> None:
    if name == ".o.nfgen-lock" and make is file_of_a_thesis:
        pytest.skip("a file of that name is a lock, and empty")
    make(tmp_path / name)
    before = snapshot(tmp_path)
    try:
        write(tmp_path / "o", **arguments)
    except ArtifactError:
        assert name in ("o", ".o.nfgen-partial", ".o.nfgen-replaced", ".o.nfgen-lock")
    else:
        assert name in ("o.partial", "o.replaced", "o.tmp")
        assert artifact.kind_of(tmp_path / "o") == "thing"
    after = snapshot(tmp_path)
    assert {key: after.get(key) for key in before} == before


def test_a_link_to_an_artifact_stays_a_link_and_can_be_overwritten_again_and_again(tmp_path: Path) -> None:
    write(tmp_path / "disk" / "real")
    (tmp_path / "o").symlink_to(tmp_path / "disk" / "real", target_is_directory=True)
    for _ in range(2):
        write(tmp_path / "o", overwrite=True)
        assert (tmp_path / "o").readlink() == tmp_path / "disk" / "real"
        assert snapshot(tmp_path / "disk").keys() == {"real", "real/config.json", "real/made.json"}


def test_a_link_to_nothing_yet_is_followed(tmp_path: Path) -> None:
    (tmp_path / "o").symlink_to(tmp_path / "disk" / "real", target_is_directory=True)
    write(tmp_path / "o")
    assert artifact.kind_of(tmp_path / "disk" / "real") == "thing"
    assert (tmp_path / "o").is_symlink()


def test_links_in_a_circle_are_one_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(ArtifactError):
        write(tmp_path / "a", overwrite=True)
    assert snapshot(tmp_path).keys() == {"a", "b"}


@pytest.mark.parametrize("name", ["", ".", "..", "/", "sub/..", "nul\0"])
def test_the_folder_one_is_in_is_never_an_output(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    before = snapshot(tmp_path)
    with pytest.raises(ArtifactError, match=r"the folder you are in|no path"):
        write(Path(name), overwrite=True)
    assert snapshot(tmp_path) == before


def test_unfinished_work_is_not_wiped_by_the_same_command(tmp_path: Path) -> None:
    interrupted(tmp_path / "o")
    before = snapshot(tmp_path)
    with pytest.raises(ArtifactError, match="not finished") as caught:
        interrupted(tmp_path / "o")
    assert "--resume" in caught.value.remedy
    assert "--overwrite" in caught.value.remedy
    assert snapshot(tmp_path) == before
    with artifact.writing(tmp_path / "o", "thing", resume=True, resumable=["state"]) as folder:
        assert (folder / "state").read_text() == "hours of work"
        artifact.write_config(folder, "thing", {})
    assert snapshot(tmp_path).keys() == {"o", "o/config.json", "o/state"}


def test_unfinished_work_is_wiped_when_asked_to(tmp_path: Path) -> None:
    interrupted(tmp_path / "o")
    with artifact.writing(tmp_path / "o", "thing", overwrite=True, resumable=["state"]) as folder:
        assert not (folder / "state").exists()
        artifact.write_config(folder, "thing", {})
    assert snapshot(tmp_path).keys() == {"o", "o/config.json"}


@pytest.mark.parametrize("name", ["o", ".o.nfgen-partial", ".o.nfgen-replaced"])
def test_what_a_killed_removal_leaves_is_removed_by_the_next_writer(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "o")
    work = tmp_path / name
    if name != "o":
        write(work)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rmdir", lambda path: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            artifact.remove_artifact(work)
    write(tmp_path / "o", overwrite=True)
    assert snapshot(tmp_path).keys() == {"o", "o/config.json", "o/made.json"}


def test_what_appears_at_the_path_meanwhile_stays(tmp_path: Path) -> None:
    def work() -> None:
        with artifact.writing(tmp_path / "o", "thing", resumable=["state"]) as folder:
            (folder / "state").write_text("hours of work")
            artifact.write_config(folder, "thing", {})
            folder_with_a_thesis(tmp_path / "o")

    with pytest.raises(ArtifactError, match="exists already"):
        work()
    assert (tmp_path / "o" / "thesis.txt").read_text() == "years of work"
    assert (artifact.partial_of(tmp_path / "o") / "state").read_text() == "hours of work"


@pytest.mark.skipif(sys.platform != "linux", reason="mounts are made by Linux's means")
@pytest.mark.parametrize("arguments", [["-t", "tmpfs", "tmpfs"], ["--bind", "other"]])
def test_a_mount_point_is_found_out_at_the_start(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "o").mkdir()
    (tmp_path / "other").mkdir()
    done = subprocess.run(["mount", *arguments, "o"], cwd=tmp_path, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
    try:
        with (
            pytest.raises(ArtifactError, match="mount point") as caught,
            artifact.writing(tmp_path / "o", "thing"),
        ):
            pytest.fail("the work has begun")
        assert str(tmp_path / "o" / "out") in caught.value.remedy
        write(tmp_path / "o" / "out")
        assert artifact.kind_of(tmp_path / "o" / "out") == "thing"
    finally:
        subprocess.run(["umount", tmp_path / "o"], check=True)


def test_files_that_are_not_whole_have_names_that_nobody_has(tmp_path: Path) -> None:
    (tmp_path / "page.html.tmp").write_text("years of work")
    with files.replacing(tmp_path / "page.html") as file:
        file.write(b"half")
        (temporary,) = tmp_path.glob(files.TEMPORARY)
        with files.replacing(tmp_path / "page.html") as other:
            other.write(b"whole")
        assert temporary.exists()
    assert snapshot(tmp_path) == {"page.html": "half", "page.html.tmp": "years of work"}


def demo_of(folder: Path) -> None:
    for part in made_folder.PARTS:
        write(folder / part)
    for place in (folder / "samples", folder):
        (place / made_folder.SHEET).write_bytes(b"picture")
    write_report([folder], folder / made_folder.PAGE)


def thesis_beside(folder: Path) -> None:
    demo_of(folder)
    (folder / "thesis.txt").write_text("years of work")


def own_shapes_only(folder: Path) -> None:
    folder_with_a_thesis(folder / "shapes")


def own_samples(folder: Path) -> None:
    demo_of(folder)
    artifact.remove_artifact(folder / "samples")
    folder_with_a_thesis(folder / "samples")


def linked_shapes(folder: Path) -> None:
    demo_of(folder)
    os.rename(folder / "shapes", folder.parent / "kept")  # noqa: PTH104
    (folder / "shapes").symlink_to(folder.parent / "kept", target_is_directory=True)


def own_page(folder: Path) -> None:
    demo_of(folder)
    (folder / made_folder.PAGE).write_text("<!doctype html><title>thesis</title>")


def own_picture(folder: Path) -> None:
    demo_of(folder)
    (folder / made_folder.SHEET).write_text("years of work")


@pytest.mark.parametrize(
    "make", [folder_with_a_thesis, own_shapes_only, own_samples, linked_shapes, own_page, own_picture]
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_the_demo_refuses_a_folder_that_is_not_all_its_own_and_leaves_it(
    make: Callable[[Path], None], overwrite: bool, tmp_path: Path
) -> None:
    make(tmp_path / "p")
    before = snapshot(tmp_path)
    with pytest.raises(ArtifactError, match=r"there already|exists already|not that of the samples"):
        demo.run_demo(tmp_path / "p", overwrite=overwrite)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("make", [demo_of, thesis_beside])
def test_the_demo_overwrites_its_own_artifacts_and_nothing_else(
    make: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "p")
    with pytest.raises(ArtifactError, match="exists already") as caught:
        demo.run_demo(tmp_path / "p")
    assert "--overwrite" in caught.value.remedy

    class Begun(Exception):
        pass

    def begin(*_: object, **__: object) -> None:
        raise Begun

    monkeypatch.setattr(demo, "write_shapes", begin)
    with pytest.raises(Begun):
        demo.run_demo(tmp_path / "p", overwrite=True)
    left = snapshot(tmp_path / "p")
    del left[resuming.PLAN]  # of the demo that begins
    assert left == ({"thesis.txt": "years of work"} if make is thesis_beside else {})


@pytest.mark.parametrize("text", ["<!doctype html><title>thesis</title>", "years of work", ""])
def test_a_page_of_others_is_not_replaced_by_a_report(text: str, tmp_path: Path) -> None:
    write(tmp_path / "thing")
    (tmp_path / "page.html").write_text(text)
    with pytest.raises(ArtifactError, match="no page of nfgen"):
        write_report([tmp_path / "thing"], tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text() == text
