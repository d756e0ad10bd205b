"""Quantizers look up what they quantised; use of a codebook, and its collapse."""

import pytest
import torch
from torch import Tensor

from nfgen.fields.field_set import FieldSet
from nfgen.tokenizers.vq.quantizers import Quantizer, create_quantizer, usage
from nfgen.tokenizers.vq.tokenizer import VQTokenizer

from .fitted_fields import KINDS, QUICK


def test_a_collapsed_codebook_is_named_with_its_remedy(fields: FieldSet, monkeypatch: pytest.MonkeyPatch) -> None:
    def constant(self: Quantizer, latents: Tensor) -> object:
        return original(self, latents * 0)

    quantizer = type(create_quantizer("fsq", 1, (8, 5), 16))
    original = quantizer.forward
    monkeypatch.setattr(quantizer, "forward", constant)
    with pytest.warns(UserWarning, match=r"collapsed.*use quantizer fsq"):
        VQTokenizer(**{**QUICK, "steps": 1}).fit(fields)


@pytest.mark.parametrize("kind", KINDS)
def test_a_quantizer_looks_up_what_it_quantised(kind: str) -> None:
    torch.manual_seed(0)
    quantizer = create_quantizer(kind, 2, (8, 5), 16)  # type: ignore[arg-type]  # a plain str is one of the kinds
    latents = torch.randn(8, 4, quantizer.width)
    quantizer(latents)  # learned codebooks start from their first batch
    quantised = quantizer.eval()(latents)
    assert quantised.indices.shape == (8, 4, 2)
    torch.testing.assert_close(quantizer.lookup(quantised.indices), quantised.latents)
    nearest = quantizer.nearest(quantised.latents)
    if kind != "rvq":  # which goes slot by slot, and may find others
        torch.testing.assert_close(quantizer.lookup(nearest), quantised.latents)
    assert nearest.shape == quantised.indices.shape
    assert 0 <= quantised.indices.min() <= quantised.indices.max() < quantizer.codes


def test_usage_and_perplexity_of_known_tokens() -> None:
    share, perplexity = usage(torch.tensor([[0, 1], [0, 1]]), 4)
    assert share == 0.5
    assert perplexity == pytest.approx(2.0)
