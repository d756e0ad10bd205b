"""Drawing one token from logits, and the randomness that each sample has to itself."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nfgen.errors import NfgenError

from .config import SamplingConfig


def generators(seed: int, indices: range) -> list[np.random.Generator]:
    """A generator for each sample that depends on the seed and its index alone (Philox, keyed by both)."""
    return [np.random.Generator(np.random.Philox(key=np.array([seed, i], dtype=np.uint64))) for i in indices]


def uniforms(randoms: list[np.random.Generator], count: int) -> Float[Tensor, "count samples"]:
    """`count` numbers in [0, 1) from each generator, float64."""
    return torch.from_numpy(np.stack([random.random(count) for random in randoms], axis=1))


def draw(
    logits: Float[Tensor, "samples tokens"], uniform: Float[Tensor, "samples"], settings: SamplingConfig
) -> Int[Tensor, "samples"]:
    """Draw one token a sample by inverting the cumulative distribution at `uniform`.

    One number a token, not one a code, and the same number gives nearly the same token under nearly the same logits.
    """
    if settings.temperature == 0:
        return logits.argmax(dim=-1)
    # float64: a cumulative sum over 65,536 codes in float32 loses the rare ones.
    probabilities = torch.softmax(logits.double() / settings.temperature, dim=-1)
    if probabilities.isnan().any():
        raise NfgenError("the model gives logits that are not finite", "train it again, at a lower learning rate")
    cumulative = _filtered(probabilities, settings).cumsum(dim=-1)
    total = cumulative[:, -1:]
    # Just below the total, lest rounding picks a token of probability 0 behind the last possible one.
    target = torch.minimum(uniform[:, None].to(total) * total, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(cumulative, target, right=True)[:, 0]


def _filtered(probabilities: Tensor, settings: SamplingConfig) -> Tensor:
    """Put tokens that the settings exclude to probability 0; the likeliest one always stays."""
    if settings.top_k is not None and settings.top_k < probabilities.shape[-1]:
        kept = probabilities.topk(settings.top_k, dim=-1).indices
        probabilities = torch.zeros_like(probabilities).scatter(-1, kept, probabilities.gather(-1, kept))
    if settings.top_p < 1:
        descending, order = probabilities.sort(dim=-1, descending=True, stable=True)
        before = descending.cumsum(dim=-1) - descending
        surplus = before >= settings.top_p * descending.sum(dim=-1, keepdim=True)
        probabilities = probabilities.masked_fill(torch.zeros_like(surplus).scatter(-1, order, surplus), 0)
    if settings.min_p > 0:
        floor = settings.min_p * probabilities.amax(dim=-1, keepdim=True)
        probabilities = probabilities.masked_fill(probabilities < floor, 0)
    return probabilities
