"""Random solids as training shapes: their distances at warped points."""

import functools

import torch
from jaxtyping import Int
from torch import Tensor

from nfgen.shapes.synthetic import SDF
from nfgen.shapes.synthetic.random_solids import random_solid

from .probes import QueryFn
from .warps import Warp

SOLIDS = 1 << 14
"""How many of the stream are used; each is met many times, but in another warp. To make one takes ten milliseconds, and
so they are kept."""

_kept = functools.lru_cache(maxsize=SOLIDS)(random_solid)


def solid_query(numbers: Int[Tensor, "solids"], warps: Warp) -> QueryFn:
    """The query of warped solids by their numbers; on the processor, as each is a tree of its own."""
    solids: list[SDF] = [_kept(int(number)) for number in numbers]

    def query(points: Tensor) -> Tensor:
        warped = warps(points.expand(len(solids), -1, -1)).cpu().numpy()
        values = [torch.from_numpy(solid(at)) for solid, at in zip(solids, warped, strict=True)]
        return torch.stack(values).to(points)

    return query
