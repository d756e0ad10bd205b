"""Shapes of strangers are read within limits of memory and time; one beyond them is one skipped shape."""

import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import trimesh

from nfgen.errors import ShapeError
from nfgen.runtime.progress import progress
from nfgen.shapes import ShapeRef, find_shapes, guarded, sample_shapes
from nfgen.shapes.over_processes import do_each

BOX = trimesh.creation.box()


def refs_of(folder: Path, names: list[str]) -> list[ShapeRef]:
    for name in names:
        BOX.export(folder / f"{name}.3mf")
    return find_shapes(folder)


class Harm(NamedTuple):
    """What hostile files make of their readers: the library hangs, or wants all memory."""

    kind: str

    def do(self, ref: ShapeRef) -> int | ShapeError:
        if "bad" not in ref.id:
            return os.getpid()
        if self.kind == "memory":
            return int(np.ones(1 << 40, np.uint8)[0])
        while self.kind == "work":
            pass
        # A call that keeps Python's lock, so that no thread of Python could end it.
        ctypes.PyDLL(None).sleep(600)
        return 0


class Hurried(NamedTuple):
    """`Harm` of a process whose deadline is near."""

    kind: str

    def do(self, ref: ShapeRef) -> int | ShapeError:
        if self.kind == "work":
            signal.setitimer(signal.ITIMER_PROF, 0.05)
        else:
            guarded.faulthandler.dump_traceback_later(0.05, exit=True, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
        return Harm(self.kind).do(ref)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems limit no process's memory")
@pytest.mark.parametrize(
    ("job", "words"),
    [
        (Harm("memory"), "needs more memory than there is"),
        (Hurried("time"), "ended the process that read it"),
        (Hurried("work"), "ended the process that read it"),
    ],
)
def test_a_shape_that_costs_too_much_is_one_skipped_shape(job: Harm, words: str, tmp_path: Path) -> None:
    refs = refs_of(tmp_path, ["a", "bad"])
    outcomes: dict[int, int | ShapeError] = {}
    with progress(2, "read", "shape") as bar:
        do_each(job, refs, outcomes, 1, bar)
    wrong = outcomes[1]
    assert isinstance(wrong, ShapeError)
    assert words in wrong.problem
    assert "a file of its size may take 5 s and 1.0 GB" in wrong.problem
    assert isinstance(outcomes[0], int)
    assert outcomes[0] != os.getpid()


def test_budgets_grow_with_the_file_and_end(tmp_path: Path) -> None:
    budgets = []
    for size in (10_000, 1_000_000, 100_000_000):
        with (tmp_path / f"{size:010}.stl").open("wb") as file:
            file.truncate(size)
        (ref,) = find_shapes(tmp_path / f"{size:010}.stl")
        budgets.append(guarded.budget_of(ref))
    small, middle, large = budgets
    assert small.seconds < 6
    assert small.bytes < 1.01 * 2**30
    assert small.seconds < middle.seconds < large.seconds == guarded.MOST_SECONDS
    assert small.bytes < middle.bytes < large.bytes == guarded.MOST_BYTES
    few = find_shapes(tmp_path)[0]
    assert guarded.budget_of(few, seconds=2).seconds == small.seconds + 2
    assert guarded.budget_of(ref, most_bytes=2**31).bytes == 2**31


def test_a_glb_that_places_few_meshes_is_read_here(tmp_path: Path) -> None:
    trimesh.Scene([BOX]).export(tmp_path / "one.glb")
    scene = trimesh.Scene()
    for i in range(3):
        scene.add_geometry(BOX, transform=trimesh.transformations.translation_matrix([i, 0, 0]))
    scene.export(tmp_path / "three.glb")
    data = (tmp_path / "one.glb").read_bytes()
    (tmp_path / "escaped.glb").write_bytes(data.replace(b'"mesh"', b'"mes\\u0068"'))
    assert [ref.id for ref in find_shapes(tmp_path) if guarded.is_plain(ref)] == ["one.glb"]


def test_what_a_few_bytes_can_make_much_of_is_read_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refs = refs_of(tmp_path, ["a"])
    BOX.export(tmp_path / "small.stl")
    trimesh.creation.icosphere(5).export(tmp_path / "large.stl")
    np.save(tmp_path / "grid.npy", np.pad(np.ones((6, 6, 6), bool), 1))
    refs = find_shapes(tmp_path)
    assert [ref.id for ref in refs if guarded.is_plain(ref)] == ["grid.npy", "small.stl"]
    monkeypatch.setattr(ShapeRef, "load", lambda ref: pytest.fail("read in this process"))
    done, skipped = sample_shapes([ref for ref in refs if not guarded.is_plain(ref)], 16, 16, 0, workers=1)
    assert [one.ref.id for one in done] == ["a.3mf", "large.stl"]
    assert not skipped
