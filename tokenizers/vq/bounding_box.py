"""Where the shape of a field is: one interval an axis, and one token for each.

Cells are cut from the box of a shape, not from all of space: none is wasted on air, a leg stands in the same cells
whether the chair is wide or narrow, and what is inside can be learned apart from how large it is. Boxes come in
steps, so that a token says them exactly; they only ever round outwards.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

STEP = 1 / 16  # a box is at most so much wider than its shape on either side: about a voxel of 32
CENTRES, HALVES = 17, 24  # centres of -0.5 … 0.5 and half widths of 1/16 … 1.5: any interval in [-1, 1] lies in one
INTERVALS = CENTRES * HALVES
"""Tokens that an axis may have."""
SMALLEST_GRADIENT = 1e-3  # of outputs between neighbouring probes: less is no direction


@dataclass(frozen=True)
class Box:
    """One box for each of N fields."""

    centre: Float[Tensor, "fields dims"]
    half: Float[Tensor, "fields dims"]
    """Half of its width along each axis."""

    @classmethod
    def enclosing(cls, low: Float[Tensor, "fields dims"], high: Float[Tensor, "fields dims"]) -> "Box":
        """The smallest boxes that hold the intervals low … high; all of space for an empty one (low > high)."""
        empty = (low > high).any(1, keepdim=True)
        low, high = (torch.where(empty, whole, bound).clamp(-1, 1) for bound, whole in ((low, -1.0), (high, 1.0)))
        limit = CENTRES // 2
        centre = ((low + high) / 2 / STEP).round().clamp(-limit, limit) * STEP
        half = ((torch.maximum(high - centre, centre - low)) / STEP - 1e-4).ceil().clamp(1, HALVES) * STEP
        return cls(centre, half)

    @classmethod
    def from_tokens(cls, tokens: Int[Tensor, "fields dims"]) -> "Box":
        """What `tokens` told."""
        return cls((tokens // HALVES - CENTRES // 2) * STEP, (tokens % HALVES + 1) * STEP)

    @property
    def tokens(self) -> Int[Tensor, "fields dims"]:
        """A number in 0 … INTERVALS - 1 for each axis."""
        centre, half = (self.centre / STEP).round().long(), (self.half / STEP).round().long()
        return (centre + CENTRES // 2) * HALVES + half - 1

    @property
    def numbers(self) -> Float[Tensor, "fields numbers"]:
        """Centres and half widths side by side, for a network to read."""
        return torch.cat([self.centre, self.half], dim=1)

    def __getitem__(self, rows: Int[Tensor, "chosen"] | slice) -> "Box":
        return Box(self.centre[rows], self.half[rows])

    def __setitem__(self, rows: Int[Tensor, "chosen"] | slice, other: "Box") -> None:
        self.centre[rows], self.half[rows] = other.centre, other.half

    def place(self, points: Float[Tensor, "*fields points dims"]) -> Float[Tensor, "fields points dims"]:
        """Points of the box's own frame, in which it is [-1, 1]^d, in space."""
        return self.centre[:, None] + self.half[:, None] * points

    def within(self, points: Float[Tensor, "fields points dims"]) -> Float[Tensor, "fields points dims"]:
        """Points of space in the box's own frame."""
        return (points - self.centre[:, None]) / self.half[:, None]


def extent(
    values: Float[Tensor, "fields probes"],
    probes: Float[Tensor, "probes dims"],
    counts: tuple[int, ...],
    *,
    distances: bool,
) -> tuple[Float[Tensor, "fields dims"], Float[Tensor, "fields dims"]]:
    """Lowest and highest coordinates of shapes, from values at a regular grid over [-1, 1]^d in raster order.

    From each probe near the surface one step is taken towards it, along the gradient that neighbouring probes have.
    So parts thinner than the spacing of the probes are found, too.

    Args:
        values: negative inside.
        probes: where they were taken.
        counts: probes along each axis.
        distances: whether the values are signed distances; else the gradient says how far it is.

    Returns:
        low, high; low is above high where there is nothing.
    """
    dims = len(counts)
    grid = values.unflatten(1, counts[::-1])
    spacing = [2 / count for count in counts]
    # The first axis is the fastest of the raster, hence the last one of the grid.
    slopes = torch.stack(torch.gradient(grid, spacing=spacing[::-1], dim=list(range(1, dims + 1)))[::-1], dim=1)
    steep = slopes.square().sum(1).sqrt().clamp(min=SMALLEST_GRADIENT)
    # Where a poor fit is flat, its values are no distances: what they should be divided by tells that it is far away.
    newton = grid / steep
    far = grid if distances else newton
    near = (torch.maximum(far.abs(), newton.abs()) < max(spacing)) | (grid < 0)
    step = far.clamp(-max(spacing), max(spacing)) / steep
    found = probes.T - (step[:, None] * slopes).flatten(2)
    near = near.flatten(1)[:, None]
    return torch.where(near, found, 2.0).amin(2), torch.where(near, found, -2.0).amax(2)
