"""`FieldSpec`: the architecture of a field, and where each weight stands in its flat vector."""

import functools
import itertools
import math
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from nfgen.config import Configuration, require

Activation = Literal["relu", "relu2", "gelu", "silu", "sine"]
Output = Literal["sdf", "occupancy", "brightness"]

MOST_NEURONS = 4096  # of a layer
Width = Annotated[int, Field(ge=1, le=MOST_NEURONS)]

MOST_WEIGHTS = 1 << 24  # a thousand times a usual field: a file that claims more must not claim our memory


@dataclass(frozen=True)
class Layer:
    """One affine layer of a field and its place in the flat weights.

    The weight matrix [outputs, inputs] stands first, row by row, then the bias [outputs] if there is one.
    """

    inputs: int
    outputs: int
    bias: bool
    start: int

    @property
    def bias_start(self) -> int:
        return self.start + self.inputs * self.outputs

    @property
    def end(self) -> int:
        return self.bias_start + (self.outputs if self.bias else 0)


class FieldSpec(Configuration):
    """The architecture of a field: Fourier features, then a plain MLP with one output."""

    dims: Annotated[int, Field(ge=2, le=3)] = 3
    """Coordinates of a point: 2 or 3."""
    frequencies: Annotated[int, Field(ge=0, le=16)] = 2
    """Octaves of Fourier features: sin and cos of 2^k pi x for k = 0 … frequencies - 1 (NeRF, eq. 4)."""
    raw_coordinates: bool = True
    """Whether the coordinates themselves are features too."""
    hidden: Annotated[tuple[Width, ...], Field(min_length=1, max_length=16)] = (32, 32, 32, 32)
    """Neurons of each hidden layer."""
    activation: Activation | tuple[Activation, ...] = "gelu"
    """Of the hidden layers: one for all, or one a layer. `relu2` is the square of ReLU (So et al. 2021, Primer,
    https://arxiv.org/abs/2109.08668); `sine` is sin(30 z) (SIREN)."""
    output_bias: bool = False
    """Whether the last layer has a bias."""
    output: Output = "sdf"
    """`sdf`: signed distance, negative inside, in coordinate units. `occupancy`: logit, positive inside.
    `brightness`: logit of a value in [0, 1]."""

    @model_validator(mode="after")
    def _check_size(self) -> Self:
        require(
            self.raw_coordinates or self.frequencies > 0, "frequencies", "must be positive without raw coordinates", 0
        )
        if isinstance(self.activation, tuple):
            fits = len(self.activation) == len(self.hidden)
            require(fits, "activation", f"must be one, or {len(self.hidden)}: one a hidden layer", self.activation)
            if len(set(self.activation)) == 1:  # the same architecture is the same spec
                object.__setattr__(self, "activation", self.activation[0])
        require(self.size <= MOST_WEIGHTS, "hidden", f"must give at most {MOST_WEIGHTS:,} weights", self.hidden)
        return self

    @property
    def features(self) -> int:
        """Inputs of the first layer."""
        return self.dims * (2 * self.frequencies + int(self.raw_coordinates))

    @property
    def activations(self) -> tuple[Activation, ...]:
        """The activation of each hidden layer."""
        return self.activation if isinstance(self.activation, tuple) else (self.activation,) * len(self.hidden)

    @functools.cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The affine layers in order."""
        widths = (self.features, *self.hidden, 1)
        layers, start = [], 0
        for i, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
            layers.append(Layer(inputs, outputs, self.output_bias or i < len(self.hidden), start))
            start = layers[-1].end
        return tuple(layers)

    @property
    def size(self) -> int:
        """Weights of one field, biases included (the `P` of a weights array [N, P])."""
        return self.layers[-1].end


PRESETS: dict[str, FieldSpec] = {
    "talk": FieldSpec(),
    "talk-2d": FieldSpec(dims=2, frequencies=4),
    "nef-gpt": FieldSpec(output="occupancy"),
    "mnist": FieldSpec(
        dims=2,
        frequencies=4,
        raw_coordinates=False,
        hidden=(16, 16),
        activation="relu",
        output_bias=True,
        output="brightness",
    ),
    "hyperdiffusion": FieldSpec(
        frequencies=4, hidden=(128, 128, 128), activation="relu", output_bias=True, output="occupancy"
    ),
}
"""Known architectures: the talk's 3-D field (3,712 weights), its like for images, and as NeF-GPT has it; NeF-GPT's
MNIST field (561), HyperDiffusion's (36,737)."""


def fan_bound(layer: Layer) -> float:
    """Half-width of PyTorch's uniform initialisation of an affine layer: 1 / sqrt(inputs)."""
    return 1.0 / math.sqrt(layer.inputs)
