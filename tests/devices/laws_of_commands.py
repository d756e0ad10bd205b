"""All commands on an accelerator, a simulated one: they give what the CPU gives, and resume on another device."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import trimesh

from nfgen.evaluation import evaluate_pairs
from nfgen.fields.field_set import FieldSet
from nfgen.models.training.trainer import Trainer
from nfgen.pipeline.export import export
from nfgen.pipeline.fit import fit
from nfgen.pipeline.generate import generate
from nfgen.pipeline.run import Run
from nfgen.pipeline.tokenize import tokenize
from nfgen.pipeline.train import train
from nfgen.runtime.device import COMPUTED_ON
from nfgen.tokenizers.vq import training
from nfgen.tokens.token_set import TokenSet

from .simulated_device import NAME

pytestmark = pytest.mark.filterwarnings("ignore::nfgen.errors.CollapsedCodebookWarning")

ROUNDING = {"rtol": 1e-3, "atol": 1e-4}
FIT: dict[str, Any] = {
    "steps": 4, "points": 32, "near": 48, "uniform": 32, "near_eval": 8, "uniform_eval": 32, "batch_size": 2,
}  # fmt: skip
VQ: dict[str, Any] = {
    "max_tokens": 11, "levels": (5, 4), "probes": 4, "width": 8, "channels": 8, "decoder_blocks": 1, "steps": 6,
    "batch_size": 4, "points": 32, "save_every": 2, "minutes": 60.0, "heldout": 0.25,
}  # fmt: skip
GPT: dict[str, Any] = {"layers": 1, "width": 8, "heads": 1, "dropout": 0.0, "steps": 4, "batch_size": 2}


def computed_on(artifact: Path) -> str:
    stored = json.loads((artifact / "config.json").read_text())
    return str(stored.get(COMPUTED_ON) or stored["settings"][COMPUTED_ON])


def same_tokens(one: TokenSet, other: TokenSet, device: torch.device) -> bool:
    """Whether they are equal; on a real device most, as rounding decides between two codes."""
    share = (one.tokens == other.tokens).double().mean()
    return bool(share == 1 if device.type == NAME else share > 0.8)


def test_from_shapes_to_samples(device: torch.device, tmp_path: Path) -> None:
    shapes = tmp_path / "shapes"
    shapes.mkdir()
    for i in range(4):
        trimesh.creation.box([1, 1 + i / 4, 0.5 + i / 8]).export(shapes / f"{i}.stl")
    for name in ("auto", "cpu"):
        here = tmp_path / name
        here.mkdir()
        fields = fit(shapes, here / "fields", device=name, workers=1, **FIT)
        assert fields.weights.device.type == "cpu"
        tokenize(fields, here / "tokens", "vq", device=name, views=1, **VQ)
        run = train(here / "tokens", here / "run", device=name, **GPT)
        assert run.result["steps"] == 4
        generate(here / "run", here / "samples", n=2, resolution=12, device=name)
        export(here / "samples", here / "stl", format="stl", device=name, resolution=12)
        pairs = evaluate_pairs(here / "tokens", tmp_path / "shapes", device=name, resolution=12)
        assert pairs[COMPUTED_ON].startswith("cpu" if name == "cpu" else str(device))
    on = [computed_on(tmp_path / "auto" / part) for part in ("fields", "tokens", "run", "samples")]
    assert all(one.startswith(str(device)) for one in on)
    assert computed_on(tmp_path / "cpu" / "fields").startswith("cpu")
    there, here = (FieldSet.load(tmp_path / name / "fields") for name in ("auto", "cpu"))
    torch.testing.assert_close(there.weights, here.weights, **ROUNDING)
    assert same_tokens(*(TokenSet.load(tmp_path / name / "tokens") for name in ("auto", "cpu")), device)
    assert Run.load(tmp_path / "auto" / "run", device="cpu").result["val_loss"] == pytest.approx(
        Run.load(tmp_path / "cpu" / "run", device="cpu").result["val_loss"], abs=1e-3
    )
    lists = [json.loads((tmp_path / name / "samples" / "samples.json").read_text()) for name in ("auto", "cpu")]
    if device.type == NAME:  # models of weights that differ by rounding may draw others
        assert [one["tokens"] for one in lists[0]] == [one["tokens"] for one in lists[1]]


def test_a_tokenizer_goes_on_on_another_device(
    device: torch.device, tiny_fields: FieldSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tokenize(tiny_fields, tmp_path / "whole", "vq", device="cpu", **VQ)
    step, done = training._step, iter(range(100))

    def stopping(*given: Any) -> float | None:
        if next(done) == 4:
            raise KeyboardInterrupt
        return step(*given)

    with monkeypatch.context() as patch:
        patch.setattr(training, "_step", stopping)
        with pytest.raises(KeyboardInterrupt):
            tokenize(tiny_fields, tmp_path / "cut", "vq", device=str(device), **VQ)
    resumed = tokenize(tiny_fields, tmp_path / "cut", "vq", device="cpu", resume=True, **VQ)
    assert same_tokens(resumed, whole, device)


def test_a_training_goes_on_on_another_device(device: torch.device, tiny_fields: FieldSet, tmp_path: Path) -> None:
    tokenize(tiny_fields, tmp_path / "tokens", "histogram", bins=8, heldout=0.25, device="cpu")
    step, done = Trainer.step, iter(range(100))

    def stopping(self: Trainer) -> None:
        if next(done) == 2:
            raise KeyboardInterrupt
        step(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "step", stopping)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "tokens", tmp_path / "run", device=str(device), **GPT)
    run = train(tmp_path / "tokens", tmp_path / "run", device="cpu", resume=True, **GPT)
    whole = train(tmp_path / "tokens", tmp_path / "whole", device="cpu", **GPT)
    assert run.result["val_loss"] == pytest.approx(whole.result["val_loss"], abs=1e-3)
