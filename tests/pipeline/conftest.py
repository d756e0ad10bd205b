"""A field and a run that tests of the pipeline go on from."""

from pathlib import Path

import pytest

from nfgen.fields.field_set import FieldSet
from nfgen.pipeline.config import TrainConfig
from nfgen.pipeline.tokenize import tokenize
from nfgen.pipeline.train import train

from .stopping import SMALL


@pytest.fixture
def ball(tiny_fields: FieldSet, tmp_path: Path) -> Path:
    """The file of a field of a ball."""
    tiny_fields[0].save(tmp_path / "ball.safetensors")
    return tmp_path / "ball.safetensors"


@pytest.fixture(scope="session")
def run(tiny_fields: FieldSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    tokenize(tiny_fields, folder / "tokens", "codebook", codes=64, steps=5, heldout=0.25)
    train(folder / "tokens", folder / "run", model_settings=SMALL, config=TrainConfig(steps=40, batch_size=4))
    return folder / "run"
