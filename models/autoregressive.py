"""What the regression transformer and GPT share: a start vector, embedded tokens, a causal transformer."""

from abc import abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nfgen.models.config import TransformerConfig
from nfgen.models.nn.transformer import Transformer
from nfgen.tokens.vocabulary import Vocabulary

from .base import SequenceModel


class CausalModel(SequenceModel):
    """θ_i from θ_{i-1} … θ_0, and θ_0 from a learned start vector: that of BOS, or of a class.

    The transformer reads `start, token_1 … token_{length-1}` and is asked for `token_1 … token_length`. EOS is certain
    after the last token, hence neither read nor learned.
    """

    config: TransformerConfig

    def __init__(self, vocabulary: Vocabulary, config: TransformerConfig) -> None:
        super().__init__(vocabulary, config)
        self.starts = nn.Embedding(1 + len(vocabulary.classes), config.width)
        nn.init.normal_(self.starts.weight, std=0.02)
        self.transformer = Transformer(config, vocabulary.length)

    @abstractmethod
    def embed(self, tokens: Tensor) -> Float[Tensor, "b t c"]:
        """Vectors of tokens [b, t (, width)]."""

    def hidden(self, tokens: Tensor, labels: Int[Tensor, "b"]) -> Float[Tensor, "b t c"]:
        """What the head reads to predict each of the tokens [b, length (, width)] from those before it."""
        if self.training and self.vocabulary.classes and self.config.class_dropout:
            dropped = torch.rand(labels.shape, device=labels.device) < self.config.class_dropout
            labels = torch.where(dropped, -1, labels)
        first = self.starts(labels + 1)[:, None]
        read = first if tokens.shape[1] == 1 else torch.cat([first, self.embed(tokens[:, :-1])], dim=1)
        hidden: Tensor = self.transformer(read)
        return hidden

    def opening(self, labels: Int[Tensor, "b"], prefix: Tensor | None) -> Float[Tensor, "b t c"]:
        """Start vectors and those of the given first tokens: what generation begins with."""
        first = self.starts(labels + 1)[:, None]
        return first if prefix is None or prefix.shape[1] == 0 else torch.cat([first, self.embed(prefix)], dim=1)

    @property
    def bytes_per_sample(self) -> int:
        return 4 * 2 * self.config.layers * self.config.width * self.vocabulary.length
