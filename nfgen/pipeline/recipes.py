"""Whole recipes of other people's work, as settings of `nfgen fit`, `nfgen tokenize` and `nfgen train`.

A recipe is a frozen description; what the caller says himself overrides it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from nfgen.errors import ConfigError

Stage = Literal["fit", "tokenize", "train"]


@dataclass(frozen=True)
class Recipe:
    """Options of the three commands, by their names there."""

    what: str
    fit: Mapping[str, Any]
    tokenize: Mapping[str, Any]
    train: Mapping[str, Any]


def _recipe(what: str, **stages: dict[str, Any]) -> Recipe:
    return Recipe(what, **{stage: MappingProxyType(options) for stage, options in stages.items()})


NANO_GPT: dict[str, Any] = {
    "feedforward": "gelu",
    "positions": "learned",
    "head": "tied",
    "dropout": 0.0,
    "beta2": 0.95,
    "patience": 0,
}
"""What both recipes have of nanoGPT (https://github.com/karpathy/nanoGPT), and that they train to the end."""

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "nef-gpt": _recipe(
            "NeF-GPT (Fanselau and Muschal 2024), shapes: 3,712 weights, each one of 127 codes of its change from the "
            "first field",
            # 300 epochs of 24 steps over 100,000 points about the surface and 100,000 anywhere.
            fit={
                "spec": "nef-gpt",
                "init": "first",
                "loss": "tanh-mse",
                "steps": 7200,
                "points": 8192,
                "near": 100_000,
                "uniform": 100_000,
                "learning_rate": 1e-2,
                "pull": 0.0,
            },
            tokenize={
                "tokenizer": "codebook",
                "unit": "scalar",
                "codes": 127,
                "target": "delta",
                "normalise": "none",
            },
            train=NANO_GPT
            | {
                "model": "gpt",
                "size": "small",
                "heads": 16,
                "steps": 10_000,
                "batch_size": 32,
                "learning_rate": 2e-3,
                "warmup": 800,
                "weight_decay": 0.05,
            },
        ),
        "nef-gpt-mnist": _recipe(
            "NeF-GPT (Fanselau and Muschal 2024), digits: 561 weights, each one of 245 codes of its change from the "
            "first field, ten classes",
            # 200 epochs of 13 steps over the 784 pixels.
            fit={
                "spec": "mnist",
                "init": "first",
                "steps": 2600,
                "points": 64,
                "learning_rate": 4e-3,
                "pull": 0.0,
            },
            tokenize={
                "tokenizer": "codebook",
                "unit": "scalar",
                "codes": 245,
                "target": "delta",
                "normalise": "none",
            },
            train=NANO_GPT
            | {
                "model": "gpt",
                "size": "mnist",
                "steps": 40_000,
                "batch_size": 64,
                "learning_rate": 9e-4,
                "warmup": 2000,
                "weight_decay": 0.0,
            },
        ),
    }
)


def recipe(name: str) -> Recipe:
    """A recipe by its name.

    Raises:
        ConfigError: if there is none of that name.
    """
    if name not in RECIPES:
        raise ConfigError(f"there is no preset {name!r}", f"known are: {', '.join(RECIPES)}")
    return RECIPES[name]


def options_of(name: str, stage: Stage) -> dict[str, Any]:
    """Settings of a stage; those of a training say, too, how fields are tokenised.

    Raises:
        ConfigError: if there is no such recipe.
    """
    found = recipe(name)
    if stage != "train":
        return dict(getattr(found, stage))
    return {key if key == "tokenizer" else f"tokenizer_{key}": value for key, value in found.tokenize.items()} | dict(
        found.train
    )
