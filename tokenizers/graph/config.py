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
    """Rounds of messages: with fewer than half as many as layers, some neurons never hear of each other."""
    learning_rate: PositiveFloat = 1e-3
    """Half of the probe encoder's: above, messages stop to carry anything."""
    edge_channels: PositiveInt = 8
    """Numbers that stand for a weight between the blocks; `channels` is a multiple of it."""
    node_points: Annotated[int, Field(ge=0, le=4096)] = 64
    """Points at which a neuron's excitation is part of its node; 0 = nodes and edges know the weights alone."""
    cut: Annotated[float, Field(ge=0, le=0)] = 0.0
    """No other: the weights of two fields do not make those of one that is put together."""

    @model_validator(mode="after")
    def _check_channels(self) -> Self:
        for divisor, name in ((self.edge_channels, "edge_channels"), (HEADS, "heads")):
            require(
                self.channels % divisor == 0, "channels", f"must be a multiple of the {divisor} {name}", self.channels
            )
        return self
