"""Settings of the graph tokenizer."""

from typing import Annotated, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from nfgen.config import NONE, require
from nfgen.tokenizers.vq.config import VQConfig

HEADS = 4
"""Heads of the attention from cells to nodes."""


class GraphConfig(VQConfig):
    """Settings of `GraphTokenizer`: those of `VQTokenizer`. `probes` only find the surface in training. Warps are
    shifts, as no other warp can be applied to weights exactly."""

    encoder_blocks: Annotated[int, Field(ge=1, le=256)] = 3
    """Rounds of message passing; below half the number of layers, some neurons exchange no information."""
    base: Annotated[str, Field(pattern="^none$")] = NONE
    """A graph tokenizer begins anew."""
    learning_rate: PositiveFloat | None = 1e-3
    """Half of the probe encoder's: with higher rates, messages no longer carry information."""
    edge_channels: PositiveInt = 8
    """Channels of an edge; must divide `channels`."""
    node_points: Annotated[int, Field(ge=0, le=4096)] = 64
    """Points at which a neuron's pre-activation is a feature of its node; 0 = nodes and edges have weights only."""
    mix_planes: Annotated[float, Field(ge=0, le=0)] = 0.0
    """Must be 0: the weights of two fields cannot be merged into those of one."""

    @model_validator(mode="after")
    def _check_channels(self) -> Self:
        for divisor, name in ((self.edge_channels, "edge_channels"), (HEADS, "heads")):
            require(
                self.channels % divisor == 0, "channels", f"must be a multiple of the {divisor} {name}", self.channels
            )
        return self
