"""The base of the regression transformer and of GPT: start embedding, token embedding, causal transformer."""

from abc import abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nfgen.models.config import TransformerConfig
from nfgen.models.nn.orders import Places
from nfgen.models.nn.transformer import Transformer
from nfgen.tokens.vocabulary import Vocabulary

from .base import SequenceModel


class CausalModel(SequenceModel):
    """Predicts θ_i from θ_{i-1} … θ_0, and θ_0 from a learned start embedding: that of BOS, or of a class.

    The input is `start, token_1 … token_{length-1}`, the targets are `token_1 … token_length`. EOS always follows the
    last token, so it is neither an input nor a target.
    """

    config: TransformerConfig

    def __init__(self, vocabulary: Vocabulary, config: TransformerConfig, *, any_order: bool = False) -> None:
        super().__init__(vocabulary, config)
        self.start_embedding = nn.Embedding(1 + len(vocabulary.classes), config.width)
        nn.init.normal_(self.start_embedding.weight, std=0.02)
        self.transformer = Transformer(config, vocabulary.length, any_order=any_order)

    @abstractmethod
    def embed(self, tokens: Tensor) -> Float[Tensor, "b t c"]:
        """Embed tokens [b, t (, width)]."""

    def hidden(self, tokens: Tensor, labels: Int[Tensor, "b"], places: Places | None = None) -> Float[Tensor, "b t c"]:
        """Hidden states that predict each of the tokens [b, length (, width)] from those before it; `places` if the
        tokens are not in raster order."""
        first = self.start_embedding(self.some_dropped(labels, self.config.class_dropout) + 1)[:, None]
        inputs = first if tokens.shape[1] == 1 else torch.cat([first, self.embed(tokens[:, :-1])], dim=1)
        hidden: Tensor = self.transformer(inputs, places=places)
        return hidden

    def opening(self, labels: Int[Tensor, "b"], prefix: Tensor | None) -> Float[Tensor, "b t c"]:
        """Embeddings of the start and of the prefix, from which generation goes on."""
        first = self.start_embedding(labels + 1)[:, None]
        return first if prefix is None or prefix.shape[1] == 0 else torch.cat([first, self.embed(prefix)], dim=1)

    @property
    def bytes_per_sample(self) -> int:
        return 4 * 2 * self.config.layers * self.config.width * self.vocabulary.length
