"""`identity`: the weights themselves as continuous tokens, normalised."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from nfgen.configuration import Configuration, require
from nfgen.field_set import FieldSet
from nfgen.spec import FieldSpec
from nfgen.vocabulary import Vocabulary

from .base import Tokenizer
from .target import Target, origin
from .units import Unit, Units, tensor_slices

SMALLEST_SCALE = 2.0**-10  # of the mean spread: a weight that never moved in training must not become a huge token


@dataclass(frozen=True)
class IdentityConfig(Configuration):
    """How weights become continuous tokens."""

    target: Target = "delta"
    """Tokenise weights, or their delta from the base (weights where there is no base)."""
    normalise: Literal["entry", "tensor", "none"] = "entry"
    """Mean 0 and spread near 1 for each weight, for each tensor of the field, or not at all."""
    unit: Unit = "row"
    """One token a single weight (scalar), a chunk of flat weights, or a neuron's row (its weights and bias)."""
    chunk: int = 32
    """Weights of one token where the unit is a chunk."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.chunk > 0, "chunk", "must be positive", self.chunk)


class IdentityTokenizer(Tokenizer):
    """Continuous tokens `(w - offset) / scale`, cut into units.

    Scales are powers of two, so that the only roundings are those of the subtraction and of the addition that undoes it:
    `|decode(encode(w)) - w| <= 2^-23 (|w| + |offset|)`, and equality where the offset is zero (`target="weights"`,
    `normalise="none"`).
    """

    name = "identity"
    Config = IdentityConfig

    def _fit(self, fields: FieldSet) -> None:
        start = origin(fields, self.config.target)
        deltas = fields.weights - start
        mean, spread = torch.zeros_like(start), torch.ones_like(start)
        if self.config.normalise == "entry":
            mean, spread = deltas.mean(0), deltas.std(0, correction=0)
        elif self.config.normalise == "tensor":
            for here in tensor_slices(fields.spec):
                mean[here], spread[here] = deltas[:, here].mean(), deltas[:, here].std(correction=0)
        self._set(start + mean, _power_of_two(spread))

    def _set(self, offset: Float[Tensor, "weights"], scale: Float[Tensor, "weights"]) -> None:
        self._units = Units(self.spec, self.config.unit, self.config.chunk)
        self._offset, self._scale = offset, scale

    @property
    def vocabulary(self) -> Vocabulary:
        """Continuous; the classes of the field set."""
        self._check_fitted()
        return Vocabulary(length=self._units.length, width=self._units.width, classes=self.classes)

    def encode(
        self, weights: Float[Tensor, "fields weights"], spec: FieldSpec | None = None
    ) -> Float[Tensor, "fields tokens width"]:
        """Normalised weights [N, length, width]."""
        self._check_weights(weights, spec)
        return self._units.split((weights - self._offset) / self._scale)

    def decode(self, tokens: Float[Tensor, "fields tokens width"]) -> Float[Tensor, "fields weights"]:
        """Weights [N, P]; what stands in the padding is dropped."""
        self._check_tokens(tokens)
        return self._units.join(tokens) * self._scale + self._offset

    def tensors(self) -> dict[str, Tensor]:
        """Offset and scale of each weight."""
        self._check_fitted()
        return {"offset": self._offset, "scale": self._scale}

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        for key in ("offset", "scale"):
            self._require_shape(tensors, key, (self.spec.size,))
        self._set(tensors["offset"], tensors["scale"])


def _power_of_two(spread: Float[Tensor, "weights"]) -> Float[Tensor, "weights"]:
    """The power of two nearest to each spread; 1 where nothing varies."""
    typical = spread.square().mean().sqrt()
    if typical == 0:
        return torch.ones_like(spread)
    return torch.exp2(torch.round(torch.log2(spread.clamp(min=typical * SMALLEST_SCALE))))
