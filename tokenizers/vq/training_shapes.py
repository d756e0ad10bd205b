"""The shapes that the VQ tokenizer learns from, by number: fields, and random solids beside them."""

import functools
import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nfgen.fields.field_set import FieldSet
from nfgen.runtime.device import CPU, upload
from nfgen.shapes.synthetic import SDF
from nfgen.shapes.synthetic.random_solids import random_solid

from .probes import QueryFn, make_query
from .warps import Warp

SOLIDS = 1 << 14
"""How many of the stream are used; each is met many times, but in another warp. To make one takes ten milliseconds, and
so they are kept."""

_solid = functools.lru_cache(maxsize=SOLIDS)(random_solid)


class TrainingShapes:
    """Fields and solids in one row of numbers.

    Attributes:
        count: of all numbers.
        first_solid: the first number of a solid; each field has as many of the numbers below it as any other, or one
            less, so that a number drawn at random is that of a solid as often as it should be.

    Args:
        fields: the fields.
        solids: share of the numbers that are random solids, which are known by their distances.
        device: of the fields' weights.
    """

    def __init__(self, fields: FieldSet, solids: float, device: torch.device = CPU) -> None:
        self.spec, self.weights = fields.spec, fields.weights.to(device)
        self.first_solid = math.ceil(SOLIDS * (1 - solids) / solids) if solids else len(fields)
        self.count = self.first_solid + (SOLIDS if solids else 0)

    def query(self, numbers: Int[Tensor, "chosen"], warps: Warp) -> QueryFn:
        """The query function of warped shapes by their numbers, which lie on the CPU: they decide what is computed."""
        solids, others = (part.nonzero()[:, 0] for part in (numbers >= self.first_solid, numbers < self.first_solid))
        if not len(solids):
            index = upload(numbers % len(self.weights), self.weights.device)
            return make_query(self.spec, self.weights[index], warps)

        def query(points: Tensor) -> Tensor:
            points = points.expand(len(numbers), -1, -1)
            values = points.new_empty(points.shape[:2])
            there = upload(solids, points.device)
            values[there] = _solid_values(numbers[solids] - self.first_solid, warps[there](points[there]))
            if len(others):
                there = upload(others, points.device)
                values[there] = self.query(numbers[others], warps[there])(points[there])
            return values

        return query


def _solid_values(numbers: Int[Tensor, "solids"], points: Tensor) -> Tensor:
    return distances([_solid(int(number)) for number in numbers], points)


def distances(solids: Sequence[SDF], points: Float[Tensor, "solids points 3"]) -> Float[Tensor, "solids points"]:
    """Distances of solids at points of each; on the processor, as each is a tree of its own."""
    places = points.cpu().numpy()
    return torch.from_numpy(np.stack([solid(at) for solid, at in zip(solids, places, strict=True)])).to(points)
