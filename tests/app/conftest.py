"""A run of a few steps that knows two classes, its fields beside it, and a small app that serves it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import nfgen
from nfgen.fields.field_set import FieldSet

from ..pipeline.stopping import SMALL, VQ

MEGABYTES, UPLOADS = 2, 8  # of the app that serves the run


@pytest.fixture(scope="session")
def run(tiny_fields: FieldSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("app")
    tiny_fields.save(folder / "fields")
    nfgen.tokenize(folder / "fields", folder / "tokens", "codebook", unit="row", codes=8, depth=1)
    config = nfgen.TrainConfig(steps=60, batch_size=12, warmup=1)
    nfgen.train(folder / "tokens", folder / "run", config=config, model_settings={"layers": 1, "width": 32, "heads": 1})
    return folder / "run"


@pytest.fixture(scope="session")
def edit_runs(tiny_fields: FieldSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of vq tokens in any order, and one in raster order."""
    folder = tmp_path_factory.mktemp("edited")
    tiny_fields.save(folder / "fields")
    settings = {**VQ, "steps": 60}  # fewer leave fields without a surface
    nfgen.tokenize(folder / "fields", folder / "tokens", "vq", views=0, heldout=0.25, **settings)
    for name, share in (("any", 1.0), ("raster", 0.0)):
        config = nfgen.TrainConfig(steps=10, batch_size=8, model_settings={**SMALL, "random_order": share})
        nfgen.train(folder / "tokens", folder / name, config=config)
    return folder


@pytest.fixture(scope="session")
def address(run: Path, edit_runs: Path) -> Iterator[str]:
    """Of the app that serves the run."""
    pytest.importorskip("gradio", reason="the extra app is not installed")
    from nfgen.app import serving

    runs = [run, edit_runs / "any", edit_runs / "raster"]
    with serving(runs, port=0, most=3, uploads=UPLOADS, upload_mb=MEGABYTES, device="cpu") as address:
        yield address
