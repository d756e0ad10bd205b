"""The grid of a field on an accelerator: evaluated at every corner, as that is faster there than to exclude cells."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nfgen.fields.mlp import evaluate_on_grid
from nfgen.fields.spec import FieldSpec

from .sparse_grid import SurfaceGrid, corners_of


def full_grid(spec: FieldSpec, weights: Float[Tensor, "weights"], resolution: int, margin: float) -> SurfaceGrid:
    """What `surface_grid` finds, from all values: cells with a corner within `margin` of zero, or with both signs."""
    side = resolution + 1
    line = torch.linspace(-1, 1, side, device=weights.device)[None]
    # Values have the first coordinate fastest, the grid has it slowest.
    values = evaluate_on_grid(spec, weights[None], [line] * spec.dims)[0].reshape((side,) * spec.dims).permute(2, 1, 0)
    values = values if spec.output == "sdf" else -values
    above, below = (values > margin).cpu().numpy(), (values < -margin).cpu().numpy()
    outside, inside = _of_all_corners(above), _of_all_corners(below)
    corners = corners_of(~(outside | inside))
    return SurfaceGrid(inside, corners, values.cpu().numpy()[corners])


def _of_all_corners(holds: np.ndarray) -> np.ndarray:
    """Cells [r, r, r] of which all corners [r + 1, r + 1, r + 1] hold."""
    for axis in range(holds.ndim):
        moved = holds.swapaxes(0, axis)
        holds = (moved[:-1] & moved[1:]).swapaxes(0, axis)
    return holds
