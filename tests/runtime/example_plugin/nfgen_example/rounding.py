"""`rounding`: each weight becomes the nearest of evenly spaced values about its own mean."""

from typing import Annotated

from jaxtyping import Float, Int
from pydantic import Field, PositiveFloat
from torch import Tensor

from nfgen import FieldSet, FieldSpec, Tokenizer, Vocabulary
from nfgen.config import Configuration


class RoundingConfig(Configuration):
    """How weights are rounded."""

    codes: Annotated[int, Field(ge=2)] = 64
    """Values that a weight can take."""
    deviations: PositiveFloat = 3.0
    """How far the values reach from the mean, in standard deviations of the weight."""


class RoundingTokenizer(Tokenizer):
    """Each weight becomes the nearest of evenly spaced values about its own mean."""

    name = "rounding"
    Config = RoundingConfig

    def _fit(self, fields: FieldSet) -> None:
        self._mean = fields.weights.mean(0)
        self._step = 2 * self.config.deviations * fields.weights.std(0, correction=0) / (self.config.codes - 1)

    @property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary(length=self.spec.size, codes=self.config.codes, classes=self.classes)

    def encode(
        self, weights: Float[Tensor, "fields weights"], spec: FieldSpec | None = None
    ) -> Int[Tensor, "fields weights"]:
        self._check_weights(weights, spec)
        steps = (weights - self._mean) / self._step.clamp(min=1e-12) + (self.config.codes - 1) / 2
        return steps.round().clamp(0, self.config.codes - 1).long()

    def decode(self, tokens: Int[Tensor, "fields weights"]) -> Float[Tensor, "fields weights"]:
        self._check_tokens(tokens)
        return self._mean + self._step * (tokens - (self.config.codes - 1) / 2)

    def tensors(self) -> dict[str, Tensor]:
        self._check_fitted()
        return {"mean": self._mean, "step": self._step}

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        for key in ("mean", "step"):
            self._require_shape(tensors, key, (self.spec.size,))
        self._mean, self._step = tensors["mean"], tensors["step"]
