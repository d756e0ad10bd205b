"""Stored tokenizers load under the old names of settings and weights, and decode to what they did."""

import json
from pathlib import Path

import pytest
import torch

from nfgen.fields.mlp import evaluate
from nfgen.io.files import read_tensors
from nfgen.tokenizers import registry


def test_a_stored_tokenizer_with_octahedral_hats_decodes_to_the_values_that_it_did() -> None:
    """Of 2-D fields, with cells that were given and a learned codebook; others are among the artifacts of 0.1."""
    stored = Path(__file__).parents[1] / "fixtures" / "octahedral_flat"
    tokenizer = registry.load(stored)
    expected = read_tensors(stored.with_suffix(".safetensors"))
    assert tokenizer.config.basis == "octahedral"
    assert tokenizer.config.cells == (2, 2)
    assert (tokenizer.encode(expected["weights"]) == expected["tokens"]).double().mean() > 0.9
    values = evaluate(tokenizer.decoded_spec, tokenizer.decode(expected["tokens"]), expected["points"])
    torch.testing.assert_close(values, expected["values"], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("name", "quantizer"), [("residual_splines", "rvq"), ("graph_splines", "fsq")])
def test_tokenizers_stored_under_old_names_load(name: str, quantizer: str) -> None:
    stored = Path(__file__).parents[1] / "fixtures" / name
    settings = json.loads((stored / "config.json").read_text())["settings"]
    tokenizer = registry.load(stored)
    expected = read_tensors(stored.with_suffix(".safetensors"))
    assert (tokenizer.config.max_tokens, tokenizer.config.mix_planes) == (settings["codes"], settings["cut"])
    assert tokenizer.config.quantizer == quantizer
    assert (tokenizer.encode(expected["weights"]) == expected["tokens"]).double().mean() > 0.9
    values = evaluate(tokenizer.decoded_spec, tokenizer.decode(expected["tokens"]), expected["points"])
    torch.testing.assert_close(values, expected["values"], atol=1e-4, rtol=1e-4)
