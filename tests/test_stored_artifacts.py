"""Artifacts that version 0.1 wrote load, and mean the same: `fixtures/v0.1` holds one of each, and what it computed."""

import json
from pathlib import Path

import pytest
import torch

import nfgen
from nfgen.fields.mlp import evaluate
from nfgen.models.generation.generate import sample
from nfgen.pipeline.sample_set import read_list, read_meshes
from nfgen.tokenizers import registry

STORED = Path(__file__).parent / "fixtures" / "v0.1"
EXPECTED = json.loads((STORED / "expected.json").read_text())
POINTS = torch.rand(16, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
ROUNDING = {"rtol": 1e-4, "atol": 1e-5}
"""Products are summed in another order on other processors."""


def test_a_field_set() -> None:
    fields = nfgen.FieldSet.load(STORED / "fields")
    assert len(fields) == 4
    torch.testing.assert_close(
        evaluate(fields.spec, fields.weights, POINTS), torch.tensor(EXPECTED["fields"]), **ROUNDING
    )


@pytest.mark.parametrize("name", ["tokens", "graph", "histogram"])
def test_tokens_and_their_tokenizer(name: str) -> None:
    tokens = nfgen.TokenSet.load(STORED / name)
    tokenizer = registry.load(STORED / name / "tokenizer")
    decoded = evaluate(tokenizer.decoded_spec, tokenizer.decode(tokens.tokens), POINTS)
    torch.testing.assert_close(decoded, torch.tensor(EXPECTED[f"{name}_decoded"]), **ROUNDING)
    fields = nfgen.FieldSet.load(STORED / "fields")
    encoded = tokenizer.encode(fields.weights, fields.spec)
    # A latent may lie so near the border of two codes that rounding decides.
    assert (encoded == tokens.tokens).double().mean() >= 0.9


def test_a_run() -> None:
    run = nfgen.Run.load(STORED / "run")
    drawn = sample(run.model, 2, seed=5)
    assert drawn.tolist() == EXPECTED["run_samples"]
    assert run.tokenizer.decode(drawn).isfinite().all()


def test_samples() -> None:
    (first, second) = read_list(STORED / "samples")
    assert (first["seed"], second["index"]) == (3, 1)
    assert all(len(mesh.faces) for mesh in read_meshes(STORED / "samples"))
