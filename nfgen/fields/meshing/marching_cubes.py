"""Surfaces of fields as watertight meshes."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nfgen.errors import ConfigError
from nfgen.fields.spec import FieldSpec

from .sparse_grid import surface_grid

if TYPE_CHECKING:
    import trimesh

ON_CORNER = 1e-3  # cells
OUTSIDE = 1.0  # beyond the border; the mesh is cut off there, so that any positive number does


def grid_points(resolution: int, dims: int = 3) -> Float[Tensor, "points dims"]:
    """The corners [resolution^d, d] of a regular grid over [-1, 1]^d, last coordinate fastest."""
    line = torch.linspace(-1, 1, resolution)
    return torch.stack(torch.meshgrid(*[line] * dims, indexing="ij"), dim=-1).reshape(-1, dims)


def extract_mesh(spec: FieldSpec, weights: Float[Tensor, "weights"], resolution: int = 128) -> "trimesh.Trimesh":
    """The zero level of a 3-D field by marching cubes (Lorensen and Cline 1987).

    The field is evaluated only where proven bounds do not exclude its surface. The grid is padded with outside, so that
    the mesh is watertight even where the shape touches the border, and faces are oriented outwards. A field without a
    surface gives a mesh without faces.

    Args:
        resolution: cells along each axis.

    Raises:
        ConfigError: if the field is not an SDF or occupancy in 3-D, or its values are not finite.
    """
    if spec.dims != 3 or spec.output == "brightness":
        raise ConfigError("only signed distance and occupancy fields in 3-D have a mesh", "use Field.image")
    grid = surface_grid(spec, weights, resolution, ON_CORNER * 2 / resolution)
    _check_finite(grid.values)
    padded = np.full((resolution + 3,) * 3, OUTSIDE, np.float32)
    inner = padded[1:-1, 1:-1, 1:-1]
    # A corner takes the sign of the cell above it, the last ones of that below; where the surface may pass, it has a
    # value of its own.
    inner[:-1, :-1, :-1][grid.inside] = -1
    passable = np.pad(grid.corners, 1)
    for axis in range(3):
        inner.swapaxes(0, axis)[-1] = inner.swapaxes(0, axis)[-2]
        # Where inside meets the border, the cells beyond it hold the surface.
        passable.swapaxes(0, axis)[[0, 1, -2, -1]] = True
    inner[grid.corners] = _off_corners(grid.values, 2 / resolution)
    return _mesh(padded, passable)


def mesh_from_grid(values: np.ndarray) -> "trimesh.Trimesh":
    """The zero level of values [n, n, n] on the corners of a grid over [-1, 1]^3, negative inside."""
    _check_finite(values)
    return _mesh(np.pad(_off_corners(values, 2 / (len(values) - 1)), 1, constant_values=OUTSIDE))


def _check_finite(values: np.ndarray) -> None:
    if not np.isfinite(values).all():
        raise ConfigError("the field has values that are not finite", "generate or fit it again")


def _off_corners(values: np.ndarray, step: float) -> np.ndarray:
    """A level that passes through a corner gives triangles of no area there, and without them a mesh with holes: such
    corners are taken to lie outside, by a thousandth of a cell."""
    return np.where(np.abs(values) < ON_CORNER * step, np.float32(ON_CORNER * step), values)


def _mesh(padded: np.ndarray, corners: np.ndarray | None = None) -> "trimesh.Trimesh":
    """The zero level of a grid with one cell beyond the border, between the corners that are true."""
    # Here, as those who only evaluate fields should not wait for libraries of meshes.
    import trimesh
    from skimage.measure import marching_cubes

    if padded.min() >= 0:
        return trimesh.Trimesh()
    vertices, faces, _, _ = marching_cubes(padded, 0.0, allow_degenerate=False, mask=corners)
    vertices = np.clip((vertices - 1) * (2 / (len(padded) - 3)) - 1, -1, 1)
    return trimesh.Trimesh(vertices, faces, process=False)
