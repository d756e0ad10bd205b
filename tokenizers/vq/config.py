"""Settings of the VQ tokenizer."""

import math
from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from nfgen.config import AUTO, Configuration, require
from nfgen.fields.spec import FieldSpec

STORED_KINDS = {"residual": "rvq"}
"""Quantizers by the names that they had before version 0.2."""
Kind = Annotated[Literal["fsq", "vq", "rvq", "lfq"], BeforeValidator(lambda kind: STORED_KINDS.get(str(kind), kind))]
Level = Annotated[int, Field(ge=3)]
"""Two levels have no middle one: the library refuses them."""
Size = Annotated[int, Field(ge=1, le=1 << 16)]
Blocks = Annotated[int, Field(ge=1, le=256)]
WarpStrength = Annotated[float, Field(ge=0, le=1.5)]
"""Beyond 1.5, space folds over."""
Basis = Literal["spline", "octahedral"]

OF_NETWORKS = (
    "max_tokens", "cells", "slots", "quantizer", "levels", "codebook", "probes", "nodes", "basis", "width", "channels",
    "encoder_blocks", "decoder_blocks", "mirror", "truncation",
)  # fmt: skip
"""Settings that a base has settled."""
MOST_CODES = 1 << 20
"""Of a codebook: larger ones fit neither training nor the head of a GPT."""


class VQConfig(Configuration):
    """Settings of `VQTokenizer`."""

    max_tokens: Size = 64
    """Most tokens of a field: one an axis for its box, the others for the cells that the box is divided into."""
    cells: tuple[PositiveInt, ...] | None = None
    """Cells along each axis, if mirrored only half of them along the first; None = nearly cubes, as many as
    `max_tokens` allows."""
    slots: Annotated[int, Field(ge=1, le=256)] = 1
    """Tokens of a cell."""
    quantizer: Kind = "fsq"
    """`fsq` rounds numbers to levels; `vq`, `rvq` and `lfq` as in the papers named in `quantizers.py`."""
    levels: Annotated[tuple[Level, ...], Field(min_length=1)] = (12, 10, 10)
    """FSQ levels of a token; their product is the number of codes (1,200: 10.2 bits a token)."""
    codebook: Annotated[int, Field(ge=2, le=MOST_CODES)] = 1024
    """Entries of a codebook, for all but FSQ (LFQ: a power of two)."""
    probes: Annotated[int, Field(ge=1, le=64)] | None = None
    """Probes along each axis of a cell; None = about 7,000 (2-D: 1,600) in all."""
    nodes: Annotated[int, Field(ge=1, le=16)] = 2
    """Basis functions of the decoded field along each axis of a cell."""
    basis: Basis = "spline"
    """Kind of these functions: smooth `spline` ones, or `octahedral` ones, whose surfaces have ripples; these are for
    tokenizers of version 0.1."""
    width: Size = 32
    """Neurons of the last two hidden layers of the decoded field."""
    channels: Size = 128
    """Width of encoder and decoder."""
    encoder_blocks: Blocks = 1
    """Residual blocks of the encoder; each widens the receptive field of a token by a cell."""
    decoder_blocks: Blocks = 3
    """Residual blocks of the decoder."""
    base: str = AUTO
    """A fitted vq tokenizer to begin with: `base-3d` ships with nfgen; or a folder, or hf://owner/name. The settings of
    its networks hold. `auto`: the shipped one, if it suits the fields and what is set of the networks; `none`: begin
    anew."""
    steps: NonNegativeInt | None = None
    """Training steps; 0 = the base as it is. None = 8,000, or 1,500 from a base."""
    minutes: NonNegativeFloat | None = 30.0
    """Time limit of the training; the learning rate decays by then, even if not all steps are reached; none = no limit.
    """
    save_every: PositiveInt = 250
    """Steps between two checkpoints, from which an interrupted training resumes."""
    batch_size: PositiveInt = 32
    """Warped fields in a training step."""
    points: PositiveInt = 512
    """Points of each field at which the loss is evaluated."""
    gradient_weight: NonNegativeFloat = 2.0
    """Weight of the error of the gradients near the surface in the loss, for signed distances; 0 = none."""
    learning_rate: PositiveFloat | None = None
    """Peak learning rate of Muon; AdamW takes half of it. None = 0.003, or 0.001 from a base."""
    augment: WarpStrength = 0.75
    """Strength of the random warps of space in training; 0 = none. It decreases in the last third."""
    view_augment: WarpStrength = 0.4
    """The same for the views that a model is trained on; weaker, as a model reproduces them (proportions +-6 %). They
    keep the middle and the largest side of their shape."""
    mix_planes: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of the training shapes that are composed of two, one on each side of a plane; it ends at 0."""
    solids: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the training shapes that are random solids, of no category: they teach what few fields do not (3-D
    signed distances only)."""
    mirror: bool | None = None
    """Whether shapes may be mirrored along the first axis, and most are symmetric: a cell and its mirror image then
    share their tokens. None = in 3-D only."""
    truncation: PositiveFloat = 0.1
    """Distance at which signed distances saturate."""
    refine: NonNegativeInt = 0
    """Gradient steps on the latents when a field is encoded; 0 = the encoder's latents are used."""
    seed: NonNegativeInt = 0
    """Seed of all randomness."""

    RENAMED: ClassVar = {
        "batch": "batch_size",
        "codes": "max_tokens",
        "cut": "mix_planes",
        "bottleneck": "quantizer",
    }

    @model_validator(mode="after")
    def _check_codes(self) -> Self:
        require(math.prod(self.levels) <= MOST_CODES, "levels", f"must multiply to at most {MOST_CODES}", self.levels)
        power = self.codebook & (self.codebook - 1) == 0
        require(self.quantizer != "lfq" or power, "codebook", "must be a power of two for lfq", self.codebook)
        require(self.cells is None or len(self.cells) > 0, "cells", "must be positive", self.cells)
        return self

    def learns_gradients(self, spec: FieldSpec) -> bool:
        """Whether the loss compares gradients of fields of a spec."""
        return self.gradient_weight > 0 and spec.output == "sdf"

    def mirrors(self, dims: int) -> bool:
        """Whether fields of `dims` axes are mirrored."""
        return dims == 3 if self.mirror is None else self.mirror


class PretrainedConfig(VQConfig):
    """Settings of a `VQTokenizer` that has a base for certain."""

    base: str = "base-3d"
    """A fitted vq tokenizer to begin with: `base-3d` ships with nfgen; or a folder, or hf://owner/name."""
