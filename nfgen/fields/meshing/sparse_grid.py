"""Values of a field on a fine grid, only where its surface can be: coarse to fine, with nothing missed.

    blocks of cells ──proven bounds──▶ inside, outside, or undecided ──halved──▶ … ──▶ single cells ──▶ their corners

A cell is left out only where the bounds prove that all of it is on one side, so that marching cubes over the cells that
remain gives the mesh that it gives over all of them.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nfgen.fields.mlp import fourier_features
from nfgen.fields.spec import FieldSpec

from .bounds import Bounds
from .piecewise import RegionalField

COARSEST = 32  # blocks along an axis to start with, at least: larger ones are hardly ever decided
FINEST = 4  # cells along a block that is not halved: the line through it decides cell by cell
REGIONS = 8  # along an axis, at most


class SurfaceGrid(NamedTuple):
    """What is known of a 3-D field on a grid of r cells along each axis of [-1, 1]^3."""

    inside: npt.NDArray[np.bool_]
    """Of the cells [r, r, r] that the surface cannot pass, which are inside."""
    corners: npt.NDArray[np.bool_]
    """Which of the corners [r + 1, r + 1, r + 1] belong to other cells."""
    values: npt.NDArray[np.float32]
    """The field at those corners in raster order, negative inside."""


@torch.inference_mode()
def surface_grid(spec: FieldSpec, weights: Float[Tensor, "weights"], resolution: int, margin: float) -> SurfaceGrid:
    """Find the cells in which a field can come nearer to zero than `margin`, and evaluate it at their corners."""
    sign = 1.0 if spec.output == "sdf" else -1.0
    step = 2 / resolution
    size = _block_size(resolution)
    along = math.ceil(resolution / size)
    region_size = size * math.ceil(along / REGIONS)  # so that no block crosses a border
    regions_along = math.ceil(resolution / region_size)
    whole = RegionalField(spec, weights, *_boxes(_all_indices(regions_along), region_size * step))

    blocks, known = _all_indices(along), np.zeros((along,) * 3, np.int8)
    while size > 1:
        region = _flat(torch.div(blocks * size, region_size, rounding_mode="floor"), regions_along)
        bounds = whole.bounds(*_boxes(blocks, size * step), region)
        parts = 2 if size > FINEST else size  # cells, at last
        signs = _signs_of_parts(bounds, parts, margin)
        for axis in range(3):
            known = known.repeat(parts, axis)
        offsets = _all_indices(parts)
        index = _flat(blocks * parts, len(known))[:, None] + _flat(offsets, len(known))
        known.reshape(-1)[index.numpy()] = signs.numpy()
        size //= parts
        if size > 1:
            blocks = (blocks[:, None] * parts + offsets)[signs == 0]

    known = known[:resolution, :resolution, :resolution]
    corners = corners_of(known == 0)
    index = torch.from_numpy(np.flatnonzero(corners).astype(np.int32))
    side = resolution + 1
    rest = index % side**2
    at = torch.stack([index // side**2, rest // side, rest % side], dim=1)
    region = _flat((at // region_size).clamp_(max=regions_along - 1), regions_along)
    # A feature depends on one coordinate, so that those of the grid's lines are all there are.
    of_line = fourier_features(spec, torch.linspace(-1, 1, side)[:, None])
    values = whole.values(lambda items: of_line[at[items]].mT.flatten(-2), region).mul_(sign)
    return SurfaceGrid(known < 0 if sign > 0 else known > 0, corners, values.numpy())


def _block_size(resolution: int) -> int:
    """Cells along a block to start with: few enough, and halved so often that at most `FINEST` remain."""
    size = max(1, resolution // COARSEST)
    halvings = max(0, math.ceil(math.log2(size / FINEST)))
    return math.ceil(size / 2**halvings) * 2**halvings


def _signs_of_parts(bounds: Bounds, parts: int, margin: float) -> Tensor:
    """Signs int8 [b, parts^3] of the parts of boxes, 0 where a part may hold a value within `margin` of zero."""
    centres = (_all_indices(parts) + 0.5) * (2 / parts) - 1
    values = torch.addmm(bounds.centre[:, None], bounds.slopes, centres.T)
    reach = bounds.slopes.abs().sum(1).div_(parts).add_(bounds.slack).add_(margin)[:, None]
    # Bounds that are not finite decide nothing.
    return (values > reach).to(torch.int8).sub_((values < -reach).to(torch.int8))


def _all_indices(along: int) -> Int[Tensor, "all 3"]:
    line = torch.arange(along)
    return torch.cartesian_prod(line, line, line)


def _flat(index: Int[Tensor, "some 3"], along: int) -> Int[Tensor, "some"]:
    return (index[:, 0] * along + index[:, 1]) * along + index[:, 2]


def _boxes(index: Int[Tensor, "boxes 3"], width: float) -> tuple[Float[Tensor, "boxes 3"], Float[Tensor, "3"]]:
    """Centres and half-widths of the cubes of a grid that begins at (-1, -1, -1)."""
    return (index + 0.5) * width - 1, torch.full((3,), width / 2)


def corners_of(cells: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Corners of the cells, each cell having one below and one above along each axis."""
    for axis in range(3):
        below = ((0, 0),) * axis + ((0, 1),) + ((0, 0),) * (2 - axis)
        above = ((0, 0),) * axis + ((1, 0),) + ((0, 0),) * (2 - axis)
        cells = np.pad(cells, below) | np.pad(cells, above)
    return cells
