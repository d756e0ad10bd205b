"""Batches as a function of the seed and the step only, so that a resumed run sees the same ones."""

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from nfgen.errors import ConfigError
from nfgen.models.base import check_tokens
from nfgen.tokens.synthetic import Synthetic
from nfgen.tokens.vocabulary import Vocabulary

Augment = Callable[[int], Tensor]
"""New tokens of the training rows for an epoch; a function of the epoch only, so that a resumed run is exact."""

HELDOUT_ROWS = 1024
"""Most held-out rows that are evaluated; their mean has an error of a few thousandths of a nat."""

DIGESTED_AT_ONCE = 16384


class Batches:
    """Training rows in shuffled batches of equal size (give or take one), and the held-out rows.

    Args:
        vocabulary: of the tokens.
        tokens: [N, length (, width)].
        labels: [N], -1 = none.
        heldout: [N], True for rows that are not trained on.
        size: rows per batch.
        seed: seed of the order.
        augment: gives the tokens of the training rows for each epoch; None = always `tokens`.
        synthetic: made-up shapes, to be learned from first.

    Raises:
        ConfigError: if tokens, labels or mask do not fit the vocabulary, or no training rows are left.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        tokens: Tensor,
        labels: Int[Tensor, "fields"],
        heldout: Bool[Tensor, "fields"],
        size: int,
        seed: int,
        augment: Augment | None = None,
        synthetic: Synthetic | None = None,
    ) -> None:
        check_tokens(vocabulary, tokens, labels)
        if heldout.shape != labels.shape or heldout.dtype != torch.bool:
            raise ConfigError(
                f"heldout of shape {tuple(heldout.shape)} is not one boolean for each of {len(labels)} rows",
                "give a bool mask",
            )
        self.vocabulary, self.seed, self.augment = vocabulary, seed, augment
        self.tokens, self.labels = tokens[~heldout], labels[~heldout]
        evaluated = heldout.nonzero()[:HELDOUT_ROWS, 0]
        self.heldout_tokens, self.heldout_labels = tokens[evaluated], labels[evaluated]
        if not vocabulary.continuous:
            self.heldout_tokens = self.heldout_tokens.long()
        if not len(self.tokens):
            raise ConfigError("there are no training rows", "hold out fewer fields, or give more")
        self.per_epoch = math.ceil(len(self.tokens) / size)
        self.before: list[Batches] = []
        """What is learned before: all made-up shapes, then the half of them that is most like the real ones. A model
        that went from solids to chairs at once would draw a vase now and then."""
        if synthetic is not None:
            made_up, of = synthetic
            none = torch.zeros(len(made_up), dtype=torch.bool)
            for first in (0, len(made_up) // 2):
                self.before.append(Batches(vocabulary, made_up[first:], of[first:], none[first:], size, seed))
        self._epoch = -1
        self._shuffled = -1, torch.empty(0, dtype=torch.int64)
        self._augmented = self.tokens

    def stage(self, done: float, before: float) -> "Batches":
        """What is learned from at a share of the training, of which a share goes to what is learned before."""
        if not self.before or done >= before:
            return self
        return self.before[int(done / before * len(self.before))]

    def at(self, step: int) -> tuple[Tensor, Int[Tensor, "batch"]]:
        """Tokens and labels of a step."""
        epoch, index = divmod(step, self.per_epoch)
        if self.augment is not None and epoch != self._epoch:
            self._augmented, self._epoch = self._checked(self.augment(epoch)), epoch
        size, larger = divmod(len(self.tokens), self.per_epoch)
        start = index * size + min(index, larger)
        rows = self._order(epoch)[start : start + size + (index < larger)]
        tokens = self._augmented[rows]
        # Stored ids are int32; int64 for all rows would take twice the memory.
        return tokens if self.vocabulary.continuous else tokens.long(), self.labels[rows]

    def _order(self, epoch: int) -> Int[Tensor, "rows"]:
        if epoch != self._shuffled[0]:
            # Once per epoch: for a million rows it takes longer than a small step.
            generator = torch.Generator().manual_seed(mixed(self.seed, epoch))
            self._shuffled = epoch, torch.randperm(len(self.tokens), generator=generator)
        return self._shuffled[1]

    def _checked(self, tokens: Tensor) -> Tensor:
        if tokens.shape != self.tokens.shape:
            raise ConfigError(
                f"augmented tokens of shape {tuple(tokens.shape)} do not have the shape of the training rows "
                f"{tuple(self.tokens.shape)}",
                "give one sequence for each training row, in their order",
            )
        check_tokens(self.vocabulary, tokens, self.labels)
        return tokens

    def digest(self) -> str:
        """A hash of the data, by which a resumed run checks that they are the same."""
        digest = hashlib.sha256(b"augmented" if self.augment else b"plain")
        if self.before:
            digest.update(self.before[0].digest().encode())
        for tensor in (self.tokens, self.labels, self.heldout_tokens, self.heldout_labels):
            digest.update(str(tuple(tensor.shape)).encode())
            for part in tensor.split(DIGESTED_AT_ONCE):
                digest.update((part if part.is_floating_point() else part.long()).contiguous().numpy().tobytes())
        return digest.hexdigest()


def parts(tokens: Tensor, labels: Int[Tensor, "fields"], size: int) -> Iterator[tuple[Tensor, Int[Tensor, "part"]]]:
    """Tokens and labels, `size` rows at a time."""
    for start in range(0, len(tokens), size):
        yield tokens[start : start + size], labels[start : start + size]


@dataclass(frozen=True)
class Pass:
    """Rows of a batch that go through the model together."""

    tokens: Tensor
    labels: Int[Tensor, "rows"]
    first: int
    """Index of its first row in the batch."""
    share: float
    """Its share of the batch's rows."""
    last: bool
    """Whether it is the last pass of its process."""


def passes(
    tokens: Tensor, labels: Int[Tensor, "fields"], rows: int, at_least: int = 1, rank: int = 0, count: int = 1
) -> list[Pass]:
    """Split a batch into passes of equal size (except the last); returns those of one of several processes.

    Each process gets the same number of passes, as processes synchronise in each. A pass without rows repeats the first
    row with a share of 0. All processes together make the same passes as a single one that makes as many.

    Args:
        tokens: tokens of the whole batch.
        labels: labels of the whole batch.
        rows: most rows of a pass.
        at_least: least number of passes of each process, if there are enough rows.
        rank: number of the process.
        count: number of processes.
    """
    size = math.ceil(len(tokens) / (count * max(at_least, math.ceil(len(tokens) / (count * rows)))))
    each = math.ceil(math.ceil(len(tokens) / size) / count)
    found: list[Pass] = []
    for index in range(rank * each, (rank + 1) * each):
        first = index * size
        none_left = first >= len(tokens)
        some = slice(1) if none_left else slice(first, first + size)
        share = 0.0 if none_left else len(tokens[some]) / len(tokens)
        found.append(Pass(tokens[some], labels[some], first, share, len(found) == each - 1))
    return found


def mixed(seed: int, count: int) -> int:
    """A seed from two numbers. Torch's CPU generator uses the lower 32 bits, over which the odd factors spread them."""
    return (seed * 0x9E3779B1 + count * 0x85EBCA6B) % (1 << 32)
