"""Jensen-Shannon divergence between where the points of two sets of clouds lie."""

import numpy as np
import numpy.typing as npt

from nfgen.errors import ConfigError
from nfgen.metrics.clouds import Floats, as_clouds
from nfgen.metrics.scores import Indices, Score, half_samples

RESOLUTION = 28  # of Achlioptas et al. 2018
JSD_DRAWS = 200  # each draw sums 22,000 cells a cloud; the interval needs no more


def jsd(
    generated: npt.ArrayLike, reference: npt.ArrayLike, extent: float = 1.0, resolution: int = RESOLUTION, seed: int = 0
) -> Score:
    """Divergence of the two sets' points over the cells of a grid, 0 (alike) to 1 (apart), with its interval.

    Achlioptas et al. 2018 (https://arxiv.org/abs/1707.02392), to base 2. Here all 28^3 cells of the cube count, not
    only those within a sphere; points outside the cube count for the cell that is nearest.

    Args:
        generated: [G, points, 3].
        reference: [R, points, 3].
        extent: half the side of the cube around the origin: 1 for the frame's coordinates, 3 for z-scored clouds.
        resolution: cells along a side.
        seed: of the half samples.

    Raises:
        NfgenError: empty or not finite clouds.
        ConfigError: an extent that is not positive or a resolution below 1.
    """
    if not extent > 0 or resolution < 1:
        raise ConfigError(f"a grid of {resolution} cells over {extent}", "give a positive extent and one cell at least")
    first = _counts(as_clouds(generated, "generated"), extent, resolution)
    second = _counts(as_clouds(reference, "reference"), extent, resolution)

    def statistic(rows: Indices, columns: Indices) -> npt.NDArray[np.float64]:
        return np.array([_divergence(first[rows].sum(axis=0), second[columns].sum(axis=0))])

    return half_samples(statistic, len(first), len(second), most=[1.0], seed=seed, draws=JSD_DRAWS)[0]


def _counts(clouds: Floats, extent: float, resolution: int) -> npt.NDArray[np.int32]:
    """Points of each cloud in each cell, [clouds, resolution^3]."""
    cell = np.clip(np.floor((clouds.astype(np.float64) / extent + 1) / 2 * resolution), 0, resolution - 1).astype(
        np.int64
    )
    flat = (cell[..., 0] * resolution + cell[..., 1]) * resolution + cell[..., 2]
    return np.stack([np.bincount(row, minlength=resolution**3) for row in flat]).astype(np.int32)


def _divergence(first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> float:
    p, q = first / first.sum(), second / second.sum()
    middle = (p + q) / 2
    return float((_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2)


def _relative_entropy(p: npt.NDArray[np.float64], q: npt.NDArray[np.float64]) -> float:
    there = p > 0
    return float((p[there] * np.log2(p[there] / q[there])).sum())
