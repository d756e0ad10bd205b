"""Jensen-Shannon divergence between where the points of two sets of clouds lie."""

from collections.abc import Callable
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from scipy.special import rel_entr

from nfgen.errors import ConfigError

from .clouds import Floats, as_clouds
from .mmd_cov_nna import Indices, Score, half_samples

RESOLUTION = 28  # of Achlioptas et al. 2018
JSD_DRAWS = 200  # each draw sums 22,000 cells a cloud; the interval needs no more

Grid = Literal["cube", "pointflow"]


def jsd(
    generated: npt.ArrayLike,
    reference: npt.ArrayLike,
    extent: float = 1.0,
    resolution: int = RESOLUTION,
    seed: int = 0,
    grid: Grid = "cube",
) -> Score:
    """Divergence of the two sets' points over the cells of a grid, 0 (alike) to 1 (apart), with its interval.

    Achlioptas et al. 2018 (https://arxiv.org/abs/1707.02392), to base 2. There are two grids, whose values must not be
    compared:

    - `cube`: all 28^3 cells of the cube; points outside it count for the cell that is nearest.
    - `pointflow`: what the code of PointFlow prints, and with it those of HyperDiffusion and LION: 28^3 nodes from one
      side of the cube to the other, of which only those within the sphere count; each point counts for the nearest of
      these. With extent 0.5 values are theirs on the same clouds.

    Args:
        generated: [G, points, 3].
        reference: [R, points, 3].
        extent: half the side of the cube around the origin: 1 for the frame's coordinates, 3 for z-scored clouds.
        resolution: cells, or nodes, along a side.
        seed: of the half samples.
        grid: `cube` or `pointflow`.

    Raises:
        NfgenError: empty or not finite clouds.
        ConfigError: an extent that is not positive, a resolution below 1 (of nodes, below 2), or an unknown grid.
    """
    if grid not in CELLS:
        raise ConfigError(f"unknown grid {grid!r}", f"take one of {', '.join(CELLS)}")
    if not extent > 0 or resolution < (2 if grid == "pointflow" else 1):
        raise ConfigError(f"a grid of {resolution} cells over {extent}", "give a positive extent and one cell at least")
    first, second = (
        np.stack([np.bincount(row, minlength=resolution**3) for row in CELLS[grid](clouds, extent, resolution)])
        for clouds in (as_clouds(generated, "generated"), as_clouds(reference, "reference"))
    )

    def statistic(rows: Indices, columns: Indices) -> npt.NDArray[np.float64]:
        return np.array([_divergence(first[rows].sum(axis=0), second[columns].sum(axis=0))])

    return half_samples(statistic, len(first), len(second), most=[1.0], seed=seed, draws=JSD_DRAWS)[0]


def _cube_cells(clouds: Floats, extent: float, resolution: int) -> npt.NDArray[np.int64]:
    """The cell [clouds, points] of each point."""
    cell = np.floor((clouds.astype(np.float64) / extent + 1) / 2 * resolution)
    return _flat(np.clip(cell, 0, resolution - 1).astype(np.int64), resolution)


def _sphere_nodes(clouds: Floats, extent: float, resolution: int) -> npt.NDArray[np.int64]:
    """The nearest node within the sphere [clouds, points] of each point."""
    places = (clouds.astype(np.float64) / extent + 1) / 2 * (resolution - 1)
    nearest = np.clip(np.rint(places), 0, resolution - 1).astype(np.int64)
    nodes, tree = _sphere(resolution)
    outside = ((2 * nearest - (resolution - 1)) ** 2).sum(axis=2) > (resolution - 1) ** 2
    nearest[outside] = nodes[tree.query(places[outside])[1]]
    return _flat(nearest, resolution)


@cache
def _sphere(resolution: int) -> tuple[npt.NDArray[np.int64], cKDTree]:
    """The nodes [nodes, 3] of a grid that lie within the sphere which touches the grid's sides."""
    nodes = np.indices((resolution,) * 3).reshape(3, -1).T
    nodes = nodes[((2 * nodes - (resolution - 1)) ** 2).sum(axis=1) <= (resolution - 1) ** 2]
    return nodes, cKDTree(nodes)


def _flat(index: npt.NDArray[np.int64], resolution: int) -> npt.NDArray[np.int64]:
    flat: npt.NDArray[np.int64] = (index[..., 0] * resolution + index[..., 1]) * resolution + index[..., 2]
    return flat


CELLS: dict[str, Callable[[Floats, float, int], npt.NDArray[np.int64]]] = {
    "cube": _cube_cells,
    "pointflow": _sphere_nodes,
}


def _divergence(first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> float:
    p, q = first / first.sum(), second / second.sum()
    middle = (p + q) / 2
    return float((rel_entr(p, middle) + rel_entr(q, middle)).sum() / 2 / np.log(2))
