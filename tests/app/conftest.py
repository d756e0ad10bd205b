"""A run of a few steps that knows two classes, its fields beside it, and a small app that serves it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import nfgen
from nfgen.fields.field_set import FieldSet

MEGABYTES = 2


@pytest.fixture(scope="session")
def run(tiny_fields: FieldSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("app")
    tiny_fields.save(folder / "fields")
    nfgen.tokenize(folder / "fields", folder / "tokens", "codebook", unit="row", codes=8, depth=1)
    config = nfgen.TrainConfig(steps=60, batch_size=12, warmup=1)
    nfgen.train(folder / "tokens", folder / "run", config=config, model_settings={"layers": 1, "width": 32, "heads": 1})
    return folder / "run"


@pytest.fixture(scope="session")
def address(run: Path) -> Iterator[str]:
    """Of the app that serves the run."""
    pytest.importorskip("gradio", reason="the extra app is not installed")
    from nfgen.app import serving

    with serving([run], port=0, most=3, uploads=8, upload_mb=MEGABYTES, device="cpu") as address:
        yield address
