"""Recipes: they are what they say, and options override them."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nfgen.errors import ConfigError
from nfgen.fields.field_set import FieldSet
from nfgen.fields.spec import PRESETS, FieldSpec
from nfgen.fitting.config import FitConfig
from nfgen.fitting.optimize import fit_batch
from nfgen.models.presets import preset
from nfgen.models.registry import create, load_model
from nfgen.pipeline.config import TrainConfig
from nfgen.pipeline.recipes import RECIPES, options_of, recipe
from nfgen.tokenizers.config import TokenizeConfig
from nfgen.tokenizers.weights.config import CodebookConfig
from nfgen.tokens.vocabulary import Vocabulary

from ..commands import run


def parts(name: str) -> tuple[FieldSpec, FitConfig, CodebookConfig, Any, TrainConfig]:
    """All settings of a recipe, checked by their owners."""
    fit = FitConfig().with_settings(options_of(name, "fit"))
    assert fit.init == "first"
    tokens = TokenizeConfig().with_settings(options_of(name, "tokenize"))
    assert tokens.tokenizer == "codebook"
    train = TrainConfig().with_settings(options_of(name, "train"))
    assert train.of_tokenizer == tokens
    gpt = preset(str(train.model), train.size, **train.model_settings)
    return PRESETS[str(fit.spec)], fit, CodebookConfig.from_json(tokens.tokenizer_settings), gpt, train


def test_shapes_are_as_the_authors_have_them() -> None:
    spec, fit, codebook, gpt, training = parts("nef-gpt")
    assert (spec.size, spec.features, spec.hidden, spec.activation, spec.output_bias) == (
        3712,
        15,
        (32,) * 4,
        "gelu",
        False,
    )
    assert (spec.output, fit.loss, fit.steps, fit.points, fit.pull) == ("occupancy", "tanh-mse", 7200, 8192, 0)
    assert (codebook.unit, codebook.target, codebook.codes, codebook.depth) == ("scalar", "delta", 127, 1)
    assert (gpt.layers, gpt.width, gpt.heads, training.steps, training.batch_size) == (6, 256, 16, 10_000, 32)


def test_digits_are_as_the_authors_have_them() -> None:
    spec, _, codebook, gpt, training = parts("nef-gpt-mnist")
    assert (spec.size, spec.features, spec.hidden, spec.activation, spec.output) == (
        561,
        16,
        (16, 16),
        "relu",
        "brightness",
    )
    assert (codebook.unit, codebook.codes) == ("scalar", 245)
    assert (gpt.layers, gpt.width, training.steps, training.batch_size) == (12, 240, 40_000, 64)
    classes = tuple("0123456789")
    model = create("gpt", Vocabulary(length=spec.size, codes=codebook.codes, classes=classes), gpt)
    assert model.vocabulary.size == 245 + 3 + 10


def test_what_is_given_overrides_a_recipe() -> None:
    fit = FitConfig().with_settings(options_of("nef-gpt", "fit")).with_settings({"steps": 5})
    assert (fit.init, fit.steps, fit.points) == ("first", 5, 8192)
    tokens = TokenizeConfig().with_settings(options_of("nef-gpt", "tokenize"))
    other = tokens.with_settings({"tokenizer": "vq", "max_tokens": 8})
    assert other.tokenizer_settings == {"max_tokens": 8}, "settings of one tokenizer mean nothing to another"
    assert recipe("nef-gpt").fit["steps"] == 7200
    with pytest.raises(TypeError):
        recipe("nef-gpt").fit["steps"] = 1  # type: ignore[index]
    with pytest.raises(ConfigError, match="no preset"):
        recipe("nope")


def test_occupancy_is_learned_by_the_squared_error_of_tanh() -> None:
    spec = FieldSpec(frequencies=1, hidden=(16, 16), output="occupancy")
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(2, 2048, 3, generator=generator) * 2 - 1
    distances = points.norm(dim=-1) - torch.tensor([[0.5], [0.7]])
    start = 0.3 * torch.randn(2, spec.size, generator=generator)
    config = FitConfig(steps=150, points=512, loss="tanh-mse", pull=0.0)
    assert (fit_batch(spec, points, distances, start, config).losses < 0.15).all()  # 1 for a field that knows nothing
    with pytest.raises(ConfigError, match="occupancy"):
        fit_batch(PRESETS["talk"], points, distances, torch.zeros(2, 3712), config)


def test_commands_read_the_recipe(tmp_path: Path) -> None:
    rows = np.linspace(-1, 1, 12)
    radii = [0.4, 0.6, 0.8, 0.5]
    discs = [(255 * ((rows[:, None] ** 2 + rows**2) < radius**2)).astype(np.uint8) for radius in radii]
    images, labels = tmp_path / "train-images-idx3-ubyte", tmp_path / "train-labels-idx1-ubyte"
    images.write_bytes(struct.pack(">4I", 0x803, 4, 12, 12) + np.stack(discs).tobytes())
    labels.write_bytes(struct.pack(">2I", 0x801, 4) + bytes([0, 1, 1, 0]))
    few = ["--preset", "nef-gpt-mnist", "--quiet"]
    run("fit", images, *few, "--steps", 40, "--workers", 1, "--near", 0, "-o", tmp_path / "fields")
    fields = FieldSet.load(tmp_path / "fields")
    assert (fields.spec, fields.settings["init"]) == (PRESETS["mnist"], "first")
    assert (fields.settings["steps"], fields.settings["points"]) == (40, 64)
    run("tokenize", tmp_path / "fields", *few, "--steps", 2, "-o", tmp_path / "tokens")
    assert (
        json.loads((tmp_path / "tokens" / "config.json").read_text())["settings"]["tokenizer_settings"]["codes"] == 245
    )
    small = ["--layers", 1, "--width", 24, "--heads", 1, "--steps", 2]
    run("train", tmp_path / "fields", *few, *small, "--codes", 16, "-o", tmp_path / "run")
    model = load_model(tmp_path / "run")
    assert (model.vocabulary.length, model.vocabulary.codes) == (561, 16)
    assert model.config.to_json() | {"layers": 1, "feedforward": "gelu", "head": "tied"} == model.config.to_json()
    about = json.loads((tmp_path / "run" / "config.json").read_text())["train"]
    assert (about["steps"], about["batch_size"], about["beta2"]) == (2, 64, 0.95)


def test_every_recipe_says_what_it_is() -> None:
    assert all(one.what for one in RECIPES.values())
