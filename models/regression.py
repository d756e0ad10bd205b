"""`regression`: a causal transformer over continuous tokens, trained with the L1 loss."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nfgen.models.generation.config import SamplingConfig
from nfgen.models.nn.transformer import learning_rate_at
from nfgen.tokens.vocabulary import Vocabulary

from .autoregressive import CausalModel
from .config import RegressionConfig


class RegressionTransformer(CausalModel):
    """θ_i = Transformer(θ_{i-1} … θ_0): an MLP embeds the numbers, a linear layer predicts the next ones.

    It predicts one value, not a distribution. Generation is therefore **deterministic**: a start (BOS, a class, or a
    prefix) always gives the same field, near the median of the training fields. Use `gpt` for varied samples.
    """

    name = "regression"
    Config = RegressionConfig
    config: RegressionConfig
    # bfloat16 has three significant digits: over a generated sequence the rounding error grows too large.
    low_precision = False

    def __init__(self, vocabulary: Vocabulary, config: RegressionConfig) -> None:
        super().__init__(vocabulary, config)
        width = config.width
        self.embedding = nn.Sequential(nn.Linear(vocabulary.width, width), nn.GELU(), nn.Linear(width, width))
        self.head = nn.Linear(width, vocabulary.width)

    @classmethod
    def accepts(cls, vocabulary: Vocabulary) -> bool:
        return vocabulary.continuous

    @property
    def learning_rate(self) -> float:
        return learning_rate_at(self.config.width)

    def embed(self, tokens: Tensor) -> Float[Tensor, "b t c"]:
        if self.training and self.config.input_noise:
            tokens = tokens + self.config.input_noise * torch.randn_like(tokens)
        embedded: Tensor = self.embedding(tokens)
        return embedded

    def loss(self, tokens: Float[Tensor, "b t w"], labels: Int[Tensor, "b"]) -> Float[Tensor, ""]:
        """Mean absolute error of the predicted numbers (L1)."""
        predicted: Tensor = self.head(self.hidden(tokens, labels))
        return (predicted - tokens).abs().mean()

    @torch.inference_mode()
    def generate(
        self,
        labels: Int[Tensor, "fields"],
        randoms: list[np.random.Generator],
        settings: SamplingConfig,
        prefix: Tensor | None = None,
        advance: Callable[[], None] | None = None,
    ) -> Float[Tensor, "fields tokens width"]:
        """The field that follows from each start; `randoms` and `settings` are not used."""
        given = 0 if prefix is None else prefix.shape[1]
        tokens = torch.empty(len(labels), self.vocabulary.length, self.vocabulary.width, device=labels.device)
        if prefix is not None:
            tokens[:, :given] = prefix
        x, cache = self.opening(labels, prefix), self.transformer.cache(len(labels))
        for position in range(given, self.vocabulary.length):
            tokens[:, position] = self.head(self.transformer(x, cache)[:, -1])
            x = self.embed(tokens[:, position : position + 1])
            if advance is not None:
                advance()
        return tokens
