"""Tokens of made-up shapes, from which a model learns before those of fields."""

from typing import NamedTuple

from jaxtyping import Int
from torch import Tensor


class Synthetic(NamedTuple):
    """Made-up shapes; those that are least like the fields come first."""

    tokens: Tensor
    """[S, length], or [S, length, width] if the vocabulary is continuous."""
    labels: Int[Tensor, "shapes"]
    """Index into the vocabulary's classes, or -1."""
