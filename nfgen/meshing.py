"""Surfaces of fields as watertight meshes."""

import numpy as np
import torch
import trimesh
from jaxtyping import Float
from skimage.measure import marching_cubes
from torch import Tensor

from .errors import ConfigError
from .field import Field

ON_CORNER = 1e-3  # cells


def grid_points(resolution: int, dims: int = 3) -> Float[Tensor, "points dims"]:
    """The corners [resolution^d, d] of a regular grid over [-1, 1]^d, last coordinate fastest."""
    line = torch.linspace(-1, 1, resolution)
    return torch.stack(torch.meshgrid(*[line] * dims, indexing="ij"), dim=-1).reshape(-1, dims)


def extract_mesh(field: Field, resolution: int = 128) -> trimesh.Trimesh:
    """The zero level of a 3-D field by marching cubes (Lorensen and Cline 1987).

    The grid is padded with outside, so that the mesh is watertight even where the shape touches the border, and
    faces are oriented outwards. A field without a surface gives a mesh without faces.

    Args:
        resolution: cells along each axis.

    Raises:
        ConfigError: if the field is not an SDF or occupancy in 3-D, or its values are not finite.
    """
    spec = field.spec
    if spec.dims != 3 or spec.output == "brightness":
        raise ConfigError("only signed distance and occupancy fields in 3-D have a mesh", "use Field.image")
    values = field(grid_points(resolution + 1)).reshape((resolution + 1,) * 3).numpy()
    return mesh_from_grid(values if spec.output == "sdf" else -values)


def mesh_from_grid(values: np.ndarray) -> trimesh.Trimesh:
    """The zero level of values [n, n, n] on the corners of a grid over [-1, 1]^3, negative inside."""
    if not np.isfinite(values).all():
        raise ConfigError("the field has values that are not finite", "generate or fit it again")
    step = 2 / (len(values) - 1)
    # One cell beyond the border stands an outside value, so that the surface closes there.
    padded = np.pad(values, 1, constant_values=max(step, float(np.abs(values).max()) or step))
    # A level that passes through a corner gives triangles of no area there, and without them a mesh with holes:
    # such corners are taken to lie outside, by a thousandth of a cell.
    padded = np.where(np.abs(padded) < ON_CORNER * step, ON_CORNER * step, padded)
    if padded.min() >= 0:
        return trimesh.Trimesh()
    vertices, faces, _, _ = marching_cubes(padded, 0.0, allow_degenerate=False)
    vertices = np.clip((vertices - 1) * step - 1, -1, 1)
    return trimesh.Trimesh(vertices, faces, process=False)
