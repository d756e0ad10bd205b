"""Fitting shapes: where fits start, when they stop, what is kept of them, and that a killed fit goes on."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from torch import Tensor

import nfgen
from nfgen.errors import ArtifactError, ConfigError, NfgenError, ShapeError
from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.fields.mlp import initial_weights
from nfgen.fields.spec import FieldSpec
from nfgen.fitting.config import FitConfig, PointSamplingConfig
from nfgen.fitting.optimize import fit_batch
from nfgen.pipeline.dry_run.fit import plan_fit
from nfgen.shapes import find_shapes

SPEC = FieldSpec(frequencies=1, hidden=(16, 16))
CONFIG = FitConfig(steps=60, points=256, batch_size=2)
SAMPLES = PointSamplingConfig(near=768, uniform=256, near_eval=64, uniform_eval=256)


@pytest.fixture(scope="module")
def solids(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five meshes in two classes, somewhere in space."""
    folder = tmp_path_factory.mktemp("solids")
    for i in range(5):
        kind = "ball" if i < 3 else "box"
        mesh = trimesh.creation.icosphere(2, 1 + i) if kind == "ball" else trimesh.creation.box((1, 2, 1 + i))
        (folder / kind).mkdir(exist_ok=True)
        mesh.apply_translation((3, 0, i))
        mesh.export(folder / kind / f"{i}.ply")
    return folder


def fit(shapes: Path, out: Path, **arguments: object) -> FieldSet:
    return nfgen.fit(shapes, out, **{"spec": SPEC, "config": CONFIG, "samples": SAMPLES, "workers": 1, **arguments})


def test_fields_match_their_shapes_and_remember_them(solids: Path, tmp_path: Path) -> None:
    fields = fit(solids, tmp_path / "fields", config=CONFIG.replace(steps=200))
    assert fields.ids == ("ball/0.ply", "ball/1.ply", "ball/2.ply", "box/3.ply", "box/4.ply")
    assert [fields.classes[i] for i in fields.labels] == ["ball", "ball", "ball", "box", "box"]
    assert min(entry["iou"] for entry in fields.report) > 0.8
    # Centre and scale put a field back to where its shape was.
    *centre, scale, up = fields.transforms[2].tolist()
    assert up == 2, "z"
    assert centre == pytest.approx([3, 0, 2], abs=1e-6)
    assert scale == pytest.approx(0.95 / 3, rel=1e-3)
    original = trimesh.load_mesh(solids / "ball" / "2.ply")
    np.testing.assert_allclose(fields.mesh(2, 32).bounds, original.bounds, atol=0.3)
    loaded = FieldSet.load(tmp_path / "fields")
    assert torch.equal(loaded.weights, fields.weights)
    assert torch.equal(loaded.base, fields.base)
    assert (loaded.ids, loaded.classes, loaded.report) == (fields.ids, fields.classes, fields.report)
    assert torch.allclose(loaded.eval_points, fields.eval_points, atol=2.5e-4)


