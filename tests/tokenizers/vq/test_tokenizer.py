"""Laws of the VQ tokenizer: shapes survive, whatever weights they have and whoever is in their batch."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nfgen.errors import ConfigError
from nfgen.fields.field_set import FieldSet
from nfgen.fields.mlp import evaluate_in_chunks, flatten, inside, unflatten
from nfgen.fields.spec import FieldSpec
from nfgen.fields.symmetry import permute, random_orders
from nfgen.tokenizers.vq.config import VQConfig
from nfgen.tokenizers.vq.tokenizer import VQTokenizer

from .fitted_fields import KINDS, QUICK, SPEC, fitted, uniform

FLAT = FieldSpec(dims=2, frequencies=1, hidden=(16, 16), output="brightness", output_bias=True)


def overlap(spec: FieldSpec, weights: Tensor, other_spec: FieldSpec, other: Tensor) -> Tensor:
    """IoU of the insides of two lots of fields, one by one."""
    points = uniform(4000, spec.dims, seed=9)
    a = inside(spec, evaluate_in_chunks(spec, weights, points))
    b = inside(other_spec, evaluate_in_chunks(other_spec, other, points))
    return (a & b).sum(1) / (a | b).sum(1).clamp(min=1)


def test_unseen_fields_survive_the_round_trip(tokenizer: VQTokenizer, unseen: FieldSet) -> None:
    decoded = tokenizer.decode(tokenizer.encode(unseen.weights))
    own = overlap(SPEC, unseen.weights, tokenizer.decoded_spec, decoded).mean()
    # What is kept is the shape of each, not one mean shape: these boxes overlap each other, too.
    others = overlap(SPEC, unseen.weights, tokenizer.decoded_spec, decoded.roll(1, 0)).mean()
    assert own > 0.7
    assert own > others + 0.1


def test_neurons_in_another_order_give_the_same_tokens(tokenizer: VQTokenizer, fields: FieldSet) -> None:
    permuted = permute(SPEC, fields.weights, random_orders(SPEC, len(fields), torch.Generator().manual_seed(3)))
    assert not torch.equal(permuted, fields.weights)
    # Sums in another order may put one number in thousands on the other side of a rounding.
    assert (tokenizer.encode(permuted) == tokenizer.encode(fields.weights)).double().mean() > 0.99


def test_the_same_function_in_another_spec_gives_nearly_the_same_tokens(
    tokenizer: VQTokenizer, fields: FieldSet
) -> None:
    wide = FieldSpec(frequencies=1, hidden=(20, 16))
    (first, bias), (second, second_bias), last = unflatten(SPEC, fields.weights)
    assert bias is not None
    idle = torch.zeros(len(fields), 16, 4)
    grown = flatten(
        [
            (torch.cat([first, torch.ones(len(fields), 4, first.shape[2])], 1), torch.cat([bias, idle[:, 0]], 1)),
            (torch.cat([second, idle], 2), second_bias),
            last,
        ]
    )
    assert (tokenizer.encode(grown, wide) == tokenizer.encode(fields.weights)).double().mean() > 0.99


def test_a_batch_equals_its_members(tokenizer: VQTokenizer, fields: FieldSet) -> None:
    tokens = tokenizer.encode(fields.weights)
    alone = torch.cat([tokenizer.encode(weights[None]) for weights in fields.weights])
    assert torch.equal(tokens, alone)
    assert torch.equal(tokenizer.decode(tokens)[3:4], tokenizer.decode(tokens[3:4]))


@pytest.mark.parametrize("kind", KINDS)
def test_every_quantizer_saves_loads_and_repeats_itself(kind: str, fields: FieldSet, tmp_path: Path) -> None:
    settings = {
        **QUICK,
        "quantizer": kind,
        "max_tokens": 11,
        "slots": 2,
        "steps": 3,
        "batch_size": 8,
        "decoder_blocks": 1,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # three steps may well leave a codebook unused
        first, second = (VQTokenizer(**settings).fit(fields) for _ in range(2))
    first.save(tmp_path / "vq")
    loaded = VQTokenizer.load(tmp_path / "vq")
    tokens = first.encode(fields.weights)
    assert torch.equal(tokens, second.encode(fields.weights))
    assert torch.equal(tokens, loaded.encode(fields.weights))
    assert torch.equal(first.decode(tokens), loaded.decode(tokens))
    assert loaded.vocabulary == first.vocabulary
    assert (loaded.codebook_usage, loaded.perplexity) == (first.codebook_usage, first.perplexity)
    sequences = first.vocabulary.wrap(tokens, fields.labels)
    assert torch.equal(first.vocabulary.unwrap(sequences), tokens)


def test_fitting_leaves_the_callers_random_numbers_alone(fields: FieldSet) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = VQTokenizer(**{**QUICK, "steps": 1}).fit(fields)
    assert torch.equal(torch.rand(3), expected)
    second = VQTokenizer(**{**QUICK, "steps": 1}).fit(fields)
    assert torch.equal(second.encode(fields.weights), first.encode(fields.weights)), "nor is it moved by them"


def test_brightness_fields_of_two_dimensions(fields: FieldSet) -> None:
    discs_seen, discs_unseen = fitted(FLAT, 16, seed=0), fitted(FLAT, 4, seed=50)
    flat = VQTokenizer(**{**QUICK, "max_tokens": 18, "steps": 80}).fit(discs_seen)
    decoded = flat.decode(flat.encode(discs_unseen.weights))
    assert flat.decoded_spec.output == "brightness"
    assert overlap(FLAT, discs_unseen.weights, flat.decoded_spec, decoded).mean() > 0.75
    with pytest.raises(ConfigError, match="2-D brightness"):
        flat.encode(fields.weights, SPEC)


def test_views_are_warped_and_fresh(tokenizer: VQTokenizer, fields: FieldSet) -> None:
    views = tokenizer.views(fields.weights, SPEC, 3, seed=1)
    assert views.shape == (len(fields), 3, tokenizer.vocabulary.length)
    assert torch.equal(views, tokenizer.views(fields.weights, SPEC, 3, seed=1))
    assert not torch.equal(views[:, 0], views[:, 1])
    assert not torch.equal(views, tokenizer.views(fields.weights, SPEC, 3, seed=2))


def test_wrong_input_is_refused(tokenizer: VQTokenizer, fields: FieldSet) -> None:
    codes = tokenizer.vocabulary.codes or 0
    with pytest.raises(ConfigError, match="finite"):
        tokenizer.encode(torch.full((1, SPEC.size), torch.nan))
    with pytest.raises(ConfigError, match="weights of shape"):
        tokenizer.encode(fields.weights[:, 1:])
    with pytest.raises(ConfigError, match="are not fields of") as caught:
        tokenizer.encode(fields.weights, FieldSpec(frequencies=1, hidden=(8, 8)))
    assert "spec" in caught.value.remedy
    with pytest.raises(ConfigError):
        tokenizer.decode(torch.full((1, tokenizer.vocabulary.length), codes))
    with pytest.raises(ConfigError, match="not fitted"):
        VQTokenizer().vocabulary  # noqa: B018 - the property is what raises


@pytest.mark.parametrize(
    "setting",
    [
        {"max_tokens": 0},
        {"levels": (1, 5)},
        {"levels": (2, 5)},
        {"quantizer": "lfq", "codebook": 1000},
        {"augment": 2.0},
    ],
)
def test_wrong_settings_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(reversed(setting))):
        VQConfig(**setting)
