"""`gpt`: the cross-entropy transformer over codes, in nanoGPT's shape."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nfgen.errors import ConfigError
from nfgen.models.generation.config import SamplingConfig
from nfgen.models.generation.logits import draw, uniforms
from nfgen.models.nn.heads import OWN_VECTORS_UP_TO, CodeEmbedding, DigitHead, Head, TableHead
from nfgen.tokens.vocabulary import Vocabulary

from .autoregressive import CausalModel
from .base import allowed_ranges
from .config import GPTConfig


class GPT(CausalModel):
    """p(token_i | token_1 … token_{i-1}, class), only over codes that may stand at place i.

    Logits of other codes are never computed, so that no probability is wasted on them and every sample decodes.
    """

    name = "gpt"
    Config = GPTConfig
    config: GPTConfig

    def __init__(self, vocabulary: Vocabulary, config: GPTConfig) -> None:
        super().__init__(vocabulary, config)
        self.embedding = CodeEmbedding(vocabulary, config.width)
        self.head = _head(vocabulary, config, self.embedding)
        self.ranges = allowed_ranges(vocabulary)
        self.groups = [
            (low, high, [i for i, other in enumerate(self.ranges) if other == (low, high)])
            for low, high in dict.fromkeys(self.ranges)
        ]
        grouped = [place for _, _, places in self.groups for place in places]
        self.order = sorted(range(len(grouped)), key=grouped.__getitem__)

    @classmethod
    def accepts(cls, vocabulary: Vocabulary) -> bool:
        return not vocabulary.continuous

    @property
    def learning_rate(self) -> float:
        # Best held-out nats a token on 64 codes of a chair, width 128, dropout 0.2: 4.23 by 1e-3, 4.13 by 6e-3, 4.14 by
        # 12e-3. Wider layers want smaller steps (muP, https://arxiv.org/abs/2203.03466).
        return 6e-3 * min(1.0, 128 / self.config.width)

    def embed(self, tokens: Tensor) -> Float[Tensor, "b t c"]:
        embedded: Tensor = self.embedding(tokens)
        return embedded

    def token_losses(self, tokens: Int[Tensor, "b t"], labels: Int[Tensor, "b"]) -> Float[Tensor, "b t"]:
        """Nats of each token given those before it; smoothed in training."""
        hidden = self.hidden(tokens, labels)
        smoothing = self.config.label_smoothing if self.training else 0.0
        parts = []
        for low, high, places in self.groups:
            every = len(self.groups) == 1
            read, targets = (hidden, tokens) if every else (hidden[:, places], tokens[:, places])
            losses = self.head.losses(read.flatten(0, 1), targets.flatten(), low, high, smoothing)
            parts.append(losses.view(targets.shape))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)[:, self.order]

    def loss(self, tokens: Tensor, labels: Int[Tensor, "b"]) -> Float[Tensor, ""]:
        """Mean nats a token (cross-entropy)."""
        return self.token_losses(tokens, labels).mean()

    def logits(self, tokens: Int[Tensor, "b t"], labels: Int[Tensor, "b"]) -> list[Float[Tensor, "b codes"]]:
        """For each place, logits of the codes allowed there, given all tokens before it; computed without a cache."""
        hidden, read = self.hidden(tokens, labels), self.head.readout()
        return [read(hidden[:, i], low, high) for i, (low, high) in enumerate(self.ranges)]

    @torch.inference_mode()
    def generate(
        self,
        labels: Int[Tensor, "fields"],
        randoms: list[np.random.Generator],
        settings: SamplingConfig,
        prefix: Tensor | None = None,
        advance: Callable[[], None] | None = None,
        earlier: "GPT | None" = None,
    ) -> Int[Tensor, "fields tokens"]:
        """As any model does; `settings.contrastive_weight` compares with the model of `earlier` weights."""
        count, given = len(labels), 0 if prefix is None else prefix.shape[1]
        numbers = uniforms(randoms, self.vocabulary.length).to(labels.device)
        tokens = labels.new_empty(count, self.vocabulary.length)
        # A weighted sum of logits: its weights add up to 1, so that what each softmax divides by changes nothing.
        models = ((self, 1 + settings.contrastive_weight), (earlier, -settings.contrastive_weight))
        classes = ((labels, settings.guidance), (torch.full_like(labels, -1), 1 - settings.guidance))
        readers = [
            (_Reader(model, of, prefix), share * weight)
            for model, share in models
            for of, weight in classes
            if model is not None and share * weight != 0
        ]
        if prefix is not None:
            tokens[:, :given] = prefix
        for place in range(given, self.vocabulary.length):
            low, high = self.ranges[place]
            logits = torch.stack([weight * reader.logits(low, high) for reader, weight in readers]).sum(0)
            tokens[:, place] = low + draw(logits, numbers[place], settings)
            for reader, _ in readers:
                reader.hear(tokens[:, place : place + 1])
            if advance is not None:
                advance()
        return tokens


class _Reader:
    """A GPT in the middle of a sequence: what it has heard is in its cache."""

    def __init__(self, model: GPT, labels: Int[Tensor, "fields"], prefix: Tensor | None) -> None:
        self.model, self.next = model, model.opening(labels, prefix)
        self.cache, self.read = model.transformer.cache(len(labels)), model.head.readout()

    def logits(self, low: int, high: int) -> Float[Tensor, "fields codes"]:
        return self.read(self.model.transformer(self.next, self.cache)[:, -1], low, high)

    def hear(self, tokens: Int[Tensor, "fields 1"]) -> None:
        self.next = self.model.embed(tokens)


def _head(vocabulary: Vocabulary, config: GPTConfig, embedding: CodeEmbedding) -> Head:
    everywhere = set(allowed_ranges(vocabulary)) == {(0, vocabulary.codes)}
    able = len(vocabulary.levels) > 1 and everywhere
    if config.head == "digits" and not able:
        raise ConfigError(
            "the head cannot go by digits: codes of this vocabulary have no digits, or differ by place", "use head auto"
        )
    if config.head == "digits" or (config.head == "auto" and able and (vocabulary.codes or 0) > OWN_VECTORS_UP_TO):
        return DigitHead(vocabulary, config.width)
    tied = config.head == "tied"
    return TableHead(embedding if tied else CodeEmbedding(vocabulary, config.width), tied)
