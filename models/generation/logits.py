"""Drawing a token from logits, with a random generator per sample."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nfgen.errors import NfgenError
from nfgen.runtime.device import CPU, supports, upload

from .config import SamplingConfig


def generators(seed: int, indices: range) -> list[np.random.Generator]:
    """A generator per sample, a function of the seed and the index only (Philox, keyed by both)."""
    return [np.random.Generator(np.random.Philox(key=np.array([seed, i], dtype=np.uint64))) for i in indices]


def uniforms(
    randoms: list[np.random.Generator], count: int, device: torch.device = CPU
) -> Float[Tensor, "count samples"]:
    """`count` numbers in [0, 1) from each generator, float64; on the processor if the device has no float64."""
    numbers = torch.from_numpy(np.stack([random.random(count) for random in randoms], axis=1))
    return upload(numbers, device) if supports(device, torch.float64) else numbers


def draw(
    logits: Float[Tensor, "samples tokens"], uniform: Float[Tensor, "samples"], settings: SamplingConfig
) -> Int[Tensor, "samples"]:
    """Draw one token per sample by inverting the cumulative distribution at `uniform`.

    It takes one random number per token, not one per code. Small changes of the logits rarely change the token. Of
    logits that are not finite it draws any token: to raise here would wait for the device in each step.
    """
    if settings.temperature == 0:
        return logits.argmax(dim=-1)
    if not supports(logits.device, torch.float64):
        return draw(logits.cpu(), uniform, settings).to(logits.device)
    # float64: in float32 a cumulative sum over 65,536 codes loses the rare ones.
    probabilities = torch.softmax(logits.double() / settings.temperature, dim=-1)
    cumulative = _filtered(probabilities, settings).cumsum(dim=-1)
    total = cumulative[:, -1:]
    # Just below the total, so that rounding cannot pick a token of probability 0 after the last possible one.
    target = torch.minimum(uniform[:, None].to(total) * total, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(cumulative, target, right=True)[:, 0].clamp_(max=logits.shape[-1] - 1)


def require_finite(finite: Bool[Tensor, ""]) -> None:
    """Raise NfgenError unless all logits were finite, after the last token."""
    if not finite:
        raise NfgenError("the model gives logits that are not finite", "train it again with a lower learning rate")


def _filtered(probabilities: Tensor, settings: SamplingConfig) -> Tensor:
    """Set the probability of excluded tokens to 0; the most likely one is never excluded."""
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
