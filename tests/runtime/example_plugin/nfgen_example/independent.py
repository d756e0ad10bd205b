"""`independent`: the distribution of codes at each place, whatever stands at the others."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from nfgen import SamplingConfig, Vocabulary
from nfgen.config import Configuration
from nfgen.models.base import SequenceModel
from nfgen.models.generation.logits import draw, uniforms


class IndependentConfig(Configuration):
    """Sizes that every model is given; this one has no use for them."""

    layers: int = 1
    """Not used."""
    width: int = 1
    """Not used."""
    heads: int = 1
    """Not used."""


class IndependentModel(SequenceModel):
    """The distribution of codes at each place, whatever stands at the others."""

    name = "independent"
    Config = IndependentConfig

    def __init__(self, vocabulary: Vocabulary, config: IndependentConfig) -> None:
        super().__init__(vocabulary, config)
        self.logits = nn.Parameter(torch.zeros(vocabulary.length, vocabulary.codes or 0))
        low, high = vocabulary.bounds()
        codes = torch.arange(vocabulary.codes or 0)
        self.register_buffer("forbidden", (codes < low[:, None]) | (codes >= high[:, None]), persistent=False)

    @classmethod
    def accepts(cls, vocabulary: Vocabulary) -> bool:
        return not vocabulary.continuous

    def _masked(self) -> Float[Tensor, "t codes"]:
        return self.logits.masked_fill(self.forbidden, -torch.inf)

    def loss(self, tokens: Int[Tensor, "b t"], labels: Int[Tensor, "b"]) -> Float[Tensor, ""]:
        logits = self._masked().expand(len(tokens), -1, -1)
        return functional.cross_entropy(logits.flatten(0, 1), tokens.flatten())

    @torch.inference_mode()
    def generate(
        self,
        labels: Int[Tensor, "b"],
        randoms: list[np.random.Generator],
        settings: SamplingConfig,
        prefix: Tensor | None = None,
        advance: Callable[[], None] | None = None,
    ) -> Int[Tensor, "b t"]:
        given = 0 if prefix is None else prefix.shape[1]
        tokens = torch.empty(len(labels), self.vocabulary.length, dtype=torch.long)
        if prefix is not None:
            tokens[:, :given] = prefix
        numbers = uniforms(randoms, self.vocabulary.length - given)
        for place in range(given, self.vocabulary.length):
            logits = self._masked()[place].expand(len(labels), -1)
            tokens[:, place] = draw(logits, numbers[place - given], settings)
            if advance is not None:
                advance()
        return tokens
