"""Edits keep what they are to keep, draw the rest, and are samples like any other."""

import json
from pathlib import Path

import pytest
import torch
import trimesh
from torch import Tensor

import nfgen
from nfgen.errors import ArtifactError, ConfigError, NfgenError
from nfgen.fields.field_set import FieldSet
from nfgen.io.artifact import read_config
from nfgen.pipeline.config import EditConfig, GenerateConfig, MeshingConfig, TrainConfig
from nfgen.pipeline.edit import edit
from nfgen.pipeline.generate import generate
from nfgen.pipeline.run import Run
from nfgen.pipeline.sample_set import Sample, read_list
from nfgen.pipeline.tokenize import tokenize
from nfgen.pipeline.train import train
from nfgen.tokenizers.vq import editing
from nfgen.tokenizers.vq.tokenizer import VQTokenizer

from ..commands import run as command
from .stopping import SMALL, VQ

COARSE = EditConfig(n=4, meshing=MeshingConfig(resolution=16))


@pytest.fixture(scope="module")
def places(tiny_fields: FieldSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with fields, a run in any order, one in raster order and samples of the former."""
    folder = tmp_path_factory.mktemp("edits")
    tiny_fields.save(folder / "fields")
    tokenize(folder / "fields", folder / "tokens", "vq", views=0, heldout=0.25, **VQ)
    for name, share, steps in (("run", 1.0, 30), ("raster", 0.0, 1)):
        settings = {**SMALL, "random_order": share}
        train(folder / "tokens", folder / name, TrainConfig(steps=steps, batch_size=8, model_settings=settings))
    generate(folder / "run", folder / "samples", n=2, resolution=16, offset=0.01, distinct=False)
    return folder


def tokenizer_of(places: Path) -> VQTokenizer:
    tokenizer = Run.load(places / "run").tokenizer
    assert isinstance(tokenizer, VQTokenizer)
    return tokenizer


def tokens_of(samples: list[Sample]) -> Tensor:
    return torch.tensor([sample.tokens for sample in samples])


def test_varied_shapes_keep_their_box_and_the_other_cells(places: Path, tmp_path: Path) -> None:
    source = f"{places / 'samples'}#1"
    own = torch.tensor(json.loads((places / "samples" / "samples.json").read_text())[1]["tokens"])
    samples = edit("vary", places / "run", source, tmp_path / "out", COARSE, share=0.5, temperature=2.0)
    tokens = tokens_of(samples)
    assert torch.equal(tokens[:, :3], own[:3].expand(4, -1))
    changed = tokens != own
    cells = tokens.shape[1] - 3
    assert 0 < int(changed.sum(dim=1).max()) <= round(0.5 * cells)
    assert len(tokens.unique(dim=0)) == 4
    fewer = edit(
        "vary", places / "run", source, tmp_path / "few", COARSE, n=2, share=0.5, temperature=2.0, batch_size=1
    )
    assert torch.equal(tokens_of(fewer), tokens[:2]), "sample i depends on the seed and i alone"
    free = edit("vary", places / "run", source, tmp_path / "free", COARSE, share=1.0, keep_box=False, temperature=9.0)
    assert (tokens_of(free)[:, :3] != own[:3]).any()


def test_completed_shapes_keep_the_cells_of_a_region(places: Path, tmp_path: Path) -> None:
    source, tokenizer = places / "samples" / "sample-0000.safetensors", tokenizer_of(places)
    own = torch.tensor(json.loads((places / "samples" / "samples.json").read_text())[0]["tokens"])
    centres = editing.cell_centres(tokenizer, own)
    middle = float(centres[..., 2].median())
    lower = centres[:, 0, 2] <= middle
    assert 0 < int(lower.sum()) < len(lower)
    region = (-1, -1, -1, 1, 1, middle)
    samples = edit("complete", places / "run", source, tmp_path / "out", COARSE, region=region, temperature=3.0)
    kept = editing.tokens_of_cells(tokenizer, lower)
    tokens = tokens_of(samples)
    assert torch.equal(tokens[:, kept], own[kept].expand(4, -1))
    assert (tokens[:, ~kept] != own[~kept]).any()
    numbers = tuple(lower.nonzero()[:, 0].tolist())
    same = edit("complete", places / "run", source, tmp_path / "same", COARSE, cells=numbers, temperature=3.0)
    assert torch.equal(tokens_of(same), tokens)


def test_interpolation_goes_from_one_shape_to_the_other(places: Path, tmp_path: Path) -> None:
    fields, tokenizer = FieldSet.load(places / "fields"), tokenizer_of(places)
    first, second = tokenizer.encode(fields.weights[[0, 9]])
    for run in ("run", "raster"):
        sources = [f"{places / 'fields'}#0", f"{places / 'fields'}#{fields.ids[9]}"]
        tokens = tokens_of(edit("interpolate", places / run, sources, tmp_path / run, COARSE, n=5))
        assert torch.equal(tokens[[0, -1]], torch.stack([first, second]))
    codes = tokenizer.networks.quantizer.codes
    low, high = torch.minimum(first, second)[:3] - codes, torch.maximum(first, second)[:3] - codes
    halves = tokens[:, :3] - codes
    assert (
        (halves % 24 >= torch.minimum(low % 24, high % 24)) & (halves % 24 <= torch.maximum(low % 24, high % 24))
    ).all()


def test_mixed_shapes_are_the_first_below_and_the_second_above(places: Path, tmp_path: Path) -> None:
    fields, tokenizer = FieldSet.load(places / "fields"), tokenizer_of(places)
    first, second = tokenizer.encode(fields.weights[[0, 9]])
    sources = [f"{places / 'fields'}#0", f"{places / 'fields'}#9"]
    mixed = tokens_of(edit("mix", places / "raster", sources, tmp_path / "out", COARSE, n=3))
    heights = editing.cell_centres(tokenizer, first)[:, 0, 2]
    planes = editing.middle_planes(tokenizer, first, 2, 3)
    for tokens, plane in zip(mixed, planes, strict=True):
        above = editing.tokens_of_cells(tokenizer, heights >= plane)
        assert torch.equal(tokens, torch.where(above, second, first))
    (one,) = edit("mix", places / "raster", sources, tmp_path / "one", COARSE, plane=planes[1])
    assert torch.equal(torch.tensor(one.tokens), mixed[1])
    with pytest.raises(ConfigError, match="mirror"):
        edit("mix", places / "raster", sources, tmp_path / "x", COARSE, axis="x")


def test_cells_lie_in_the_box_of_their_shape(places: Path) -> None:
    fields, tokenizer = FieldSet.load(places / "fields"), tokenizer_of(places)
    (tokens,) = tokenizer.encode(fields.weights[:1])
    centres = editing.cell_centres(tokenizer, tokens).flatten(0, 1)
    low, high = torch.tensor(fields[0].mesh(32).bounds.tolist())
    assert (centres.mean(dim=0) - (low + high) / 2).abs().max() < 0.1
    assert ((centres > low - 0.1) & (centres < high + 0.1)).all()
    near, far = editing.cell_centres(tokenizer, tokens).unbind(1)
    torch.testing.assert_close(near[:, 1:], far[:, 1:])
    assert (near[:, 0] > far[:, 0]).all()


def test_a_file_is_fitted_and_a_field_encoded(places: Path, tmp_path: Path) -> None:
    trimesh.creation.box((1, 2, 1)).export(tmp_path / "box.stl")
    nfgen.FieldSet.load(places / "fields")[7].save(tmp_path / "field.safetensors")
    sources = [tmp_path / "box.stl", tmp_path / "field.safetensors"]
    samples = edit("interpolate", places / "run", sources, tmp_path / "out", COARSE, n=2, fit_steps=100)
    (encoded,) = tokenizer_of(places).encode(FieldSet.load(places / "fields").weights[7:8])
    assert torch.equal(torch.tensor(samples[1].tokens), encoded)


def test_edits_are_samples_and_say_how_they_were_made(places: Path, tmp_path: Path) -> None:
    sample = places / "samples" / "sample-0000.png"
    options = ("-n", 3, "--resolution", 16, "--share", 0.4, "-o", tmp_path / "out")
    printed = command("edit", "vary", places / "run", sample, *options)
    assert "3 samples in" in printed.output
    config = read_config(tmp_path / "out", "samples")
    assert config["edit"]["how"] == "vary"
    assert config["edit"]["share"] == 0.4
    assert config["edit"]["sources"] == [str(sample)]
    assert '"nfgen edit vary' in (tmp_path / "out" / "config.json").read_text()
    assert (tmp_path / "out" / "index.html").is_file()
    assert len(read_list(tmp_path / "out")) == GenerateConfig.of_samples(config).n, "as evaluate reads them"


@pytest.mark.parametrize(
    ("how", "count", "settings", "said"),
    [
        ("bend", 1, {}, "way of editing"),
        ("vary", 2, {}, "takes 1 shape"),
        ("mix", 1, {}, "takes 2 shapes"),
        ("vary", 1, {"plane": 0.1}, "plane is a setting of mix"),
        ("interpolate", 2, {"temperature": 2.0}, "draws nothing"),
        ("complete", 1, {}, "what is to be kept"),
        ("complete", 1, {"region": (0.0, 1.0)}, "two corners"),
        ("complete", 1, {"region": (5.0, 5.0, 5.0, 6.0, 6.0, 6.0)}, "no cell"),
        ("complete", 1, {"cells": (99,)}, "cells"),
        ("vary", 1, {"share": 0.0}, "share"),
    ],
)
def test_what_cannot_be_done_is_named(
    places: Path, tmp_path: Path, how: str, count: int, settings: dict[str, object], said: str
) -> None:
    sources = [f"{places / 'samples'}#{i}" for i in range(count)]
    with pytest.raises(ConfigError, match=said):
        edit(how, places / "run", sources, tmp_path / "out", **settings)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_a_prior_of_raster_order_says_what_it_needs(places: Path, tmp_path: Path) -> None:
    sample = f"{places / 'samples'}#0"
    with pytest.raises(ConfigError, match="raster order") as caught:
        edit("vary", places / "raster", sample, tmp_path / "out")
    assert "--random-order" in str(caught.value.remedy)


def test_other_tokens_and_sources_that_are_none_are_refused(places: Path, run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no places in space"):
        edit("mix", run, [f"{places / 'samples'}#0"] * 2, tmp_path / "out")
    for source, error, said in (
        (f"{places / 'samples'}#2", ConfigError, "there is no"),
        (str(places / "samples"), ConfigError, "is a folder"),
        (f"{places / 'fields'}#nobody", ConfigError, "there is no"),
        (str(places / "nothing.stl"), NfgenError, "nothing"),
        (str(places / "nothing.safetensors"), ArtifactError, "nothing"),
    ):
        with pytest.raises(error, match=said):
            edit("vary", places / "run", source, tmp_path / "out")
