"""Settings of the VQ tokenizer."""

import math
from dataclasses import dataclass

from nfgen.config import Configuration, require
from nfgen.fields.spec import FieldSpec

from .hat_basis import Basis
from .quantizers import Kind

MOST_CODES = 1 << 20
"""Of a codebook: more would neither be used nor fit a GPT's head."""


@dataclass(frozen=True)
class VQConfig(Configuration):
    """Settings of `VQTokenizer`."""

    codes: int = 64
    """Tokens of a field, at most: one an axis for its box, the others for the cells that the box is cut into."""
    cells: tuple[int, ...] | None = None
    """Cells along each axis, if mirrored only half of them along the first; None = nearly cubes, as many as `codes` has
    tokens for."""
    slots: int = 1
    """Tokens of a cell."""
    bottleneck: Kind = "fsq"
    """`fsq` rounds numbers to levels; `vq`, `residual` and `lfq` as in the papers named in `bottleneck.py`."""
    levels: tuple[int, ...] = (12, 10, 10)
    """FSQ levels of a token; their product is the number of codes (1,200: 10.2 bits a token)."""
    codebook: int = 1024
    """Entries of a codebook, for all but FSQ (LFQ: a power of two)."""
    probes: int | None = None
    """Probes along each axis of a cell; None = about 7,000 (2-D: 1,600) in all."""
    nodes: int = 2
    """Basis functions of the decoded field along each axis of a cell."""
    basis: Basis = "spline"
    """Kind of these functions: smooth `spline` ones, or `octahedral` ones, with which surfaces look like quilts: for
    tokenizers that were stored before there were others."""
    width: int = 32
    """Neurons of the last two hidden layers of the decoded field."""
    channels: int = 128
    """Width of encoder and decoder."""
    encoder_blocks: int = 1
    """Residual blocks of the encoder; each widens what a token sees by a cell."""
    decoder_blocks: int = 3
    """Residual blocks of the decoder."""
    steps: int = 8000
    """Training steps."""
    minutes: float = 30.0
    """Limit of the training: if it is too short for all steps, the learning rate falls in time nevertheless."""
    save_every: int = 250
    """Steps between two check points, from which an interrupted training goes on."""
    batch: int = 32
    """Warped fields a step."""
    points: int = 512
    """Points of each at which the loss is taken."""
    gradient_weight: float = 2.0
    """Weight of the error of the gradients near the surface in the loss, for signed distances; 0 = none."""
    learning_rate: float = 3e-3
    """Peak learning rate of Muon; AdamW takes half of it."""
    augment: float = 0.5
    """Strength of the random warps of space in training; 0 = none. They become milder in its last third."""
    view_augment: float = 0.4
    """The same for the views that a model learns from: milder, since it generates what it has seen (scale +-6 %)."""
    cut: float = 0.3
    """Share of the shapes in training that are put together from two, on either side of a plane; it ends with none."""
    mirror: bool | None = None
    """Whether shapes may be mirrored along the first axis, and mostly are symmetric: then a cell and its mirror image
    share their tokens. None = in 3-D only."""
    truncation: float = 0.1
    """Signed distances beyond this are as good as this."""
    refine: int = 0
    """Gradient steps on the latents when a field is encoded; 0 = the encoder's word is taken."""
    seed: int = 0
    """Of everything random."""

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes = ("codes", "slots", "nodes", "width", "channels", "encoder_blocks", "decoder_blocks")
        for key in (*sizes, "steps", "batch", "points", "save_every"):
            require(getattr(self, key) > 0, key, "must be positive", getattr(self, key))
        for key in sizes:
            most = {"encoder_blocks": 256, "decoder_blocks": 256, "slots": 256, "nodes": 16}.get(key, 1 << 16)
            require(getattr(self, key) <= most, key, f"must be at most {most}", getattr(self, key))
        require(self.probes is None or 0 < self.probes <= 64, "probes", "must be 1 to 64", self.probes)
        require(self.cells is None or min(self.cells, default=0) > 0, "cells", "must be positive", self.cells)
        for key in ("minutes", "learning_rate", "truncation"):
            require(getattr(self, key) > 0, key, "must be positive", getattr(self, key))
        for key in ("augment", "view_augment"):
            require(
                0 <= getattr(self, key) <= 1.5, key, "must be 0 to 1.5: beyond, space folds over", getattr(self, key)
            )
        require(self.gradient_weight >= 0, "gradient_weight", "must not be negative", self.gradient_weight)
        require(0 <= self.cut <= 1, "cut", "must be 0 to 1", self.cut)
        require(self.refine >= 0, "refine", "must not be negative", self.refine)
        # Rounding to two levels has no middle: the library refuses it.
        require(bool(self.levels) and min(self.levels) > 2, "levels", "must be numbers of at least 3", self.levels)
        require(math.prod(self.levels) <= MOST_CODES, "levels", f"must multiply to at most {MOST_CODES}", self.levels)
        power = self.codebook & (self.codebook - 1) == 0
        require(1 < self.codebook <= MOST_CODES, "codebook", f"must be 2 to {MOST_CODES}", self.codebook)
        require(self.bottleneck != "lfq" or power, "codebook", "must be a power of two for lfq", self.codebook)

    def learns_gradients(self, spec: FieldSpec) -> bool:
        """Whether the gradients of fields of a spec are part of the loss."""
        return self.gradient_weight > 0 and spec.output == "sdf"

    def mirrors(self, dims: int) -> bool:
        """Whether fields of so many dims are mirrored."""
        return dims == 3 if self.mirror is None else self.mirror
