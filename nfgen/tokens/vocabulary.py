"""The token vocabulary, the only interface between tokenizers and models."""

import math
from typing import Annotated, Self

import torch
from jaxtyping import Bool, Int
from pydantic import Field, model_validator
from torch import Tensor

from nfgen.config import Configuration, require
from nfgen.runtime.device import CPU

MOST_TOKENS, MOST_CODES = 1 << 20, 1 << 24
"""Limits far above any real vocabulary, so that a damaged file cannot exhaust memory."""


class Vocabulary(Configuration):
    """The tokens of a sequence, and the positions at which each is allowed.

    A sequence is `start, token_1 … token_length, EOS`. The start is BOS, or the special token of a class. Ids number
    the codes first, then BOS, EOS, PAD, then the classes. A continuous vocabulary (`codes` is None) has no ids: a token
    is a vector of `width` numbers.
    """

    length: Annotated[int, Field(ge=1, le=MOST_TOKENS)]
    """Tokens of one field, without specials."""
    codes: Annotated[int, Field(ge=2, le=MOST_CODES)] | None = None
    """Number of different codes; None = continuous."""
    width: Annotated[int, Field(ge=1, le=MOST_CODES)] = 1
    """Numbers of one continuous token."""
    ranges: tuple[tuple[int, int], ...] = ()
    """Token i may be one of the codes [low, high) = `ranges[i % len(ranges)]`; empty = all codes everywhere."""
    levels: tuple[int, ...] = ()
    """For codes that are mixed-radix numbers (FSQ), the number of values of each digit, first digit fastest. Codes
    from their product on have no digits."""
    classes: tuple[str, ...] = ()
    """Names of the classes with which a sequence can start."""

    @model_validator(mode="after")
    def _check_codes(self) -> Self:
        product = math.prod(self.levels)
        require(
            not self.levels or product <= (self.codes or 0),
            "levels",
            f"must multiply to {self.codes} at most",
            self.levels,
        )
        fits = all(0 <= low < high <= (self.codes or 0) for low, high in self.ranges)
        require(fits, "ranges", f"must lie in 0 … {self.codes}", self.ranges)
        return self

    @property
    def continuous(self) -> bool:
        """Whether tokens are vectors of numbers instead of ids."""
        return self.codes is None

    @property
    def specials(self) -> dict[str, int]:
        """Names and ids of the special tokens; ids start at 0 if there are no codes."""
        names = ("BOS", "EOS", "PAD", *(f"class:{name}" for name in self.classes))
        return {name: (self.codes or 0) + i for i, name in enumerate(names)}

    @property
    def size(self) -> int | None:
        """Codes and specials together; None = continuous."""
        return None if self.codes is None else self.codes + len(self.specials)

    @property
    def sequence_length(self) -> int:
        """Tokens of one sequence with its start and EOS."""
        return self.length + 2

    def starts(self, labels: Int[Tensor, "fields"]) -> Int[Tensor, "fields"]:
        """The id of each sequence's start: BOS for the label -1, else the special token of the class."""
        bos = self.codes or 0
        return torch.where(labels < 0, bos, bos + 3 + labels)

    def wrap(
        self, tokens: Int[Tensor, "fields tokens"], labels: Int[Tensor, "fields"]
    ) -> Int[Tensor, "fields sequence"]:
        """Add start and EOS to tokens [N, length]."""
        end = torch.full((len(tokens), 1), self.specials["EOS"], device=tokens.device)
        return torch.cat([self.starts(labels)[:, None], tokens, end], dim=1)

    def unwrap(self, sequences: Int[Tensor, "fields sequence"]) -> Int[Tensor, "fields tokens"]:
        """Remove start and EOS.

        Raises:
            ConfigError: if a token is not allowed at its position, so that a special never reaches a decoder.
        """
        require(
            sequences.shape[1] == self.sequence_length,
            "sequence",
            f"must have {self.sequence_length} tokens",
            sequences.shape[1],
        )
        mask = self.allowed_mask()
        for position in range(self.sequence_length):
            allowed = mask[position][sequences[:, position]]
            require(
                bool(allowed.all()),
                f"token {position}",
                "must be one that is allowed there",
                sequences[:, position][~allowed][:1].tolist(),
            )
        return sequences[:, 1:-1]

    def bounds(self) -> tuple[Int[Tensor, "tokens"], Int[Tensor, "tokens"]]:
        """Range [low, high) of the codes allowed at each token of a field, without start and EOS."""
        require(not self.continuous, "vocabulary", "must be discrete to have codes", "continuous")
        # On the CPU even inside a `torch.device("meta")` context, as values are needed.
        ranges = torch.tensor(self.ranges or ((0, self.codes),), device=CPU)
        of_token = ranges[torch.arange(self.length, device=CPU) % len(ranges)]
        return of_token[:, 0], of_token[:, 1]

    def allowed(self, position: int) -> Bool[Tensor, "vocabulary"]:
        """Mask of the tokens allowed at a position of the sequence (0 is the start, length + 1 is EOS, then PAD)."""
        require(not self.continuous, "vocabulary", "must be discrete to mask tokens", "continuous")
        mask = torch.zeros(self.size or 0, dtype=torch.bool)
        specials = self.specials
        if position == 0:
            mask[[i for name, i in specials.items() if name not in ("EOS", "PAD")]] = True
        elif position <= self.length:
            low, high = self.ranges[(position - 1) % len(self.ranges)] if self.ranges else (0, self.codes)
            mask[low:high] = True
        else:
            mask[specials["EOS" if position == self.length + 1 else "PAD"]] = True
        return mask

    def allowed_mask(self) -> Bool[Tensor, "sequence vocabulary"]:
        """`allowed` for every position of a sequence."""
        return torch.stack([self.allowed(position) for position in range(self.sequence_length)])


def place_values(levels: tuple[int, ...], device: torch.device) -> Int[Tensor, "digits"]:
    """Place value of each digit of a mixed-radix number; the first digit is the fastest."""
    return torch.tensor([math.prod(levels[:k]) for k in range(len(levels))], device=device)


def digits(numbers: Int[Tensor, "*numbers"], levels: tuple[int, ...]) -> Int[Tensor, "*numbers digits"]:
    """Digits of mixed-radix numbers, such as FSQ codes (https://arxiv.org/abs/2309.15505)."""
    return numbers[..., None] // place_values(levels, numbers.device) % torch.tensor(levels, device=numbers.device)
