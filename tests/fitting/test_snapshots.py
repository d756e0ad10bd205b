"""Snapshots of fits: which steps they keep, that they are the fit's own weights, and that they change nothing."""

from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from nfgen.errors import ArtifactError
from nfgen.fields.spec import FieldSpec
from nfgen.fitting.config import FitConfig, PointSamplingConfig
from nfgen.fitting.snapshots import FIELDS, SnapshotRecorder, Snapshots
from nfgen.io import files
from nfgen.pipeline.fit import fit

SPEC = FieldSpec(frequencies=0, hidden=(8,))
FAST = {
    "config": FitConfig(steps=12, points=64, batch_size=3),
    "samples": PointSamplingConfig(near=128, uniform=128, near_eval=16, uniform_eval=16),
    "workers": 1,
}


@pytest.fixture(scope="module")
def balls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("balls")
    for i in range(4):
        trimesh.creation.icosphere(subdivisions=1, radius=0.4 + 0.1 * i).export(folder / f"ball-{i}.off")
    return folder


def test_a_fit_keeps_its_first_fields_from_start_to_end_and_is_the_same_fit(balls: Path, tmp_path: Path) -> None:
    plain = fit(balls, tmp_path / "plain", spec=SPEC, **FAST)
    heard: list[torch.Tensor] = []
    fields = fit(
        balls,
        tmp_path / "fields",
        spec=SPEC,
        snapshots=4,
        on_step=lambda step, weights, losses: heard.append(losses.clone()),
        **FAST,
    )
    assert torch.equal(plain.weights, fields.weights)
    assert Snapshots.load(tmp_path / "plain") is None
    found = Snapshots.load(tmp_path / "fields")
    assert found is not None
    assert found.steps.tolist() == [0, 1, 3, 12]
    assert found.weights.shape == (4, 3, SPEC.size), "the fields of the first shard"
    assert torch.equal(found.weights[0], fields.base.expand(3, -1))
    assert torch.equal(found.weights[-1], fields.weights[:3])
    assert torch.equal(found.losses, torch.stack(heard[:12]))
    assert len(heard) == 2 * 13, "the caller's own listener hears all batches"


def test_rows_of_fields_that_stopped_early_are_not_mistaken_for_others(tmp_path: Path) -> None:
    recorder = SnapshotRecorder(tmp_path, steps=8, count=8)
    weights = torch.arange(12.0).reshape(6, 2)
    for step in range(8):
        active = weights if step < 5 else weights[3:]
        recorder(step, active + step, torch.ones(len(active)))
    recorder(8, weights[3:], torch.ones(3))
    recorder(0, weights * 0, torch.zeros(6))  # the next batch
    found = Snapshots.load(tmp_path)
    assert found is not None
    assert found.steps.tolist() == [0, 1, 2, 3, 4]
    for step, kept in zip(found.steps.tolist(), found.weights, strict=True):
        assert torch.equal(kept, weights[:FIELDS] + step)


def test_damaged_snapshots_are_named(tmp_path: Path) -> None:
    files.write_tensors(tmp_path / "snapshots.safetensors", {"steps": torch.zeros(3), "weights": torch.zeros(2, 1, 5)})
    with pytest.raises(ArtifactError, match="damaged"):
        Snapshots.load(tmp_path)
    (tmp_path / "snapshots.safetensors").write_bytes(np.zeros(5).tobytes())
    with pytest.raises(ArtifactError, match="cannot read"):
        Snapshots.load(tmp_path)
