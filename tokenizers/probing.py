"""What fields are worth in space, at probes in the boxes of their shapes: weights themselves are not looked at."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from nfgen.field import evaluate_in_chunks
from nfgen.spec import FieldSpec, Output

from .augmentation import Warp
from .box import Box, extent
from .vq_networks import centres

COARSE = {2: 32, 3: 14}  # probes along each axis that find the box

Sight = Callable[[Tensor], Tensor]
"""What N fields are worth, [N, n], at the same points [n, dims] or at each one's own [N, n, dims]."""


def sight(spec: FieldSpec, weights: Float[Tensor, "fields weights"], warp: Warp | None = None) -> Sight:
    """Fields, seen through warps if there are some."""

    def see(points: Tensor) -> Tensor:
        return evaluate_in_chunks(spec, weights, points if warp is None else warp(points.expand(len(weights), -1, -1)))

    return see


def find_box(spec: FieldSpec, see: Sight) -> Box:
    """Boxes of the shapes of fields of a spec."""
    counts = (COARSE[spec.dims],) * spec.dims
    coarse = centres(counts)
    sign = 1 if spec.output == "sdf" else -1
    return Box.enclosing(*extent(sign * see(coarse), coarse, counts, distances=spec.output == "sdf"))


def probe(
    spec: FieldSpec, see: Sight, probes: Float[Tensor, "probes dims"], truncation: float
) -> tuple[Float[Tensor, "fields probes"], Box]:
    """Signals of fields at probes in their boxes, and the boxes: all that a probe encoder sees of them."""
    box = find_box(spec, see)
    return signal(spec.output, see(box.place(probes)), truncation), box


def signal(output: Output, values: Tensor, truncation: float) -> Tensor:
    """What a field says, in [-1, 1] and positive outside, whatever its kind: tanh(distance / truncation), or
    1 - 2 sigmoid(logit)."""
    return torch.tanh(values / truncation) if output == "sdf" else -torch.tanh(values / 2)
