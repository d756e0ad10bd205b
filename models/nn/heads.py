"""Embedding of codes and output heads, plain or over the digits of mixed-radix codes (FSQ).

An FSQ code (https://arxiv.org/abs/2309.15505) is a number of several digits, first digit fastest. Codes with common
digits have similar meanings, so here they share weights.
"""

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from nfgen.tokens.vocabulary import Vocabulary, digits

OWN_VECTORS_UP_TO = 4096
"""Number of codes up to which each has its own vector beside those of its digits; in larger sets most are too rare."""

LogitsFn = Callable[[Tensor, int, int], Tensor]
"""(hidden [n, c], low, high) -> logits [n, high - low] of the codes low … high - 1."""


class CodeEmbedding(nn.Module):
    """Embeds each code: its own vector, plus those of its digits if codes have digits."""

    def __init__(self, vocabulary: Vocabulary, width: int) -> None:
        super().__init__()
        codes, self.levels = vocabulary.codes or 0, vocabulary.levels
        self.factored = len(self.levels) > 1
        self.plain = codes - math.prod(self.levels) if self.factored else codes
        self.own = nn.Embedding(codes, width) if self.plain or codes <= OWN_VECTORS_UP_TO else None
        # The last vector is zero padding, for codes without digits.
        self.digits = nn.Embedding(sum(self.levels) + 1, width) if self.factored else None
        for table in (self.own, self.digits):
            if table is not None:
                nn.init.normal_(table.weight, std=0.02)

    def forward(self, codes: Int[Tensor, "*n"]) -> Float[Tensor, "*n c"]:
        if self.digits is None:
            assert self.own is not None
            plain: Tensor = self.own(codes)
            return plain
        summed = self._summed(self._rows()[codes.flatten()]).view(*codes.shape, -1)
        return summed if self.own is None else summed + self.own(codes)

    def table(self) -> Float[Tensor, "codes c"]:
        """The vectors of all codes."""
        if self.digits is None:
            assert self.own is not None
            return self.own.weight
        summed = self._summed(self._rows())
        return summed if self.own is None else summed + self.own.weight

    def _rows(self) -> Int[Tensor, "codes digits"]:
        assert self.digits is not None
        return digit_rows(self.levels, self.plain, self.digits.weight.device)

    def _summed(self, rows: Int[Tensor, "n digits"]) -> Float[Tensor, "n c"]:
        assert self.digits is not None
        return F.embedding_bag(rows, self.digits.weight, mode="sum", padding_idx=len(self.digits.weight) - 1)


class Head(nn.Module, ABC):
    """Predicts the distribution of the next code from a hidden state."""

    @abstractmethod
    def losses(self, hidden: Tensor, targets: Tensor, low: int, high: int, smoothing: float) -> Float[Tensor, "n"]:
        """Cross-entropy in nats of targets in low … high - 1 given hidden [n, c]; smoothing as in arXiv 1512.00567."""

    @abstractmethod
    def logits_fn(self) -> LogitsFn:
        """A function from hidden states to logits; what does not depend on the hidden states is computed once, here."""


class TableHead(Head):
    """Logits are products of the hidden state with a vector of each code, which may be that of the embedding.

    Args:
        embedding: holds the vectors.
        tied: whether the embedding belongs to another module, which then trains and saves it.
    """

    def __init__(self, embedding: CodeEmbedding, tied: bool) -> None:
        super().__init__()
        self.embedding = None if tied else embedding
        # The tuple hides the module from torch: tied weights must not be saved twice.
        self._vectors = (embedding,)

    def losses(self, hidden: Tensor, targets: Tensor, low: int, high: int, smoothing: float) -> Float[Tensor, "n"]:
        logits = self.logits_fn()(hidden, low, high).float()
        return F.cross_entropy(logits, targets - low, reduction="none", label_smoothing=smoothing)

    def logits_fn(self) -> LogitsFn:
        table = self._vectors[0].table()
        return lambda hidden, low, high: F.linear(hidden, table[low:high])


class DigitHead(Head):
    """Predicts digit by digit, each given the digits before it: exact, and cheap for any number of codes.

    p(code | h) = Π_k p(digit_k | h, digit_1 … digit_{k-1}), with logits_k = W_k silu(U_k h + Σ_{j<k} E_kj[digit_j]).
    """

    def __init__(self, vocabulary: Vocabulary, width: int) -> None:
        super().__init__()
        self.levels = vocabulary.levels
        inner = min(width, 128)  # enough, as digits have few values
        self.in_proj = nn.ModuleList(nn.Linear(width, inner) for _ in self.levels)
        self.digit_embedding = nn.ModuleList(nn.Embedding(sum(self.levels), inner) for _ in self.levels)
        self.out_proj = nn.ModuleList(nn.Linear(inner, level) for level in self.levels)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)

    def _digit_sums(self, k: int, rows: Tensor) -> Tensor:
        """Σ_{j<k} E_kj[digit_j] for codes with the digits `rows`."""
        weight = self.digit_embedding.get_parameter(f"{k}.weight")
        if k == 0:
            return weight.new_zeros(1, weight.shape[1])
        return F.embedding_bag(rows[:, :k].contiguous(), weight, mode="sum")

    def losses(self, hidden: Tensor, targets: Tensor, low: int, high: int, smoothing: float) -> Float[Tensor, "n"]:
        rows = digit_rows(self.levels, 0, hidden.device)[targets]
        total = torch.zeros(len(hidden), device=hidden.device)
        offset = 0
        for k, level in enumerate(self.levels):
            logits = self.out_proj[k](F.silu(self.in_proj[k](hidden) + self._digit_sums(k, rows))).float()
            total = total + F.cross_entropy(logits, rows[:, k] - offset, reduction="none", label_smoothing=smoothing)
            offset += level
        return total

    def logits_fn(self) -> LogitsFn:
        rows = digit_rows(self.levels, 0, self.out_proj[0].weight.device)
        digit_sums, prefixes = [], 1
        for k, level in enumerate(self.levels):
            digit_sums.append(self._digit_sums(k, rows[:prefixes]))
            prefixes *= level

        def logits(hidden: Tensor, low: int, high: int) -> Tensor:
            joint = hidden.new_zeros(len(hidden), 1)
            for k in range(len(self.levels)):
                inner = F.silu(self.in_proj[k](hidden)[:, None] + digit_sums[k])
                # [n, prefixes, level] to [n, level, prefixes]: earlier digits are the faster ones.
                conditional = self.out_proj[k](inner).log_softmax(dim=-1).transpose(1, 2)
                joint = (conditional + joint[:, None]).flatten(1)
            return joint[:, low:high]

        return logits


@functools.cache
@torch.inference_mode(mode=False)  # or what is kept could not be trained with later
def digit_rows(levels: tuple[int, ...], plain: int, device: torch.device) -> Int[Tensor, "codes digits"]:
    """Rows of each code's digits in an embedding table of all values of the first digit, then of the second …; the last
    `plain` codes, which have no digits, get the row after these."""
    offsets = torch.tensor([sum(levels[:k]) for k in range(len(levels))])
    rows = digits(torch.arange(math.prod(levels)), levels) + offsets
    return torch.cat([rows, torch.full((plain, len(levels)), sum(levels))]).to(device)
