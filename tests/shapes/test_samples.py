"""Samples of shapes: near the surface first, and the same points alone or in company, cached or over processes."""

import hashlib
import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nfgen.runtime.progress import show_progress
from nfgen.shapes import ImageShape, Shape, VoxelShape, find_shapes, sample_shapes

from .bodies import BALL, BOX, moved, shape_of, voxel_ball

SHAPES: list[Shape] = [shape_of(BALL), VoxelShape(voxel_ball()), ImageShape(voxel_ball()[16].astype(float))]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.id)
def test_samples_are_near_the_surface_first_then_uniform(shape: Shape) -> None:
    points, values = shape.sample(2000, 1000, np.random.default_rng(0))
    assert points.shape == (3000, shape.dims)
    assert points.dtype == values.dtype == np.float32
    assert np.abs(points).max() <= 1
    np.testing.assert_allclose(values, shape.value(points.astype(np.float64)), atol=1e-5)
    near, far = np.abs(values[:2000]), np.abs(values[2000:])
    # Distances along the normal: half of sigma 0.05, half of 0.0158; their mean size is 0.026.
    assert near.mean() == pytest.approx(0.026, abs=0.006)
    assert far.mean() > 0.15
    on = shape.surface(1000, np.random.default_rng(0))
    assert np.abs(shape.value(on)).max() < 0.02


def write_grids(folder: Path) -> None:
    packed = np.packbits(np.stack([voxel_ball(16)] * 2).reshape(2, -1), axis=1)
    np.savez_compressed(folder / "grids.npz", voxels=packed, shape=[16, 16, 16], labels=[4, 7])


def test_classes_of_grids_are_numbers_or_names(tmp_path: Path) -> None:
    grids = np.stack([voxel_ball(8)] * 3)
    for labels, classes in (([4, 7, 4], ["4", "7", "4"]), (["bed", "night stand", ""], ["bed", "night stand", None])):
        np.savez(tmp_path / "grids.npz", voxels=grids, labels=labels)
        assert [ref.label for ref in find_shapes(tmp_path)] == classes


def write_shapes(folder: Path) -> None:
    for i in range(3):
        moved(BOX, i).export(folder / f"{i}.off")
    write_grids(folder)


def test_samples_do_not_depend_on_company_or_cache(tmp_path: Path) -> None:
    write_shapes(tmp_path)
    refs = find_shapes(tmp_path)
    alone, _ = sample_shapes(refs, 20, 10, seed=1, workers=1)
    assert [sampled.ref for sampled in alone] == refs
    others = [
        sample_shapes(refs, 20, 10, seed=1, workers=1, cache=tmp_path / "cache")[0],
        sample_shapes(refs, 20, 10, seed=1, workers=1, cache=tmp_path / "cache")[0],
        [sample_shapes([ref], 20, 10, seed=1)[0][0] for ref in refs],
    ]
    for one, other in itertools.product([alone], others):
        for a, b in zip(one, other, strict=True):
            assert a.ref.id == b.ref.id
            assert a.transform == b.transform
            np.testing.assert_array_equal(a.samples.points, b.samples.points)
            np.testing.assert_array_equal(a.samples.values, b.samples.values)
    different, _ = sample_shapes(refs, 20, 10, seed=2, workers=1)
    assert not np.array_equal(different[0].samples.points, alone[0].samples.points)
    assert not np.array_equal(alone[0].samples.points[20:], alone[1].samples.points[20:])


def test_the_cache_is_used_outlives_damage_and_follows_the_file(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    BOX.export(tmp_path / "a.off")
    refs = find_shapes(tmp_path / "a.off")
    [first], _ = sample_shapes(refs, 20, 10, seed=0, cache=cache)
    [kept] = cache.rglob("*.safetensors")
    written = kept.stat().st_mtime_ns
    sample_shapes(refs, 20, 10, seed=0, cache=cache)
    assert kept.stat().st_mtime_ns == written
    kept.write_bytes(kept.read_bytes()[:100])
    [again], _ = sample_shapes(refs, 20, 10, seed=0, cache=cache)
    np.testing.assert_array_equal(first.samples.points, again.samples.points)
    BALL.export(tmp_path / "a.off")
    [changed], _ = sample_shapes(refs, 20, 10, seed=0, cache=cache)
    assert not np.array_equal(first.samples.values, changed.samples.values)
    assert len(list(cache.rglob("*"))) == len(list(cache.rglob("*.safetensors"))) + len(list(cache.glob("*")))


SCRIPT = """
import hashlib, sys
from nfgen.shapes import find_shapes, over_processes, sample_shapes
print("ran")
over_processes.ALONE_SECONDS = 0
done, _ = sample_shapes(find_shapes(sys.argv[1]), 20, 10, seed=1, workers=2)
print(len(done), hashlib.sha256(b"".join(shape.samples.points.tobytes() for shape in done)).hexdigest())
"""


def test_a_script_without_a_guard_samples_over_processes_with_the_same_result(tmp_path: Path) -> None:
    write_grids(tmp_path)
    (tmp_path / "script.py").write_text(SCRIPT)
    here, _ = sample_shapes(find_shapes(tmp_path), 20, 10, seed=1, workers=1)
    digest = hashlib.sha256(b"".join(shape.samples.points.tobytes() for shape in here)).hexdigest()
    command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path)]
    # The checkout is on the path as it is in this process, installed or not.
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=600, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    )
    assert (done.returncode, done.stderr, done.stdout.split()) == (0, "", ["ran", "2", digest])


def test_progress_is_shown_when_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_shapes(tmp_path)
    show_progress(True)
    try:
        sample_shapes(find_shapes(tmp_path), 8, 8, seed=0)
    finally:
        show_progress(False)
    assert "sample: 5/5 shape" in capsys.readouterr().err
