"""Bounding boxes of shapes: one interval an axis, and one token for each.

The bounding box is divided into cells, not all of space: no cell is empty in every shape, a leg lies in the same cells
whether the chair is wide or narrow, and content and size are learned separately. Boxes are rounded outwards to a grid,
so a token represents one exactly.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

STEP = 1 / 16  # grid of boxes, hence the most that a side is rounded outwards: about a voxel of 32
CENTRES, HALVES = 17, 24  # centres of -0.5 … 0.5 and half widths of 1/16 … 1.5: any interval in [-1, 1] lies in one
INTERVALS = CENTRES * HALVES
"""Number of different tokens of an axis."""
SMALLEST_GRADIENT = 1e-3  # slopes below it have no direction


@dataclass(frozen=True)
class Box:
    """One box for each of N fields."""

    centre: Float[Tensor, "fields dims"]
    half: Float[Tensor, "fields dims"]
    """Half of its width along each axis."""

    @classmethod
    def enclosing(cls, low: Float[Tensor, "fields dims"], high: Float[Tensor, "fields dims"]) -> "Box":
        """The smallest boxes that contain the intervals low … high; [-1, 1]^d for an empty one (low > high)."""
        empty = (low > high).any(1, keepdim=True)
        low, high = (torch.where(empty, whole, bound).clamp(-1, 1) for bound, whole in ((low, -1.0), (high, 1.0)))
        limit = CENTRES // 2
        centre = ((low + high) / 2 / STEP).round().clamp(-limit, limit) * STEP
        half = ((torch.maximum(high - centre, centre - low)) / STEP - 1e-4).ceil().clamp(1, HALVES) * STEP
        return cls(centre, half)

    @classmethod
    def from_tokens(cls, tokens: Int[Tensor, "fields dims"]) -> "Box":
        """Inverse of `tokens`."""
        return cls((tokens // HALVES - CENTRES // 2) * STEP, (tokens % HALVES + 1) * STEP)

    @property
    def tokens(self) -> Int[Tensor, "fields dims"]:
        """A number in 0 … INTERVALS - 1 for each axis."""
        centre, half = (self.centre / STEP).round().long(), (self.half / STEP).round().long()
        return (centre + CENTRES // 2) * HALVES + half - 1

    @property
    def numbers(self) -> Float[Tensor, "fields numbers"]:
        """Centres and half widths, concatenated: the input of networks."""
        return torch.cat([self.centre, self.half], dim=1)

    def to(self, device: torch.device) -> "Box":
        return Box(self.centre.to(device), self.half.to(device))

    def __getitem__(self, rows: Int[Tensor, "chosen"] | slice) -> "Box":
        return Box(self.centre[rows], self.half[rows])

    def __setitem__(self, rows: Int[Tensor, "chosen"] | slice, other: "Box") -> None:
        self.centre[rows], self.half[rows] = other.centre, other.half

    def to_space(self, points: Float[Tensor, "*fields points dims"]) -> Float[Tensor, "fields points dims"]:
        """Points in the box's own frame, in which it is [-1, 1]^d, to points in space."""
        return self.centre[:, None] + self.half[:, None] * points

    def to_box(self, points: Float[Tensor, "fields points dims"]) -> Float[Tensor, "fields points dims"]:
        """Points in space to points in the box's own frame."""
        return (points - self.centre[:, None]) / self.half[:, None]


def extent(
    values: Float[Tensor, "fields probes"],
    probes: Float[Tensor, "probes dims"],
    counts: tuple[int, ...],
    *,
    distances: bool,
) -> tuple[Float[Tensor, "fields dims"], Float[Tensor, "fields dims"]]:
    """Lowest and highest coordinates of shapes, from values at a regular grid over [-1, 1]^d in raster order.

    Each probe near the surface takes one Newton step towards it, with a gradient by finite differences. So parts
    thinner than the spacing of the probes are found, too.

    Args:
        values: negative inside.
        probes: the points of the grid.
        counts: probes along each axis.
        distances: whether the values are signed distances; else distances are values divided by slopes.

    Returns:
        low, high; low > high if there is no shape.
    """
    dims = len(counts)
    grid = values.unflatten(1, counts[::-1])
    spacing = [2 / count for count in counts]
    # The first axis is the fastest of the raster, hence the last one of the grid.
    slopes = torch.stack(torch.gradient(grid, spacing=spacing[::-1], dim=list(range(1, dims + 1)))[::-1], dim=1)
    steep = slopes.square().sum(1).sqrt().clamp(min=SMALLEST_GRADIENT)
    # Where a poor fit is flat, its values are no distances: divided by the small slope, they are large.
    newton = grid / steep
    far = grid if distances else newton
    near = (torch.maximum(far.abs(), newton.abs()) < max(spacing)) | (grid < 0)
    step = far.clamp(-max(spacing), max(spacing)) / steep
    found = probes.T - (step[:, None] * slopes).flatten(2)
    near = near.flatten(1)[:, None]
    return torch.where(near, found, 2.0).amin(2), torch.where(near, found, -2.0).amax(2)
