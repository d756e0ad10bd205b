"""Small data and small trainings of every model."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from nfgen.models.registry import find
from nfgen.models.training.result import TrainResult
from nfgen.models.training.trainer import train
from nfgen.pipeline.config import TrainConfig
from nfgen.tokens.vocabulary import Vocabulary

CODES = Vocabulary(length=12, codes=20, levels=(5, 4), classes=("a", "b", "c", "d"))
NUMBERS = Vocabulary(length=12, width=2, classes=("a", "b", "c", "d"))
SMALL = {"layers": 2, "width": 32, "heads": 2}
OVERFIT = {"dropout": 0.0, "class_dropout": 0.0}


def data(vocabulary: Vocabulary, count: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    if vocabulary.continuous:
        return torch.randn(count, vocabulary.length, vocabulary.width, generator=generator)
    return torch.randint(vocabulary.codes or 0, (count, vocabulary.length), generator=generator)


def labelled(count: int) -> Tensor:
    return torch.arange(count) % 4


def held(count: int, out: int) -> Tensor:
    return torch.arange(count) >= count - out


MODELS = {"gpt": CODES, "regression": NUMBERS, "diffusion": NUMBERS}
every_model = pytest.mark.parametrize("name", MODELS)


def settings_of(vocabulary: Vocabulary, name: str | None = None, **settings: object):  # type: ignore[no-untyped-def]
    name = name or ("regression" if vocabulary.continuous else "gpt")
    return name, find(name).Config.from_json({**SMALL, **settings})


def learn(run: Path, vocabulary: Vocabulary = CODES, count: int = 20, out: int = 4, **config: object) -> TrainResult:
    """Train on a little data, with `resume` and the callbacks passed on and the rest as settings."""
    passed = {
        key: config.pop(key) for key in ("resume", "augment", "on_sample", "on_log", "synthetic") if key in config
    }
    tokens = config.pop("tokens", data(vocabulary, count))
    name, settings = settings_of(vocabulary, config.pop("name", None), **config.pop("model", {}))  # type: ignore[arg-type]
    defaults = {"steps": 12, "batch_size": 8, "evaluate_every": 4, "log_every": 2}
    return train(
        name,
        settings,
        vocabulary,
        tokens,
        labelled(count),
        held(count, out),
        run,  # type: ignore[arg-type]
        TrainConfig.from_json({**defaults, **config}),
        **passed,
    )  # type: ignore[arg-type]


def log(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
