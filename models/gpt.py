"""`gpt`: a causal transformer over codes, trained with cross-entropy, after nanoGPT."""

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
    """p(token_i | token_1 … token_{i-1}, class) over the codes allowed at position i.

    Logits of other codes are never computed: they get no probability, and every sample decodes.
    """

    name = "gpt"
    Config = GPTConfig
    config: GPTConfig

    def __init__(self, vocabulary: Vocabulary, config: GPTConfig) -> None:
        super().__init__(vocabulary, config)
        self.embedding = CodeEmbedding(vocabulary, config.width)
        self.head = _head(vocabulary, config, self.embedding)
        self.ranges = allowed_ranges(vocabulary)
        self.groups = {one: self.ranges.count(one) for one in dict.fromkeys(self.ranges)}
        """Number of positions of each range of codes."""
        groups = list(self.groups)
        grouped = sorted(range(len(self.ranges)), key=lambda position: groups.index(self.ranges[position]))
        order = sorted(range(len(grouped)), key=grouped.__getitem__)
        # Buffers, as lists would be copied to the device in each pass.
        self.register_buffer("grouped", torch.tensor(grouped), persistent=False)
        self.register_buffer("order", torch.tensor(order), persistent=False)
        self.grouped: Tensor
        self.order: Tensor

    @classmethod
    def accepts(cls, vocabulary: Vocabulary) -> bool:
        return not vocabulary.continuous

    @property
    def learning_rate(self) -> float:
        # Best held-out nats per token on 64 codes of a chair, width 128, dropout 0.2: 4.23 at 1e-3, 4.13 at 6e-3, 4.14
        # at 12e-3. Wider layers need smaller steps (muP, https://arxiv.org/abs/2203.03466).
        return 6e-3 * min(1.0, 128 / self.config.width)

    def embed(self, tokens: Tensor) -> Float[Tensor, "b t c"]:
        embedded: Tensor = self.embedding(tokens)
        return embedded

    def token_losses(self, tokens: Int[Tensor, "b t"], labels: Int[Tensor, "b"]) -> Float[Tensor, "b t"]:
        """Cross-entropy in nats of each token given those before it; with label smoothing in training."""
        hidden = self.hidden(tokens, labels)
        smoothing = self.config.label_smoothing if self.training else 0.0
        parts = []
        every = len(self.groups) == 1
        for (low, high), positions in zip(self.groups, self.grouped.split(list(self.groups.values())), strict=True):
            inputs, targets = (hidden, tokens) if every else (hidden[:, positions], tokens[:, positions])
            losses = self.head.losses(inputs.flatten(0, 1), targets.flatten(), low, high, smoothing)
            parts.append(losses.view(targets.shape))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)[:, self.order]

    def loss(self, tokens: Tensor, labels: Int[Tensor, "b"]) -> Float[Tensor, ""]:
        """Mean cross-entropy in nats per token."""
        return self.token_losses(tokens, labels).mean()

    def logits(self, tokens: Int[Tensor, "b t"], labels: Int[Tensor, "b"]) -> list[Float[Tensor, "b codes"]]:
        """For each position, logits of the codes allowed there given all tokens before it; computed without a cache."""
        hidden, logits = self.hidden(tokens, labels), self.head.logits_fn()
        return [logits(hidden[:, i], low, high) for i, (low, high) in enumerate(self.ranges)]

    @torch.inference_mode()
    def generate(
        self,
        labels: Int[Tensor, "fields"],
        randoms: list[np.random.Generator],
        settings: SamplingConfig,
        prefix: Tensor | None = None,
        advance: Callable[[], None] | None = None,
        reference_model: "GPT | None" = None,
    ) -> Int[Tensor, "fields tokens"]:
        """As in `SequenceModel.generate`; `settings.contrastive_weight` contrasts this model with `reference_model`."""
        count, given = len(labels), 0 if prefix is None else prefix.shape[1]
        numbers = uniforms(randoms, self.vocabulary.length, labels.device)
        tokens = labels.new_empty(count, self.vocabulary.length)
        # A weighted sum of logits. The weights sum to 1, so the normalisation of each softmax cancels.
        models = ((self, 1 + settings.contrastive_weight), (reference_model, -settings.contrastive_weight))
        classes = ((labels, settings.guidance), (torch.full_like(labels, -1), 1 - settings.guidance))
        decoders = [
            (CachedDecoder(model, of, prefix), share * weight)
            for model, share in models
            for of, weight in classes
            if model is not None and share * weight != 0
        ]
        if prefix is not None:
            tokens[:, :given] = prefix
        for position in range(given, self.vocabulary.length):
            low, high = self.ranges[position]
            logits = torch.stack([weight * decoder.logits(low, high) for decoder, weight in decoders]).sum(0)
            tokens[:, position] = low + draw(logits, numbers[position], settings)
            for decoder, _ in decoders:
                decoder.append(tokens[:, position : position + 1])
            if advance is not None:
                advance()
        return tokens


class CachedDecoder:
    """Decodes token by token; the keys and values of earlier tokens are in its cache."""

    def __init__(self, model: GPT, labels: Int[Tensor, "fields"], prefix: Tensor | None) -> None:
        self.model, self.next = model, model.opening(labels, prefix)
        self.cache, self.logits_fn = model.transformer.cache(len(labels)), model.head.logits_fn()

    def logits(self, low: int, high: int) -> Float[Tensor, "fields codes"]:
        return self.logits_fn(self.model.transformer(self.next, self.cache)[:, -1], low, high)

    def append(self, tokens: Int[Tensor, "fields 1"]) -> None:
        self.next = self.model.embed(tokens)


def _head(vocabulary: Vocabulary, config: GPTConfig, embedding: CodeEmbedding) -> Head:
    everywhere = set(allowed_ranges(vocabulary)) == {(0, vocabulary.codes)}
    has_digits = len(vocabulary.levels) > 1 and everywhere
    if config.head == "digits" and not has_digits:
        raise ConfigError(
            "no head of digits: codes of this vocabulary have no digits, or differ by position", "use head auto"
        )
    if config.head == "digits" or (
        config.head == "auto" and has_digits and (vocabulary.codes or 0) > OWN_VECTORS_UP_TO
    ):
        return DigitHead(vocabulary, config.width)
    tied = config.head == "tied"
    return TableHead(embedding if tied else CodeEmbedding(vocabulary, config.width), tied)
