"""Settings of the VQ tokenizer."""

import math
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from nfgen.config import Configuration, require
from nfgen.fields.spec import FieldSpec

Kind = Literal["fsq", "vq", "residual", "lfq"]
Level = Annotated[int, Field(ge=3)]
"""Rounding to two levels has no middle: the library refuses it."""
Size = Annotated[int, Field(ge=1, le=1 << 16)]
Blocks = Annotated[int, Field(ge=1, le=256)]
WarpStrength = Annotated[float, Field(ge=0, le=1.5)]
"""Beyond 1.5, space folds over."""
Basis = Literal["spline", "octahedral"]

MOST_CODES = 1 << 20
"""Of a codebook: more would neither be used nor fit a GPT's head."""


class VQConfig(Configuration):
    """Settings of `VQTokenizer`."""

    codes: Size = 64
    """Tokens of a field, at most: one an axis for its box, the others for the cells that the box is cut into."""
    cells: tuple[PositiveInt, ...] | None = None
    """Cells along each axis, if mirrored only half of them along the first; None = nearly cubes, as many as `codes` has
    tokens for."""
    slots: Annotated[int, Field(ge=1, le=256)] = 1
    """Tokens of a cell."""
    bottleneck: Kind = "fsq"
    """`fsq` rounds numbers to levels; `vq`, `residual` and `lfq` as in the papers named in `bottleneck.py`."""
    levels: Annotated[tuple[Level, ...], Field(min_length=1)] = (12, 10, 10)
    """FSQ levels of a token; their product is the number of codes (1,200: 10.2 bits a token)."""
    codebook: Annotated[int, Field(ge=2, le=MOST_CODES)] = 1024
    """Entries of a codebook, for all but FSQ (LFQ: a power of two)."""
    probes: Annotated[int, Field(ge=1, le=64)] | None = None
    """Probes along each axis of a cell; None = about 7,000 (2-D: 1,600) in all."""
    nodes: Annotated[int, Field(ge=1, le=16)] = 2
    """Basis functions of the decoded field along each axis of a cell."""
    basis: Basis = "spline"
    """Kind of these functions: smooth `spline` ones, or `octahedral` ones, with which surfaces look like quilts: for
    tokenizers that were stored before there were others."""
    width: Size = 32
    """Neurons of the last two hidden layers of the decoded field."""
    channels: Size = 128
    """Width of encoder and decoder."""
    encoder_blocks: Blocks = 1
    """Residual blocks of the encoder; each widens what a token sees by a cell."""
    decoder_blocks: Blocks = 3
    """Residual blocks of the decoder."""
    steps: PositiveInt = 8000
    """Training steps."""
    minutes: PositiveFloat = 30.0
    """Limit of the training: if it is too short for all steps, the learning rate falls in time nevertheless."""
    save_every: PositiveInt = 250
    """Steps between two check points, from which an interrupted training goes on."""
    batch_size: PositiveInt = 32
    """Warped fields a step."""
    points: PositiveInt = 512
    """Points of each at which the loss is taken."""
    gradient_weight: NonNegativeFloat = 2.0
    """Weight of the error of the gradients near the surface in the loss, for signed distances; 0 = none."""
    learning_rate: PositiveFloat = 3e-3
    """Peak learning rate of Muon; AdamW takes half of it."""
    augment: WarpStrength = 0.5
    """Strength of the random warps of space in training; 0 = none. They become milder in its last third."""
    view_augment: WarpStrength = 0.4
    """The same for the views that a model learns from: milder, since it generates what it has seen (scale +-6 %)."""
    cut: Annotated[float, Field(ge=0, le=1)] = 0.3
    """Share of the shapes in training that are put together from two, on either side of a plane; it ends with none."""
    mirror: bool | None = None
    """Whether shapes may be mirrored along the first axis, and mostly are symmetric: then a cell and its mirror image
    share their tokens. None = in 3-D only."""
    truncation: PositiveFloat = 0.1
    """Signed distances beyond this are as good as this."""
    refine: NonNegativeInt = 0
    """Gradient steps on the latents when a field is encoded; 0 = the encoder's word is taken."""
    seed: NonNegativeInt = 0
    """Of everything random."""

    RENAMED: ClassVar = {"batch": "batch_size"}

    @model_validator(mode="after")
    def _check_codes(self) -> Self:
        require(math.prod(self.levels) <= MOST_CODES, "levels", f"must multiply to at most {MOST_CODES}", self.levels)
        power = self.codebook & (self.codebook - 1) == 0
        require(self.bottleneck != "lfq" or power, "codebook", "must be a power of two for lfq", self.codebook)
        require(self.cells is None or len(self.cells) > 0, "cells", "must be positive", self.cells)
        return self

    def learns_gradients(self, spec: FieldSpec) -> bool:
        """Whether the gradients of fields of a spec are part of the loss."""
        return self.gradient_weight > 0 and spec.output == "sdf"

    def mirrors(self, dims: int) -> bool:
        """Whether fields of so many dims are mirrored."""
        return dims == 3 if self.mirror is None else self.mirror
