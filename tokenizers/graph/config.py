"""Settings of the graph tokenizer."""

from typing import Annotated, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from nfgen.config import require
from nfgen.tokenizers.vq.config import VQConfig

HEADS = 4
"""Attention heads by which cells ask nodes."""


class GraphConfig(VQConfig):
    """Settings of `GraphTokenizer`: those of `VQTokenizer`, of which `probes` only finds the surface in training, and
    the strengths of warps are those of shifts, as weights can follow no other warp exactly."""

    encoder_blocks: Annotated[int, Field(ge=1, le=256)] = 3
    """Rounds of message passing; below half the number of layers, some neurons exchange no information."""
    learning_rate: PositiveFloat = 1e-3
    """Half of the probe encoder's: above, messages stop to carry anything."""
    edge_channels: PositiveInt = 8
    """Channels of an edge; must divide `channels`."""
    node_points: Annotated[int, Field(ge=0, le=4096)] = 64
    """Points at which a neuron's excitation is part of its node; 0 = nodes and edges know the weights alone."""
    cut: Annotated[float, Field(ge=0, le=0)] = 0.0
    """Must be 0: the weights of two fields cannot be merged into those of one."""

    @model_validator(mode="after")
    def _check_channels(self) -> Self:
        for divisor, name in ((self.edge_channels, "edge_channels"), (HEADS, "heads")):
            require(
                self.channels % divisor == 0, "channels", f"must be a multiple of the {divisor} {name}", self.channels
            )
        return self
