"""Deterministic algorithms give the same bits in every stage."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from nfgen.fields.field_set import FieldSet
from nfgen.pipeline.config import TrainConfig
from nfgen.pipeline.generate import generate
from nfgen.pipeline.tokenize import tokenize
from nfgen.pipeline.train import train
from nfgen.runtime.determinism import make_deterministic

from .stopping import SMALL, VQ, content

# A dozen steps teach no codebook; what counts here is that they are the same steps.
pytestmark = pytest.mark.filterwarnings("ignore::nfgen.errors.CollapsedCodebookWarning")


@pytest.fixture
def _undone() -> Iterator[None]:
    threads, enabled = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(enabled)


@pytest.mark.usefixtures("_undone")
def test_every_stage_has_deterministic_algorithms(
    tiny_fields: FieldSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # so that what is set here goes with the test
    make_deterministic()
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()
    for name in ("one", "two"):
        tokenize(tiny_fields, tmp_path / name / "tokens", "vq", **VQ)
        config = TrainConfig(steps=3, batch_size=4)
        train(tmp_path / name / "tokens", tmp_path / name / "run", model_settings=SMALL, config=config)
        generate(tmp_path / name / "run", tmp_path / name / "out", n=2, resolution=16)
    for part in ("tokens/tokenizer", "run/tokenizer"):
        assert content(tmp_path / "one" / part) == content(tmp_path / "two" / part)
    best, fields = "run/best.safetensors", "out/sample-0001.safetensors"
    for file in (best, fields):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
