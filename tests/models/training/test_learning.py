"""Every model learns a few fields by heart, and those that sample give each of several."""

from pathlib import Path

import pytest
import torch

from nfgen.models.generation.config import SamplingConfig
from nfgen.models.generation.generate import log_likelihood, sample
from nfgen.models.gpt import GPT
from nfgen.models.registry import load_model
from nfgen.models.training.trainer import train
from nfgen.pipeline.config import TrainConfig
from nfgen.tokens.vocabulary import Vocabulary

from .small_trainings import CODES, NUMBERS, OVERFIT, data, held, learn, settings_of


@pytest.mark.parametrize("count", [1, 4])
def test_gpt_learns_few_sequences_by_heart(tmp_path: Path, count: int) -> None:
    tokens = data(CODES, count)
    learn(tmp_path, count=count, out=0, tokens=tokens, model=OVERFIT, steps=200, learning_rate=1e-2, evaluate_every=200)
    model = load_model(tmp_path)
    for label in range(count):
        assert torch.equal(sample(model, 3, label=label), tokens[label].expand(3, -1))


def test_gpt_without_classes_gives_each_of_four_sequences(tmp_path: Path) -> None:
    vocabulary = Vocabulary(length=12, codes=20)
    tokens, name = data(vocabulary, 4), "gpt"
    train(
        name,
        settings_of(vocabulary, **OVERFIT)[1],
        vocabulary,
        tokens,
        torch.full((4,), -1),
        held(4, 0),
        tmp_path,
        TrainConfig(steps=200, learning_rate=1e-2, evaluate_every=200),
    )
    model = load_model(tmp_path)
    assert isinstance(model, GPT)
    likelihoods = log_likelihood(model, tokens, torch.full((4,), -1)).exp()
    torch.testing.assert_close(likelihoods.float(), torch.full((4,), 0.25), rtol=0, atol=0.05)
    samples = sample(model, 40, SamplingConfig(min_p=0.1))
    assert torch.equal(samples.unique(dim=0), tokens.unique(dim=0))


@pytest.mark.parametrize("count", [1, 4])
def test_regression_learns_few_fields_by_heart(tmp_path: Path, count: int) -> None:
    tokens = data(NUMBERS, count)
    learn(
        tmp_path,
        NUMBERS,
        count=count,
        out=0,
        tokens=tokens,
        model={**OVERFIT, "width": 64},
        steps=250,
        learning_rate=5e-3,
        final_learning_rate=0.0,
        evaluate_every=250,
    )
    model = load_model(tmp_path)
    for label in range(count):
        torch.testing.assert_close(sample(model, 1, label=label)[0], tokens[label], rtol=0, atol=0.05)


@pytest.mark.parametrize("process", ["diffusion", "flow"])
def test_diffusion_learns_the_field_of_each_class(tmp_path: Path, process: str) -> None:
    tokens = data(NUMBERS, 4)
    learn(tmp_path, NUMBERS, count=64, out=0, tokens=tokens.repeat(16, 1, 1), name="diffusion", batch_size=64,
          steps=150, model={**OVERFIT, "process": process}, learning_rate=1e-2, average=0.98,
          evaluate_every=150)  # fmt: skip
    model = load_model(tmp_path)
    for label in range(4):
        samples = sample(model, 4, label=label)
        distances = torch.cdist(samples.flatten(1), tokens.flatten(1))
        assert (distances.argmin(dim=1) == label).all()
        assert (samples - tokens[label]).abs().mean() < 0.3  # the four are about 1.1 apart


def test_diffusion_gives_each_of_two_fields_where_regression_gives_one(tmp_path: Path) -> None:
    vocabulary = Vocabulary(length=12, width=2)
    tokens = data(vocabulary, 2)
    for name in ("diffusion", "regression"):
        settings = settings_of(vocabulary, name, **OVERFIT)[1]
        train(name, settings, vocabulary, tokens.repeat(16, 1, 1), torch.full((32,), -1), held(32, 0), tmp_path / name,
              TrainConfig(steps=150, batch_size=32, learning_rate=1e-2, average=0.98, evaluate_every=150))  # fmt: skip
    samples = sample(load_model(tmp_path / "diffusion"), 40)
    nearest = torch.cdist(samples.flatten(1), tokens.flatten(1)).min(dim=1)
    assert 8 <= int(nearest.indices.sum()) <= 32
    assert nearest.values.median() < 1.0  # the two are about 7 apart
    assert len(sample(load_model(tmp_path / "regression"), 40).unique(dim=0)) == 1
