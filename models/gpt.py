"""`gpt`: a causal transformer over codes, trained with cross-entropy, after nanoGPT."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nfgen.errors import ConfigError
from nfgen.models.generation.config import SamplingConfig
from nfgen.models.generation.logits import draw, require_finite, uniforms
from nfgen.models.nn.heads import OWN_VECTORS_UP_TO, CodeEmbedding, DigitHead, Head, TableHead
from nfgen.models.nn.orders import Places, eval_orders, raster, sampling_orders, training_orders
from nfgen.runtime.device import CPU, upload
from nfgen.tokens.vocabulary import Vocabulary

from .autoregressive import CausalModel
from .base import allowed_ranges
from .config import GPTConfig


class GPT(CausalModel):
    """p(token_i | token_1 … token_{i-1}, class) over the codes allowed at position i.

    Logits of other codes are never computed: they get no probability, and every sample decodes. With `random_order` the
    tokens before it are those at any other positions, in any order.
    """

    name = "gpt"
    Config = GPTConfig
    config: GPTConfig

    def __init__(self, vocabulary: Vocabulary, config: GPTConfig) -> None:
        super().__init__(vocabulary, config, any_order=config.random_order > 0)
        self.embedding = CodeEmbedding(vocabulary, config.width)
        self.head = _head(vocabulary, config, self.embedding)
        self.ranges = allowed_ranges(vocabulary)
        self.groups = {one: self.ranges.count(one) for one in dict.fromkeys(self.ranges)}
        """Number of positions of each range of codes."""
        groups = list(self.groups)
        grouped = sorted(range(len(self.ranges)), key=lambda position: groups.index(self.ranges[position]))
        ungrouped = sorted(range(len(grouped)), key=grouped.__getitem__)
        # Buffers, as lists would be copied to the device in each pass.
        self.register_buffer("grouped", torch.tensor(grouped), persistent=False)
        self.register_buffer("ungrouped", torch.tensor(ungrouped), persistent=False)
        self.grouped: Tensor
        self.ungrouped: Tensor
        self.group_of = torch.tensor([groups.index(one) for one in self.ranges], device=CPU)

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

    @property
    def any_order(self) -> bool:
        """Whether it predicts tokens in any order of their positions."""
        return self.config.random_order > 0

    def states(
        self, tokens: Int[Tensor, "b t"], labels: Int[Tensor, "b"], orders: Int[Tensor, "b t"] | None
    ) -> Float[Tensor, "b t c"]:
        """Hidden states that predict the token of each position from those before it in its order; None = raster."""
        if orders is None:
            if not self.any_order:
                return self.hidden(tokens, labels)
            orders = raster(len(tokens), tokens.shape[1], tokens.device)
        hidden = self.hidden(tokens.gather(1, orders), labels, Places.of(orders))
        return hidden.take_along_dim(orders.argsort(dim=1)[..., None], dim=1)

    def token_losses(
        self, tokens: Int[Tensor, "b t"], labels: Int[Tensor, "b"], orders: Int[Tensor, "b t"] | None = None
    ) -> Float[Tensor, "b t"]:
        """Cross-entropy in nats of each token given those before it; with label smoothing in training.

        Args:
            orders: of the positions, for each sequence; None = raster.
        """
        hidden = self.states(tokens, labels, orders)
        smoothing = self.config.label_smoothing if self.training else 0.0
        parts = []
        every = len(self.groups) == 1
        for (low, high), positions in zip(self.groups, self.grouped.split(list(self.groups.values())), strict=True):
            inputs, targets = (hidden, tokens) if every else (hidden[:, positions], tokens[:, positions])
            losses = self.head.losses(inputs.flatten(0, 1), targets.flatten(), low, high, smoothing)
            parts.append(losses.view(targets.shape))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)[:, self.ungrouped]

    def loss(self, tokens: Tensor, labels: Int[Tensor, "b"]) -> Float[Tensor, ""]:
        """Mean cross-entropy in nats per token. With `random_order`, of an order for each sequence in training; in eval
        mode of the same few for all, so that parts of a batch have the loss of the whole."""
        share, (count, length) = self.config.random_order, tokens.shape
        if not share:
            return self.token_losses(tokens, labels).mean()
        if self.training:
            return self.token_losses(tokens, labels, training_orders(count, length, share, tokens.device)).mean()
        losses = [
            weight * self.token_losses(tokens, labels, order.to(tokens.device).expand(count, -1)).mean()
            for order, weight in eval_orders(length, share)
        ]
        return torch.stack(losses).sum()

    def logits(
        self, tokens: Int[Tensor, "b t"], labels: Int[Tensor, "b"], orders: Int[Tensor, "b t"] | None = None
    ) -> list[Float[Tensor, "b codes"]]:
        """For each position, logits of the codes allowed there given all tokens before it; computed without a cache."""
        hidden, logits = self.states(tokens, labels, orders), self.head.logits_fn()
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
        given: Int[Tensor, "fields tokens"] | None = None,
    ) -> Int[Tensor, "fields tokens"]:
        """As in `SequenceModel.generate`; `settings.contrastive_weight` contrasts this model with `reference_model`.

        Args:
            given: tokens of any positions, -1 where one is to be drawn; instead of a prefix, with `random_order`.
        """
        (count,), length = labels.shape, self.vocabulary.length
        numbers = uniforms(randoms, length, labels.device)
        tokens = labels.new_full((count, length), -1) if given is None else given.clone()
        if prefix is not None:
            tokens[:, : prefix.shape[1]] = prefix
        orders = sampling_orders(randoms, tokens, self.any_order and settings.order != "raster")
        places = Places.of(orders) if self.any_order else None
        groups = self.group_of[orders.cpu()]
        first = int((tokens >= 0).sum(dim=1).amin()) if count else 0
        start = tokens.gather(1, orders[:, :first])
        # A weighted sum of logits. The weights sum to 1, so the normalisation of each softmax cancels.
        models = ((self, 1 + settings.contrastive_weight), (reference_model, -settings.contrastive_weight))
        classes = ((labels, settings.guidance), (torch.full_like(labels, -1), 1 - settings.guidance))
        decoders = [
            (CachedDecoder(model, of, start, places), share * weight)
            for model, share in models
            for of, weight in classes
            if model is not None and share * weight != 0
        ]
        finite = torch.ones((), dtype=torch.bool, device=tokens.device)
        for step in range(first, length):
            hidden = [(decoder.hidden(), decoder.logits_fn, weight) for decoder, weight in decoders]
            here = orders[:, step : step + 1]
            uniform, drawn = numbers.T.gather(1, here.to(numbers.device))[:, 0], torch.empty_like(labels)
            for group in groups[:, step].unique().tolist():
                rows = upload((groups[:, step] == group).nonzero()[:, 0], labels.device)
                low, high = list(self.groups)[group]
                logits = torch.stack([weight * logits_fn(h[rows], low, high) for h, logits_fn, weight in hidden]).sum(0)
                finite &= torch.isfinite(logits.sum())
                drawn[rows] = low + draw(logits, uniform[rows.to(uniform.device)], settings)
            kept = tokens.gather(1, here)
            now = torch.where(kept >= 0, kept, drawn[:, None])
            tokens.scatter_(1, here, now)
            for decoder, _ in decoders:
                decoder.append(now)
            if advance is not None:
                advance()
        require_finite(finite)
        return tokens


class CachedDecoder:
    """Decodes token by token; the keys and values of earlier tokens are in its cache.

    Args:
        start: the first tokens in order.
        places: of all inputs, if they are not in raster order.
    """

    def __init__(
        self,
        model: GPT,
        labels: Int[Tensor, "fields"],
        start: Int[Tensor, "fields given"],
        places: Places | None,
    ) -> None:
        self.model, self.next, self.places = model, model.opening(labels, start), places
        self.cache, self.logits_fn = model.transformer.cache(len(labels)), model.head.logits_fn()

    def hidden(self) -> Float[Tensor, "fields c"]:
        """The hidden state that predicts the next token."""
        start = self.cache.length
        places = None if self.places is None else self.places.part(start, start + self.next.shape[1])
        hidden: Tensor = self.model.transformer(self.next, self.cache, places)
        return hidden[:, -1]

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
