"""The talk's overfitting experiment: both models reproduce a few conditioned fields."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from nfgen.fields.field_set import FieldSet
from nfgen.fields.mlp import evaluate_in_chunks, inside
from nfgen.models.generation.config import SamplingConfig
from nfgen.models.generation.generate import sample
from nfgen.models.presets import preset
from nfgen.models.registry import load_model, model_for
from nfgen.models.training.trainer import train
from nfgen.pipeline.config import TrainConfig
from nfgen.tokenizers import registry
from nfgen.tokens.decoding import decode_fields

POINTS = torch.rand(2000, 3, generator=torch.Generator().manual_seed(5)) * 2 - 1


def overlaps(fields: FieldSet, weights: Tensor) -> Tensor:
    """IoU [fields, others] of every field with every one of some other weights."""
    own = inside(fields.spec, evaluate_in_chunks(fields.spec, fields.weights, POINTS))
    other = inside(fields.spec, evaluate_in_chunks(fields.spec, weights, POINTS))
    both = (own[:, None] & other).sum(2)
    return both / (own[:, None] | other).sum(2)


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize(("tokenizer", "bins"), [("identity", {}), ("histogram", {"bins": 32})])
def test_a_few_conditioned_fields_are_reproduced(
    tiny_fields: FieldSet, tmp_path: Path, tokenizer: str, bins: dict[str, int], count: int
) -> None:
    # Four fields that differ much, each a class of its own: the start says which one is wanted.
    chosen = replace(tiny_fields.select(torch.tensor([0, 3, 6, 9])[:count]), labels=torch.arange(count),
                     classes=tuple("abcd"[:count]))  # fmt: skip
    coder = registry.create(tokenizer, **bins).fit(chosen)
    tokens = coder.encode(chosen.weights)
    name = model_for(coder.vocabulary)
    settings = preset(name, "tiny", layers=2, width=64, heads=2, dropout=0.0, class_dropout=0.0)
    config = TrainConfig(steps=200, batch_size=count, evaluate_every=200, average=0.9, learning_rate=3e-3,
                         precision="float32")  # fmt: skip
    train(
        name, settings, coder.vocabulary, tokens, chosen.labels, torch.zeros(count, dtype=torch.bool), tmp_path, config
    )
    drawn = sample(load_model(tmp_path), count, SamplingConfig(temperature=0), label=torch.arange(count))
    weights = torch.stack([field.weights for field in decode_fields(coder, drawn)])
    assert overlaps(chosen, weights).diagonal().min() > 0.95
