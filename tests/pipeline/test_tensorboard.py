"""A training for TensorBoard: the numbers of the log, contact sheets and meshes; nothing where it is not asked for."""

import json
import sys
from pathlib import Path

import pytest

import nfgen
from nfgen.errors import ConfigError
from nfgen.fields.field_set import FieldSet

SETTINGS = {"layers": 1, "width": 16, "heads": 1}


def train(fields: FieldSet, folder: Path, steps: int = 6, **arguments: bool) -> None:
    if not (folder / "tokens").exists():
        nfgen.tokenize(fields, folder / "tokens", "codebook", unit="row", codes=8, depth=1)
    config = nfgen.TrainConfig(steps=steps, batch_size=4, log_every=2, evaluate_every=4, sample_every=3)
    nfgen.train(folder / "tokens", folder / "run", config=config, model_settings=SETTINGS, **arguments)


def test_scalars_sheets_and_meshes(tiny_fields: FieldSet, tmp_path: Path) -> None:
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="the extra tensorboard is not installed"
    )
    train(tiny_fields, tmp_path, tensorboard=True)
    events = accumulator.EventAccumulator(
        str(tmp_path / "run" / "tensorboard"), size_guidance={"tensors": 0, "images": 0}
    ).Reload()
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    for key in ("loss", "lr", "tokens_per_second", "val_loss"):
        logged = {line["step"]: line[key] for line in lines if line[key] is not None}
        found = {event.step: event.value for event in events.Scalars(f"train/{key}")}
        assert found == pytest.approx(logged, rel=1e-6)
    sheets = events.Images("samples")
    assert [sheet.step for sheet in sheets] == [3, 6]
    assert sheets[0].encoded_image_string.startswith(b"\x89PNG")
    assert any(tag.startswith("samples/0_VERTEX") for tag in events.Tags()["tensors"])


def test_without_the_flag_there_is_only_the_log(tiny_fields: FieldSet, tmp_path: Path) -> None:
    train(tiny_fields, tmp_path)
    assert (tmp_path / "run" / "log.jsonl").exists()
    assert not (tmp_path / "run" / "tensorboard").exists()


def test_without_the_package_the_flag_says_what_to_install(
    tiny_fields: FieldSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "tensorboard"]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ConfigError, match="needs the package tensorboard") as caught:
        train(tiny_fields, tmp_path, tensorboard=True)
    assert "nfgen[tensorboard]" in caught.value.remedy
    assert not (tmp_path / "run").exists()
