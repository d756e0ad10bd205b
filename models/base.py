"""The base of every model: a loss over token sequences, and a way to generate them."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nfgen.config import Configuration
from nfgen.errors import ConfigError
from nfgen.models.generation.config import SamplingConfig
from nfgen.runtime.device import CPU, upload
from nfgen.tokens.vocabulary import Vocabulary

OF_CLASSES = ("start_embedding.weight",)
"""Weights with a row for any class, and one for each class."""


class SequenceModel(nn.Module, ABC):
    """A model of token sequences of one vocabulary.

    A subclass names itself and its `Config`, and implements `accepts`, `loss` and `generate`. Tokens are int64
    [N, length], or float32 [N, length, width] if the vocabulary is continuous; labels are int64 [N], -1 = none.

    Attributes:
        vocabulary: the tokens and the positions at which each is allowed.
        config: the settings.
    """

    name: ClassVar[str]
    Config: ClassVar[type[Configuration]]
    low_precision: ClassVar[bool] = True
    """Whether the model trains in bfloat16 without loss of quality."""

    def __init__(self, vocabulary: Vocabulary, config: Configuration) -> None:
        super().__init__()
        if not self.accepts(vocabulary):
            kind = "continuous" if vocabulary.continuous else "discrete"
            raise ConfigError(
                f"the {self.name} model does not support {kind} tokens",
                "leave --model out to use the model that suits the tokenizer",
            )
        self.vocabulary, self.config = vocabulary, config

    @classmethod
    @abstractmethod
    def accepts(cls, vocabulary: Vocabulary) -> bool:
        """Whether the model supports vocabularies of this kind."""

    def begin_with(self, other: "SequenceModel") -> None:
        """Take the weights of another model of the same kind and size, such as one trained on more shapes.

        Classes go by their names; one that the other does not know begins as its "any class".

        Raises:
            ConfigError: if it is of another kind or size, or of other tokens.
        """
        same = self.vocabulary.replace(classes=()) == other.vocabulary.replace(classes=())
        if type(self) is not type(other) or not same:
            raise ConfigError(
                f"a {other.name} model of other tokens cannot be begun with",
                "tokenize the fields with the tokenizer of that run",
            )
        weights, own, known = other.state_dict(), self.state_dict(), other.vocabulary.classes
        rows = [0, *(1 + known.index(one) if one in known else 0 for one in self.vocabulary.classes)]
        weights = {key: value[rows] if key in OF_CLASSES else value for key, value in weights.items()}
        wrong = [key for key in own if key not in weights or own[key].shape != weights[key].shape]
        if wrong or len(own) != len(weights):
            raise ConfigError("the model to begin with has another size", "leave its size and its parts as they are")
        self.load_state_dict(weights)

    def prepare(self, tokens: Tensor) -> None:
        """Compute statistics of the training tokens, once, before training; nothing by default."""

    def some_dropped(self, labels: Int[Tensor, "fields"], share: float) -> Int[Tensor, "fields"]:
        """In training, labels of which a random share is -1; drawn on the CPU, as each device draws in its own way."""
        if not (self.training and self.vocabulary.classes and share):
            return labels
        dropped = upload(torch.rand(labels.shape, device=CPU) < share, labels.device)
        return torch.where(dropped, -1, labels)

    @abstractmethod
    def loss(self, tokens: Tensor, labels: Int[Tensor, "fields"]) -> Float[Tensor, ""]:
        """The training loss, a mean over tokens; in eval mode without dropout and other noise.

        For a discrete vocabulary: nats per token over the `length` codes, EOS excluded.
        """

    @abstractmethod
    def generate(
        self,
        labels: Int[Tensor, "fields"],
        randoms: list[np.random.Generator],
        settings: SamplingConfig,
        prefix: Tensor | None = None,
        advance: Callable[[], None] | None = None,
    ) -> Tensor:
        """New tokens [N, length (, width)], sample i drawn with `randoms[i]` alone.

        Args:
            labels: the class of each sample, -1 = any.
            randoms: a generator for each sample.
            settings: temperature, filters, guidance.
            prefix: given first tokens [N, m (, width)].
            advance: called after each token.
        """

    @property
    def learning_rate(self) -> float:
        """Default peak learning rate for AdamW."""
        return 1e-3

    @property
    def bytes_per_sample(self) -> int:
        """Memory in bytes that generating one sample takes."""
        return 4 * self.vocabulary.length * self.vocabulary.width

    @property
    def parameter_count(self) -> int:
        """Number of learned numbers."""
        return sum(parameter.numel() for parameter in self.parameters())

    def describe(self) -> dict[str, Any]:
        """Name, settings and vocabulary as JSON values, from which the model can be built again."""
        return {"model": self.name, "settings": self.config.to_json(), "vocabulary": self.vocabulary.to_json()}


def check_tokens(vocabulary: Vocabulary, tokens: Tensor, labels: Tensor, length: int | None = None) -> None:
    """Check that tokens and labels are sequences of a vocabulary.

    Args:
        vocabulary: the allowed codes of each position.
        tokens: int64 [N, length], or float [N, length, width] if continuous.
        labels: int64 [N], -1 or an index into the vocabulary's classes.
        length: number of leading tokens in `tokens`; None = all.

    Raises:
        ConfigError: on a wrong shape or type, a code that is not allowed at its position, a number that is not finite,
            or a label that is not a class.
    """
    length = vocabulary.length if length is None else length
    item = (length, vocabulary.width) if vocabulary.continuous else (length,)
    if tuple(tokens.shape[1:]) != item or tokens.is_floating_point() != vocabulary.continuous:
        kind = "numbers" if vocabulary.continuous else "codes"
        raise ConfigError(
            f"tokens of shape {tuple(tokens.shape)} and type {tokens.dtype} are not {kind} of shape [N, "
            f"{', '.join(map(str, item))}]",
            "give what the tokenizer's encode returns",
        )
    if labels.shape != tokens.shape[:1] or labels.is_floating_point():
        raise ConfigError(
            f"labels of shape {tuple(labels.shape)} are not one integer for each of {len(tokens)} sequences",
            "give -1 for a sequence without a class",
        )
    classes = len(vocabulary.classes)
    if len(labels) and not -1 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ConfigError(
            f"labels lie in {int(labels.min())} … {int(labels.max())}, but there are {classes} classes",
            "use -1 for none, and the index of the class otherwise",
        )
    if vocabulary.continuous:
        if not torch.isfinite(tokens).all():
            raise ConfigError("tokens hold numbers that are not finite", "fit the fields again")
        return
    low, high = torch.tensor(allowed_ranges(vocabulary)[:length]).reshape(-1, 2).to(tokens.device).T
    wrong = ((tokens < low) | (tokens >= high)).nonzero()
    if len(wrong):
        row, position = wrong[0].tolist()
        raise ConfigError(
            f"token {int(tokens[row, position])} of sequence {row} is not allowed at position {position}",
            "tokenize the fields with the tokenizer of this vocabulary",
        )


def allowed_ranges(vocabulary: Vocabulary) -> list[tuple[int, int]]:
    """Range [low, high) of the codes allowed at each of the `length` positions of a discrete vocabulary."""
    low, high = vocabulary.bounds()
    return list(zip(low.tolist(), high.tolist(), strict=True))
