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
from jaxtyping import Float
from torch import Tensor

from nfgen.fields.spec import FieldSpec

from .bounds import Bounds
from .grid_index import all_places, raster
from .piecewise import RegionalGrid
from .spline_field import SplineField

COARSEST = 32  # blocks along an axis to start with, at least: larger ones are hardly ever decided
FINEST = 4  # cells along a block that is not halved: the line through it decides cell by cell


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
    size = _block_size(resolution)
    along = math.ceil(resolution / size)
    field = SplineField.recognise(spec, weights, resolution) or RegionalGrid(spec, weights, resolution, size)

    blocks, known = all_places(along), np.zeros((along,) * 3, np.int8)
    while size > 1:
        parts = 2 if size > FINEST else size  # cells, at last
        signs = _signs_of_parts(field.bounds(blocks, size), parts, margin)
        for axis in range(3):
            known = known.repeat(parts, axis)
        offsets = all_places(parts)
        index = raster(blocks * parts, len(known))[:, None] + raster(offsets, len(known))
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
    values = field.values(at).mul_(sign)
    return SurfaceGrid(known < 0 if sign > 0 else known > 0, corners, values.numpy())


def _block_size(resolution: int) -> int:
    """Cells along a block to start with: few enough, and halved so often that at most `FINEST` remain."""
    size = max(1, resolution // COARSEST)
    halvings = max(0, math.ceil(math.log2(size / FINEST)))
    return math.ceil(size / 2**halvings) * 2**halvings


def _signs_of_parts(bounds: Bounds, parts: int, margin: float) -> Tensor:
    """Signs int8 [b, parts^3] of the parts of boxes, 0 where a part may hold a value within `margin` of zero."""
    centres = (all_places(parts) + 0.5) * (2 / parts) - 1
    values = torch.addmm(bounds.centre[:, None], bounds.slopes, centres.T)
    reach = bounds.slopes.abs().sum(1).div_(parts).add_(bounds.slack).add_(margin)[:, None]
    # Bounds that are not finite decide nothing.
    return (values > reach).to(torch.int8).sub_((values < -reach).to(torch.int8))


def corners_of(cells: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Corners of the cells, each cell having one below and one above along each axis."""
    for axis in range(3):
        below = ((0, 0),) * axis + ((0, 1),) + ((0, 0),) * (2 - axis)
        above = ((0, 0),) * axis + ((1, 0),) + ((0, 0),) * (2 - axis)
        cells = np.pad(cells, below) | np.pad(cells, above)
    return cells
