"""Settings of the tokenizers of weights: identity, histogram and codebook."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from nfgen.config import Configuration

Target = Literal["weights", "delta"]
Normalise = Literal["entry", "tensor", "none"]
Unit = Literal["scalar", "chunk", "row"]


class IdentityConfig(Configuration):
    """How weights become continuous tokens."""

    target: Target = "delta"
    """Tokenize weights, or their delta from the base (weights if there is no base)."""
    normalise: Normalise = "entry"
    """Mean 0 and deviation 1 for each weight, for each tensor of the field, or not at all."""
    unit: Unit = "row"
    """One token is a single weight (scalar), a chunk of flat weights, or a neuron's row (its weights and bias)."""
    chunk: PositiveInt = 32
    """Weights of one token where the unit is a chunk."""


class HistogramConfig(Configuration):
    """How the values are placed that weights are rounded to."""

    target: Target = "delta"
    """Tokenize weights, or their delta from the base (weights if there is no base)."""
    bins: Annotated[int, Field(ge=2, le=1 << 16)] = 256
    """Number of values."""
    kind: Literal["uniform", "quantile", "lloyd-max"] = "lloyd-max"
    """Placement: evenly from smallest to largest; means of bins of equal counts; or least squared error."""
    scope: Literal["global", "tensor"] = "tensor"
    """One set of values for all weights, or one for each tensor of the field."""
    seed: NonNegativeInt = 0
    """Of the choice of weights to place the values on, where there are more than four million."""


class CodebookConfig(Configuration):
    """What is quantised, by how many codes, and how they are learned."""

    target: Target = "delta"
    """Tokenize weights, or their delta from the base (weights if there is no base)."""
    normalise: Normalise = "tensor"
    """Before distances are measured: mean 0 and deviation 1 of each weight, of each tensor, or not at all."""
    unit: Unit = "row"
    """One vector is a single weight (scalar), a chunk of flat weights, or a neuron's row (its weights and bias)."""
    chunk: PositiveInt = 8
    """Weights of one vector where the unit is a chunk."""
    codes: Annotated[int, Field(ge=2, le=1 << 14)] = 1024
    """Size of each codebook."""
    depth: PositiveInt = 1
    """Tokens of one vector: 1 = vector quantisation; more = residual, each level quantises what the last one left."""
    steps: NonNegativeInt = 50
    """Batches of moving-average updates after k-means."""
    batch_size: PositiveInt = 4096
    """Vectors of a batch."""
    seed: NonNegativeInt = 0
    """Of everything random."""

    RENAMED: ClassVar = {"batch": "batch_size"}
