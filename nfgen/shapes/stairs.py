"""The stairs of voxels: a smooth surface through them, on which what is thin stays as thick as it was."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .base import Floats
from .mesh_distance import signed_distance

SHRINK, PASS_BAND, ROUNDS = 0.5, 0.1, 40  # of Taubin's filter: a slope of one voxel in four becomes flat
MOST_MOVED = 0.5  # voxels along each axis
THIN = 2.0  # voxels from the surface to the middle of a part, up to which smoothing may take of its thickness


def without_stairs(vertices: Floats, faces: NDArray[np.int64], solid: NDArray[np.bool_]) -> Floats:
    """Smooth the surface between solid and empty voxels.

    The filter is Taubin's (1995, "A signal processing approach to fair surface design"), which does not shrink what is
    large beside a voxel. A rod of one voxel is not, and would shrink to a line. So each place is pushed outwards again
    by what the part around it has lost of its inner radius. No place moves by more than half a voxel along an axis.

    Args:
        vertices: [v, 3] of a closed surface, in voxels; each halfway between a solid and an empty voxel.
        faces: [f, 3] of them.
        solid: [x, y, z]; voxel i's centre is at i, and the outermost voxels are empty.
    """
    import trimesh

    mesh = trimesh.Trimesh(vertices, faces, process=False)
    laplacian = trimesh.smoothing.laplacian_calculation(mesh)
    trimesh.smoothing.filter_taubin(mesh, SHRINK, 1 / (1 / SHRINK - PASS_BAND), 2 * ROUNDS, laplacian)
    smooth = np.ascontiguousarray(mesh.vertices, np.float64)
    low, high = np.floor(vertices).astype(int), np.ceil(vertices).astype(int)
    inner = np.where(solid[tuple(low.T)][:, None], low, high)
    lost = _lost_radius(smooth, faces, solid)[tuple(inner.T)]
    for _ in range(2):  # that it does not change from voxel to voxel
        lost = (lost + laplacian @ lost) / 2
    smooth += lost[:, None] * (low + high - 2 * inner)
    moved: Floats = vertices + np.clip(smooth - vertices, -MOST_MOVED, MOST_MOVED)
    return moved


def _lost_radius(vertices: Floats, faces: NDArray[np.int64], solid: NDArray[np.bool_]) -> Floats:
    """By how much the largest ball about a voxel next to each one became smaller, [x, y, z], in voxels."""
    before = np.where(solid, ndimage.distance_transform_edt(solid) - 0.5, -1.0)
    near = solid & (before < THIN)
    centres = np.argwhere(near).astype(np.float64)
    after = before.copy()
    after[near] = -signed_distance(centres, vertices, faces)
    lost: Floats = ndimage.maximum_filter(before, 3) - ndimage.maximum_filter(after, 3)
    return lost.clip(min=0)
