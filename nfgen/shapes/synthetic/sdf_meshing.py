"""Meshes of signed distance functions: marching cubes on a grid that is evaluated only near the surface."""

import numpy as np
import trimesh
from numpy.typing import NDArray
from skimage.measure import marching_cubes

from nfgen.errors import ConfigError, ShapeError

from .sdf import SDF

BLOCK = 4  # grid points a side that are taken or left together: measured fastest of 3 to 8
ZERO_SHIFT = 1e-3  # of a cell: a grid point this near to the surface would give triangles without area


def mesh_sdf(sdf: SDF, resolution: int = 96) -> trimesh.Trimesh:
    """Mesh a shape that lies within [-1, 1]^3.

    The distance is evaluated in the middles of blocks first; a block is left out when the surface cannot reach it,
    which a 1-Lipschitz function tells (see `nfgen.shapes.synthetic.sdf`).

    Args:
        sdf: the shape; only its values' signs matter away from the surface.
        resolution: grid points along each side of [-1, 1]^3; parts thinner than about 2.5 cells of 2 / resolution
            may tear.

    Returns:
        A watertight mesh, its triangles facing outwards; coordinate units.

    Raises:
        ConfigError: for a resolution below 8.
        ShapeError: if the shape is empty on this grid or reaches beyond it.
    """
    if resolution < 8:
        raise ConfigError(f"a shape cannot be meshed at resolution {resolution}", "give a resolution of at least 8")
    cell = 2.0 / (resolution - 1)
    blocks = -(-(resolution + 2) // BLOCK)  # one cell of space around the cube, so that nothing is cut
    count = blocks * BLOCK
    line = ((np.arange(count) - (count - 1) / 2) * cell).astype(np.float32)

    middles = line.reshape(blocks, BLOCK).mean(axis=1)
    coarse = sdf(_grid(middles, middles, middles))
    reach = np.sqrt(3) * cell * ((BLOCK - 1) / 2 + 1)  # to the farthest of the block's points and their neighbours
    near = np.flatnonzero(np.abs(coarse) < reach)
    if len(near) == 0:
        raise ShapeError("the shape is empty", "give parameters whose parts are thicker than a few grid cells")
    values = np.broadcast_to(coarse.reshape(blocks, 1, blocks, 1, blocks, 1), (blocks, BLOCK) * 3).copy()
    i, j, k = np.unravel_index(near, (blocks,) * 3)
    offsets = _grid(*[(np.arange(BLOCK) - (BLOCK - 1) / 2).astype(np.float32) * np.float32(cell)] * 3)
    centres = np.stack([middles[i], middles[j], middles[k]], axis=1)
    fine = sdf((centres[:, None, :] + offsets).reshape(-1, 3))
    shift = np.float32(ZERO_SHIFT * cell)
    fine = np.where(np.abs(fine) < shift, np.where(fine < 0, -shift, shift), fine)
    values[i, :, j, :, k, :] = fine.reshape(-1, BLOCK, BLOCK, BLOCK)
    values = values.reshape(count, count, count)

    lower = np.array([i.min(), j.min(), k.min()]) * BLOCK
    upper = (np.array([i.max(), j.max(), k.max()]) + 1) * BLOCK
    cut = values[tuple(slice(max(low - 1, 0), high + 1) for low, high in zip(lower, upper, strict=True))]
    if not (cut.min() < 0 < cut.max()):
        raise ShapeError("the shape is empty", "give parameters whose parts are thicker than a few grid cells")
    vertices, faces, _, _ = marching_cubes(cut, 0.0)
    vertices = vertices.astype(np.float64) * cell + line[np.maximum(lower - 1, 0)]
    if np.abs(vertices).max() > 1:
        raise ShapeError("the shape reaches beyond [-1, 1]^3", "give parameters that make it smaller")
    return trimesh.Trimesh(vertices, faces, process=False)


def _grid(*lines: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, 3)
