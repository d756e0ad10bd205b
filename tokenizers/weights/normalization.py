"""Normalisation of weights before tokenization, and its inverse: delta from the base, mean and deviation."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from nfgen.errors import ConfigError
from nfgen.fields.field_set import FieldSet
from nfgen.fields.spec import FieldSpec

from .config import Normalise, Target

SMALLEST_SCALE = 2.0**-6  # of the mean deviation: weights that are equal in all fields must not become huge


def tensor_slices(spec: FieldSpec) -> list[slice]:
    """Slices of flat weights of each weight matrix and each bias."""
    slices = []
    for layer in spec.layers:
        slices.append(slice(layer.start, layer.bias_start))
        if layer.bias:
            slices.append(slice(layer.bias_start, layer.end))
    return slices


@dataclass(frozen=True)
class Scaling:
    """`value = (weight - offset) / scale`.

    `undo(apply(w))` takes four roundings, each of half a unit in the last place of a number no larger than
    |w| + |offset|. So it differs from `w` by at most 2^-22 (|w| + |offset|); it is exact for offset 0 and scale 1.
    """

    offset: Float[Tensor, "weights"]
    scale: Float[Tensor, "weights"]

    @classmethod
    def of(cls, fields: FieldSet, target: Target, normalise: Normalise) -> "Scaling":
        """The scaling of a field set.

        Args:
            target: `delta` from the base (from zero if the set has none), or the `weights` themselves.
            normalise: to mean 0 and deviation 1 each weight (`entry`), each tensor of the field, or nothing.
        """
        start = fields.weights.new_zeros(fields.spec.size)
        if target == "delta" and fields.base is not None:
            start = fields.base.clone()
        deltas = fields.weights - start
        if normalise == "none":
            return cls(start, torch.ones_like(start))
        mean, spread = deltas.mean(0), deltas.std(0, correction=0)
        if normalise == "tensor":
            for here in tensor_slices(fields.spec):
                mean[here], spread[here] = deltas[:, here].mean(), deltas[:, here].std(correction=0)
        return cls(start + mean, _not_too_small(spread))

    def apply(self, weights: Float[Tensor, "fields weights"]) -> Float[Tensor, "fields weights"]:
        """Normalise weights."""
        return (weights - self.offset.to(weights.device)) / self.scale.to(weights.device)

    def undo(self, values: Float[Tensor, "fields weights"]) -> Float[Tensor, "fields weights"]:
        """The inverse of `apply`."""
        return values * self.scale.to(values.device) + self.offset.to(values.device)

    def grid_step(self, values: Tensor, width: int) -> float:
        """Spacing of the grid of codes of `width` numbers, a power of two.

        `apply(undo(code))` has an error of at most e = 2^-22 of the largest intermediate number. Codes that differ by
        2 e (1 + sqrt(width)) or more in one number stay nearest to themselves, so that `encode(decode(t)) == t`.
        """
        largest = float(values.abs().max()) + float((self.offset / self.scale).abs().max())
        return 2.0 ** math.ceil(math.log2(2.0**-21 * (1 + math.sqrt(width)) * (largest or 1.0)))

    def tensors(self) -> dict[str, Tensor]:
        """The state to save."""
        return {"offset": self.offset, "scale": self.scale}

    @classmethod
    def restored(cls, tensors: dict[str, Tensor], spec: FieldSpec) -> "Scaling":
        """Load what `tensors` gave.

        Raises:
            ConfigError: if its size is not that of the spec.
        """
        if any(tensors[key].shape != (spec.size,) for key in ("offset", "scale")):
            raise ConfigError(f"its offset and scale are not those of {spec.size} weights")
        return cls(tensors["offset"], tensors["scale"])


def _not_too_small(spread: Float[Tensor, "weights"]) -> Float[Tensor, "weights"]:
    typical = float(spread.square().mean().sqrt())
    return spread.clamp(min=typical * SMALLEST_SCALE) if typical > 0 else torch.ones_like(spread)