def test_an_interrupted_fit_goes_on_to_the_same_end(
    solids: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit(solids, tmp_path / "whole")
    calls: Iterator[int] = iter(range(10**6))

    def interrupt(step: int, weights: Tensor, losses: Tensor) -> None:
        if next(calls) == CONFIG.steps + 20:  # in the second shard
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(solids, tmp_path / "cut", on_step=interrupt)
    assert not (tmp_path / "cut").exists(), "nobody sees half a field set"
    fitted: list[int] = []

    def counting(spec: FieldSpec, points: Tensor, *rest: object, **named: object) -> object:
        fitted.append(len(points))
        return fit_batch(spec, points, *rest, **named)

    monkeypatch.setattr("nfgen.fitting.in_memory.fit_batch", counting)
    resumed = fit(solids, tmp_path / "cut", resume=True)
    assert fitted == [2, 1], "done work is not redone"
    assert torch.equal(resumed.weights, whole.weights)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut", "whole"]
    files = {path.name for path in (tmp_path / "whole").iterdir()}
    assert {path.name for path in (tmp_path / "cut").iterdir()} == files


def test_a_fit_is_resumed_only_with_the_same_arguments(solids: Path, tmp_path: Path) -> None:
    calls = iter(range(10**6))

    def interrupt(step: int, weights: Tensor, losses: Tensor) -> None:
        if next(calls) == CONFIG.steps + 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(solids, tmp_path / "out", on_step=interrupt)
    with pytest.raises(ArtifactError, match="had other steps"):
        fit(solids, tmp_path / "out", config=CONFIG.replace(steps=61), resume=True)


def test_fits_start_where_they_are_told_to(solids: Path, tmp_path: Path) -> None:
    fields = {init: fit(solids, tmp_path / init, init=init) for init in ("random", "first", "shared")}
    assert fields["random"].base is None
    spread = {init: one.deltas.var(dim=0).sum().sqrt().item() for init, one in fields.items()}
    assert max(spread["first"], spread["shared"]) < 0.7 * spread["random"], "one start keeps weights near each other"
    alone = fit(solids, tmp_path / "alone", init="first", limit=1)
    assert torch.equal(alone.base, fields["first"].base)
    onwards = fit(solids, tmp_path / "onwards", init=tmp_path / "shared")
    assert torch.equal(onwards.base, fields["shared"].base)
    assert torch.equal(onwards.weights, fields["shared"].weights)
    Field(SPEC, fields["shared"].base).save(tmp_path / "base.safetensors")
    assert torch.equal(fit(solids, tmp_path / "file", init=tmp_path / "base.safetensors").base, onwards.base)
    for wrong in ("nowhere", tmp_path / "random.json"):
        with pytest.raises(ConfigError, match="no init"):
            fit(solids, tmp_path / "out", init=wrong)


def test_a_batch_is_fitted_as_its_members_are(solids: Path, tmp_path: Path) -> None:
    together = fit(solids, tmp_path / "together", init="random", config=CONFIG.replace(batch_size=5))
    one_by_one = fit(solids, tmp_path / "one", init="random", config=CONFIG.replace(batch_size=1))
    torch.testing.assert_close(together.weights, one_by_one.weights, rtol=1e-3, atol=1e-3)


def test_a_field_that_is_good_enough_stops_early() -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(2, 512, 3, generator=generator) * 2 - 1
    easy, hard = torch.full((512,), 0.3), torch.sin(9 * points[1]).prod(dim=1)
    start = initial_weights(SPEC, 2, generator)
    config = FitConfig(steps=200, points=512, tolerance=2e-3)
    result = fit_batch(SPEC, points, torch.stack([easy, hard]), start, config)
    assert result.steps[0] < 200 == result.steps[1]
    assert result.losses[0] < 2e-3 < result.losses[1]


def test_a_stronger_pull_keeps_fields_nearer_to_their_base(solids: Path, tmp_path: Path) -> None:
    distances = [
        fit(solids, tmp_path / f"{pull}", config=CONFIG.replace(pull=pull)).deltas.square().sum()
        for pull in (0.0, 1e-2)
    ]
    assert distances[1] < 0.5 * distances[0]


def test_augmented_copies_are_mirrored_and_scaled_shapes(solids: Path, tmp_path: Path) -> None:
    fields = fit(
        solids, tmp_path / "out", samples=SAMPLES.replace(augment=2), limit=2, config=CONFIG.replace(steps=200)
    )
    assert fields.ids == tuple(f"ball/{i}.ply{copy}" for i in range(2) for copy in ("", "~1", "~2"))
    assert min(entry["iou"] for entry in fields.report) > 0.75


def test_a_warped_shape_has_true_signs_and_nearly_true_distances() -> None:
    from nfgen.shapes import MeshShape
    from nfgen.shapes.axis_scaling import Warp, WarpedShape

    ball = trimesh.creation.icosphere(4)
    factors = np.array([-1.0, 0.9, 0.95])
    warped = WarpedShape(MeshShape(ball.vertices, ball.faces), Warp(tuple(factors)), "warped")
    truth = MeshShape(ball.vertices * factors * 0.95, ball.faces, normalize="none")
    points = np.random.default_rng(0).uniform(-1, 1, (500, 3))
    own, wanted = warped.value(points), truth.value(points * truth.transform.scale) / truth.transform.scale
    assert ((own < 0) == (wanted < 0)).mean() > 0.995
    near = np.abs(wanted) < 0.1
    assert np.abs(own - wanted)[near].max() < 0.005


def test_an_unusable_shape_is_skipped_or_ends_a_strict_fit(tmp_path: Path) -> None:
    folder = tmp_path / "shapes"
    folder.mkdir()
    trimesh.creation.icosphere(1).export(folder / "b.ply")
    (folder / "a.ply").write_bytes(b"ply\n")
    fields = fit(folder, tmp_path / "out", init="first")
    assert fields.ids == ("b.ply",)
    assert [entry["id"] for entry in fields.skipped] == ["a.ply"]
    with pytest.raises(ShapeError, match=r"a\.ply"):
        fit(folder, tmp_path / "strict", strict=True)
    (folder / "b.ply").unlink()
    for init in ("random", "first", "shared"):
        with pytest.raises(NfgenError, match=r"none of the 1 shapes was usable: a\.ply: "):
            fit(folder, tmp_path / init, init=init)
        with pytest.raises(NfgenError, match=r"a\.ply: "):
            plan_fit(folder, init=init)
    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == ["out", "shapes"]


def test_a_brightness_field_and_a_sine_field_are_fitted(tmp_path: Path) -> None:
    from PIL import Image

    folder = tmp_path / "images"
    folder.mkdir()
    rows, columns = np.mgrid[:28, :28]
    Image.fromarray(np.uint8(255 * (np.hypot(rows - 14, columns - 10) < 8))).save(folder / "disc.png")
    fields = fit(folder, tmp_path / "bright", spec="mnist", config=FitConfig(steps=300, points=512))
    assert fields.report[0]["iou"] > 0.85
    assert fields.report[0]["sdf_l1"] is None
    image = fields[0].image(28)
    assert image[14, 10] > 0.9 > 0.1 > image[14, 25]
    sine = FieldSpec(dims=2, frequencies=0, hidden=(32, 32), activation="sine")
    wavy = fit(folder, tmp_path / "sine", spec=sine, config=FitConfig(steps=300, points=512, learning_rate=2e-3))
    assert wavy.report[0]["iou"] > 0.85
    assert len(find_shapes(folder)) == 1
