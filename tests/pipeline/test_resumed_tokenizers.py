"""A tokenizer goes on from its checkpoint to the same bits, only as it was, and never from numbers not finite."""

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from nfgen.errors import ArtifactError, NfgenError
from nfgen.fields.field_set import FieldSet
from nfgen.pipeline.tokenize import tokenize
from nfgen.tokenizers.vq import training
from nfgen.tokenizers.vq.tokenizer import VQTokenizer

from .stopping import VQ, content, stopping

# A dozen steps teach no codebook; what counts here is that they are the same steps.
pytestmark = pytest.mark.filterwarnings("ignore::nfgen.errors.CollapsedCodebookWarning")


@pytest.mark.parametrize(("tokenizer", "kind"), [("vq", "fsq"), ("vq", "vq"), ("graph", "fsq")])
def test_a_tokenizer_goes_on_from_its_checkpoint_to_the_same_bits(
    tiny_fields: FieldSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: str, kind: str
) -> None:
    settings = {**VQ, "quantizer": kind, "heldout": 0.25, "views": 2}
    tokenize(tiny_fields, tmp_path / "whole", tokenizer, **settings)
    # As a kill would: nothing is written at the end, so that the checkpoint of step 8 is the last.
    with monkeypatch.context() as patch:
        patch.setattr(training, "_step", stopping(training._step, 10, RuntimeError()))
        with pytest.raises(RuntimeError):
            tokenize(tiny_fields, tmp_path / "cut", tokenizer, **settings)
    with monkeypatch.context() as patch:
        patch.setattr(training, "_step", stopping(training._step, 4, AssertionError("steps are done again")))
        tokenize(tiny_fields, tmp_path / "cut", tokenizer, resume=True, **settings)
    assert content(tmp_path / "cut") == content(tmp_path / "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut", "whole"]


def test_ctrl_c_keeps_the_step_that_it_came_in(
    tiny_fields: FieldSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = VQTokenizer(**VQ).fit(tiny_fields)
    step, calls = training._step, iter(range(10**6))

    def pressed(*arguments: Any) -> Any:
        if next(calls) == 5:
            signal.raise_signal(signal.SIGINT)
        return step(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(training, "_step", pressed)
        with pytest.raises(KeyboardInterrupt):
            VQTokenizer(**VQ).fit(tiny_fields, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(training, "_step", stopping(step, 6, AssertionError("steps are done again")))
        resumed = VQTokenizer(**VQ).fit(tiny_fields, tmp_path)
    for key, tensor in whole.tensors().items():
        assert torch.equal(tensor, resumed.tensors()[key]), key


def test_a_tokenizer_is_resumed_only_as_it_was(
    tiny_fields: FieldSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(training, "_step", stopping(training._step, 6, KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            tokenize(tiny_fields, tmp_path / "cut", "vq", **VQ)
    with pytest.raises(ArtifactError, match="had other tokenizer_settings"):
        tokenize(tiny_fields, tmp_path / "cut", "vq", resume=True, **{**VQ, "width": 8})
    other = replace(tiny_fields, weights=tiny_fields.weights + 1)
    with pytest.raises(ArtifactError, match="had other fields"):
        tokenize(other, tmp_path / "cut", "vq", resume=True, **VQ)
    (tmp_path / ".cut.nfgen-partial" / "training" / "vq.safetensors").write_bytes(b"rubbish of some length")
    with pytest.raises(ArtifactError, match="claims a header"):
        tokenize(tiny_fields, tmp_path / "cut", "vq", resume=True, **VQ)


def test_a_loss_that_is_not_finite_keeps_the_last_checkpoint_and_goes_on_from_it(
    tiny_fields: FieldSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss, calls = training.function_loss, iter(range(10**6))

    def diverging(*arguments: Any) -> torch.Tensor:
        return loss(*arguments) * (float("nan") if next(calls) == 6 else 1)

    with monkeypatch.context() as patch:
        patch.setattr(training, "function_loss", diverging)
        with pytest.raises(NfgenError, match="no longer finite at step 6") as caught:
            tokenize(tiny_fields, tmp_path / "out", "vq", **VQ)
    assert "step 4 is kept" in caught.value.remedy
    assert "lower learning_rate" in caught.value.remedy
    tokenize(tiny_fields, tmp_path / "out", "vq", resume=True, **{**VQ, "learning_rate": 1e-4})
    assert all(
        tensor.isfinite().all() for tensor in VQTokenizer.load(tmp_path / "out" / "tokenizer").tensors().values()
    )


def test_weights_that_are_not_finite_never_replace_a_checkpoint(tiny_fields: FieldSet, tmp_path: Path) -> None:
    networks = torch.nn.Linear(2, 2)
    kept = training.Checkpoint(tmp_path, networks, [], {}, torch.Generator())
    kept.save(1, 0.0)
    before = content(tmp_path)
    with torch.no_grad():
        networks.weight[0, 0] = float("inf")
    with pytest.raises(NfgenError, match="no longer finite"):
        kept.save(2, 0.0)
    assert content(tmp_path) == before
