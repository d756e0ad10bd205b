"""Values of a field on a fine grid, only where its surface can be: coarse to fine, with nothing missed.

    blocks of cells ──proven bounds──▶ inside, outside, or undecided ──halved──▶ … ──▶ single cells ──▶ their corners

A cell is left out only where the bounds prove that all of it is on one side, so that marching cubes over the cells that
remain gives the mesh that it gives over all of them.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .bounds import Bounds
from .field import Field
from .regional import RegionalField

COARSEST = 32  # blocks along an axis to start with, at least: larger ones are hardly ever decided
FINEST = 4  # cells along a block that is not halved: the line through it decides cell by cell
REGIONS = 8  # along an axis, at most


class SurfaceGrid(NamedTuple):
    """What is known of a 3-D field on a grid of r cells along each axis of [-1, 1]^3."""

    inside: Bool[Tensor, "cells cells cells"]
    """Of the cells that the surface cannot pass, which are inside."""
    corners: Bool[Tensor, "corners corners corners"]
    """Corners of all other cells."""
    values: Float[Tensor, "corners"]
    """The field at those corners in raster order, negative inside."""


@torch.inference_mode()
def surface_grid(field: Field, resolution: int, margin: float) -> SurfaceGrid:
    """Find the cells in which a field can come nearer to zero than `margin`, and evaluate it at their corners."""
    sign = 1.0 if field.spec.output == "sdf" else -1.0
    size = 2 ** max(0, math.ceil(math.log2(resolution / (2 * COARSEST))) + 1)
    along = math.ceil(resolution / size)
    in_region = math.ceil(along / REGIONS)
    regions_along = math.ceil(along / in_region)
    in_region *= size
    step = 2 / resolution
    whole = RegionalField(field, *_boxes(_all_indices(regions_along), in_region * step))

    blocks, known = _all_indices(along), torch.zeros((along,) * 3, dtype=torch.int8)
    while size > 1:
        region = _flat(blocks * size // in_region, regions_along)
        bounds = whole.bounds(*_boxes(blocks, size * step), region)
        parts = 2 if size > FINEST else size
        signs = _signs_of_parts(bounds, parts, margin)
        known = (
            known[:, None, :, None, :, None].expand(-1, parts, -1, parts, -1, parts).reshape((len(known) * parts,) * 3)
        )
        offsets = _all_indices(parts)
        index = _flat(blocks * parts, len(known))[:, None] + _flat(offsets, len(known))
        known.view(-1)[index] = signs
        size //= parts
        if size > 1:
            undecided = signs == 0
            blocks = (blocks[:, None] * parts + offsets)[undecided]

    known = known[:resolution, :resolution, :resolution]
    corners = _corners(known == 0)
    at = corners.nonzero()
    line = torch.linspace(-1, 1, resolution + 1)
    region = _flat((at // in_region).clamp_(max=regions_along - 1), regions_along)
    return SurfaceGrid(known * sign < 0, corners, whole.values(line[at], region).mul_(sign))


def _signs_of_parts(bounds: Bounds, parts: int, margin: float) -> Tensor:
    """Signs int8 [b, parts^3] of the parts of boxes, 0 where a part may hold a value within `margin` of zero."""
    centres = (_all_indices(parts) + 0.5) * (2 / parts) - 1
    values = torch.addmm(bounds.centre[:, None], bounds.slopes, centres.T)
    reach = bounds.slopes.abs().sum(1).div_(parts).add_(bounds.slack).add_(margin)
    # Bounds that are not finite decide nothing.
    return (values > reach[:, None]).to(torch.int8) - (values < -reach[:, None]).to(torch.int8)


def _all_indices(along: int) -> Int[Tensor, "all 3"]:
    line = torch.arange(along)
    return torch.cartesian_prod(line, line, line)


def _flat(index: Int[Tensor, "some 3"], along: int) -> Int[Tensor, "some"]:
    return (index[:, 0] * along + index[:, 1]) * along + index[:, 2]


def _boxes(index: Int[Tensor, "boxes 3"], width: float) -> tuple[Float[Tensor, "boxes 3"], Float[Tensor, "3"]]:
    """Centres and half-widths of the cubes of a grid that begins at (-1, -1, -1)."""
    return (index + 0.5) * width - 1, torch.full((3,), width / 2)


def _corners(cells: Bool[Tensor, "cells cells cells"]) -> Bool[Tensor, "corners corners corners"]:
    for axis in range(3):
        edge = torch.zeros_like(cells.narrow(axis, 0, 1))
        cells = torch.cat([cells, edge], axis).logical_or_(torch.cat([edge, cells], axis))
    return cells
