"""Signed distance to a triangle mesh: its size from the triangles, its sign from the winding number."""

import igl
import numpy as np
from numpy.typing import NDArray

from .base import Floats


def signed_distance(
    points: Floats, vertices: Floats, faces: NDArray[np.int64], solid: tuple[Floats, NDArray[np.int64]] | None = None
) -> Floats:
    """Exact distances of points [n, 3], negative where the generalised winding number exceeds 1/2 (Jacobson et al.
    2013; evaluated as in Barill et al. 2018).

    Args:
        vertices, faces: the triangles that the distance is taken to.
        solid: vertices and faces that decide the side, if others do.
    """
    points = np.ascontiguousarray(points, np.float64)
    squared, _, _ = igl.point_mesh_squared_distance(points, vertices, faces)
    inside = igl.fast_winding_number(*(solid or (vertices, faces)), points) > 0.5
    distance: Floats = np.sqrt(squared)
    return np.where(inside, -distance, distance)
