"""Surfaces of fields as watertight meshes."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nfgen.errors import ConfigError
from nfgen.fields.resolution import RESOLUTION
from nfgen.fields.spec import FieldSpec
from nfgen.runtime.device import is_cpu

from .full_grid import full_grid
from .sparse_grid import surface_grid

if TYPE_CHECKING:
    import trimesh

ROUNDING = 1e-3  # cells: a value this close to zero may change its sign when it is computed in another order
CLEARANCE = 1e-3  # cells between a vertex and the corners of its edge: with 1,024 cells still 30 steps of float32
OUTSIDE = 1.0  # beyond the border: any positive number
ROOT = 8  # see `_compress`
SMALLEST, LARGEST = 1e-16, 1e8  # absolute values are clipped to this range: their roots differ by at most 1,000 times


def grid_points(resolution: int) -> Float[Tensor, "points 3"]:
    """The corners [resolution^3, 3] of a regular grid over [-1, 1]^3, last coordinate fastest."""
    line = torch.linspace(-1, 1, resolution)
    return torch.cartesian_prod(line, line, line)


def extract_mesh(spec: FieldSpec, weights: Float[Tensor, "weights"], resolution: int = RESOLUTION) -> "trimesh.Trimesh":
    """The zero level of a 3-D field by marching cubes (Lorensen and Cline 1987).

    The field is evaluated only where proven bounds do not exclude its surface, or everywhere on an accelerator. The
    grid is padded with outside, so that the mesh is watertight even where the shape touches the border, and faces are
    oriented outwards. A field without a surface gives a mesh without faces.

    Args:
        resolution: cells along each axis.

    Raises:
        ConfigError: if the field is not an SDF or occupancy in 3-D, or its values are not finite.
    """
    if spec.dims != 3 or spec.output == "brightness":
        raise ConfigError("only signed distance and occupancy fields in 3-D have a mesh", "use Field.image")
    find_grid = surface_grid if is_cpu(weights.device) else full_grid
    grid = find_grid(spec, weights, resolution, ROUNDING * 2 / resolution)
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
    inner[grid.corners] = _compress(grid.values)
    return _mesh(padded, passable)


def mesh_from_grid(values: np.ndarray) -> "trimesh.Trimesh":
    """The zero level of values [n, n, n] on the corners of a grid over [-1, 1]^3, negative inside."""
    _check_finite(values)
    return _mesh(np.pad(_compress(values), 1, constant_values=OUTSIDE))


def _check_finite(values: np.ndarray) -> None:
    if not np.isfinite(values).all():
        raise ConfigError("the field has values that are not finite", "generate or fit it again")


def _compress(values: np.ndarray) -> np.ndarray:
    """Signed eighth roots, whose zero level crosses every edge of the grid well between its two corners.

    Roots keep signs and the order of products, and so the decisions of marching cubes on ambiguous faces.
    """
    roots = np.abs(values).clip(SMALLEST, LARGEST) ** np.float32(1 / ROOT)
    return np.where(values < 0, -roots, roots)


def _mesh(roots: np.ndarray, passable: np.ndarray | None = None) -> "trimesh.Trimesh":
    """The zero level of compressed values with a layer of outside around them, between the corners that are true.

    Marching cubes makes one vertex on each edge of the grid that crosses the level, and a closed surface of them. Where
    the level passes through a corner, all vertices around it would fall together in a file; so each vertex keeps a
    clearance from both ends of its edge.
    """
    # Here, as those who only evaluate fields should not wait for libraries of meshes.
    import trimesh
    from skimage.measure import marching_cubes

    if roots.min() >= 0:
        return trimesh.Trimesh()
    vertices, faces, _, _ = marching_cubes(roots, 0.0, mask=passable)
    low = np.floor(vertices + CLEARANCE / 10).astype(np.int64)
    along = vertices - low > CLEARANCE / 10  # the axis of the vertex's edge
    on_edge = along.sum(axis=1) == 1
    ends = low, low + (along & on_edge[:, None])
    before, after = (np.abs(roots[tuple(end.T)].astype(np.float64)) ** ROOT for end in ends)
    crossing = (before / (before + after)).clip(CLEARANCE, 1 - CLEARANCE)
    positions = _from_padded(low + along * crossing[:, None], len(roots) - 3)

    # Some ambiguous cells have one more vertex in their middle: the mean of those that it is joined to.
    fans = faces[~on_edge[faces].all(axis=1)]
    joined = on_edge[fans]
    middles = fans[~joined]
    positions[~on_edge] = 0
    np.add.at(positions, middles, positions[fans[joined]].reshape(-1, 2, 3).mean(axis=1))
    positions[~on_edge] /= np.bincount(middles, minlength=len(positions))[~on_edge, None]
    return trimesh.Trimesh(positions, faces, process=False)


def _from_padded(indices: np.ndarray, cells: int) -> np.ndarray:
    """Coordinates in [-1, 1] of indices into a padded grid.

    What lies beyond the outermost corners is cut off at the sides of the cube. These corners themselves stand half a
    clearance inside, so that vertices on the edges that leave the cube do not fall together at its rims.
    """
    half = CLEARANCE / cells
    first = np.array([1 - CLEARANCE, 1, 1 + CLEARANCE])
    return np.interp(indices, [*first, *(first + cells)], [-1, half - 1, 2 * half - 1, 1 - 2 * half, 1 - half, 1])
