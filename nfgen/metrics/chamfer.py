"""Chamfer distances between all pairs of two sets of point clouds, exact, without looking at every pair of points.

Each cloud is cut into spatial blocks of about 32 points, as a k-d tree would. Of a pair of clouds, first the blocks
whose centres are nearest to each other are compared; the worst nearest distance found in a block bounds how far its
points need to look, and only the pairs of blocks whose boxes are closer than that are compared next. A comparison is a
small matrix product, and gives the nearest distances in both directions.
"""

import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from nfgen.metrics.clouds import Floats, as_clouds
from nfgen.progress import progress

BLOCK_POINTS = 32  # smaller blocks prune more but make the products too small to be fast: measured 16 to 128
SEEDS = 2.0  # blocks within this ratio of the least squared distance of centres go first: measured 1 to 3
TILES = 256  # pairs of blocks in one product: 1 MB of distances, which stays in the cache of a core
CLOUDS = 16  # clouds compared with one cloud at once; bounds the memory of a thread to some 20 MB
RECHECK = 1e-4  # float32 products lose digits by cancellation: below this share of the squared extent, use trees

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Blocks:
    """Clouds cut into blocks: everything a comparison needs, computed once a cloud."""

    left: Tensor
    """[clouds, blocks, points, 5]: (x, |x|^2, 1)."""
    right: Tensor
    """[clouds, blocks, 5, points]: (-2 y, 1, |y|^2); left @ right is the squared distance."""
    low: Tensor
    """[clouds, blocks, 3], the lower corners of the bounding boxes."""
    high: Tensor
    """[clouds, blocks, 3], the upper corners."""
    weight: Tensor
    """[clouds, blocks, points]: 1 / points of the cloud, and 0 for the repeated points that fill up the blocks."""
    radius: Matrix
    """[clouds], the largest distance from the common centre."""


def chamfer_matrix(a: npt.ArrayLike, b: npt.ArrayLike | None = None, workers: int | None = None) -> Matrix:
    """Chamfer distance of every cloud of `a` to every cloud of `b`.

    CD(X, Y) = mean over x of min over y of |x - y|^2 + mean over y of min over x of |x - y|^2
    (Achlioptas et al. 2018, https://arxiv.org/abs/1707.02392, with means instead of sums).

    Args:
        a: [A, points, 3].
        b: [B, points, 3], another number of points is fine; None compares `a` with itself at half the work.
        workers: threads; None takes one a core.

    Returns:
        float64 [A, B] in squared units of the coordinates. Errors are of the order of 1e-7 of the squared extent;
        distances below 1e-4 of it are computed anew in float64, so that copies are at exactly 0 in any order of points.

    Raises:
        NfgenError: empty, not finite or not [clouds, points, 3].
    """
    first = as_clouds(a, "a")
    second = first if b is None else as_clouds(b, "b")
    centre = np.concatenate([first.reshape(-1, 3), second.reshape(-1, 3)]).mean(axis=0, dtype=np.float64)
    rows = _cut(first, centre)
    columns = rows if b is None else _cut(second, centre)
    out = np.zeros((len(first), len(second)))
    workers = workers or len(os.sched_getaffinity(0))

    def compare(row: int) -> Matrix:
        return _compare_row(rows, row, columns, row + 1 if b is None else 0)

    with progress(len(first), "compare", "cloud") as bar, _one_thread_each(), ThreadPoolExecutor(workers) as pool:
        for row, distances in enumerate(pool.map(compare, range(len(first)))):
            out[row, len(second) - len(distances) :] = distances
            bar.update()
    extent = np.maximum(rows.radius[:, None], columns.radius[None]) ** 2
    for i, j in np.argwhere(out < RECHECK * extent):
        if b is not None or i < j:
            out[i, j] = _chamfer_in_float64(first[i], second[j])
    return out + out.T if b is None else out


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Keep torch from starting threads inside the workers, where they would fight for the same cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _cut(clouds: Floats, centre: npt.NDArray[np.float64]) -> _Blocks:
    """Halve each cloud along the longest side of its box until the blocks are small."""
    count, points, _ = clouds.shape
    depth = max(0, round(np.log2(points / BLOCK_POINTS)))
    size = -(-points // 2**depth)
    padded = torch.from_numpy((clouds - centre).astype(np.float32))
    index = torch.arange(size * 2**depth)
    padded = padded[:, index % points]
    weight = (index < points).expand(count, -1) / points
    for level in range(depth):
        parts = padded.reshape(count * 2**level, -1, 3)
        longest = (parts.amax(1) - parts.amin(1)).argmax(1)
        order = parts[torch.arange(len(parts)), :, longest].argsort(1)
        padded = parts.gather(1, order[..., None].expand(-1, -1, 3))
        weight = weight.reshape(len(parts), -1).gather(1, order)
    x = padded.reshape(count, 2**depth, size, 3)
    norm = (x * x).sum(-1, keepdim=True)
    one = torch.ones_like(norm)
    return _Blocks(
        left=torch.cat([x, norm, one], -1),
        right=torch.cat([-2 * x, one, norm], -1).transpose(2, 3).contiguous(),
        low=x.amin(2),
        high=x.amax(2),
        weight=weight.reshape(count, 2**depth, size),
        radius=norm.amax((1, 2, 3)).sqrt().double().numpy(),
    )


def _compare_row(rows: _Blocks, row: int, columns: _Blocks, start: int) -> Matrix:
    """Chamfer distances of cloud `row` to the clouds from `start` on, [columns - start]."""
    torch.set_num_threads(1)  # the setting is each thread's own
    stops = range(start, len(columns.low), CLOUDS)
    parts = [_compare_group(rows, row, columns, slice(stop, stop + CLOUDS)) for stop in stops]
    return np.concatenate(parts) if parts else np.zeros(0)


def _compare_group(rows: _Blocks, row: int, columns: _Blocks, group: slice) -> Matrix:
    left, right = rows.left[row], columns.right[group]
    low, high, others_low, others_high = rows.low[row], rows.high[row], columns.low[group], columns.high[group]
    clouds, blocks, others = len(right), len(left), right.shape[1]
    gap = torch.zeros(clouds, blocks, others)
    apart = torch.zeros(clouds, blocks, others)
    for axis in range(3):
        lo, hi = low[None, :, None, axis], high[None, :, None, axis]
        other_lo, other_hi = others_low[:, None, :, axis], others_high[:, None, :, axis]
        side = torch.maximum(lo - other_hi, other_lo - hi).clamp_(min=0)
        gap.addcmul_(side, side)
        side = (lo + hi) - (other_lo + other_hi)
        apart.addcmul_(side, side)

    seeds = (apart <= SEEDS * apart.amin(2, keepdim=True)) | (apart <= SEEDS * apart.amin(1, keepdim=True))
    nearest_row = torch.full((clouds * blocks, left.shape[1]), torch.inf)
    nearest_column = torch.full((clouds * others, right.shape[3]), torch.inf)
    _visit(seeds, left, right, nearest_row, nearest_column)
    row_bound = nearest_row.amax(1).reshape(clouds, blocks, 1)
    column_bound = nearest_column.amax(1).reshape(clouds, 1, others)
    _visit((gap < torch.maximum(row_bound, column_bound)) & ~seeds, left, right, nearest_row, nearest_column)

    from_row = nearest_row.clamp_(min=0).reshape(clouds, -1).double() @ rows.weight[row].reshape(-1).double()
    to_row = (nearest_column.clamp_(min=0).reshape(clouds, -1) * columns.weight[group].reshape(clouds, -1)).double()
    return (from_row + to_row.sum(1)).numpy()


def _visit(tiles: Tensor, left: Tensor, right: Tensor, nearest_row: Tensor, nearest_column: Tensor) -> None:
    """Compare the pairs of blocks that `tiles` [clouds, blocks, others] marks; lower both arrays of nearest."""
    clouds, blocks, others = tiles.shape
    cloud, block, other = tiles.nonzero(as_tuple=True)
    if not len(cloud):
        return
    in_row, in_column = cloud * blocks + block, cloud * others + other
    flat = right.reshape(clouds * others, *right.shape[2:])
    row_minima = torch.empty(len(cloud), left.shape[1])
    column_minima = torch.empty(len(cloud), right.shape[3])
    # One buffer for all products: a new one each time is memory that the system has to clear first.
    buffer = torch.empty(min(TILES, len(cloud)), left.shape[1], right.shape[3])
    for start in range(0, len(cloud), TILES):
        part = slice(start, start + TILES)
        squared = buffer[: len(cloud[part])]
        torch.bmm(left.index_select(0, block[part]), flat.index_select(0, in_column[part]), out=squared)
        torch.amin(squared, 2, out=row_minima[part])
        torch.amin(squared, 1, out=column_minima[part])
    nearest_row.scatter_reduce_(0, in_row[:, None].expand_as(row_minima), row_minima, "amin")
    nearest_column.scatter_reduce_(0, in_column[:, None].expand_as(column_minima), column_minima, "amin")


def _chamfer_in_float64(x: Floats, y: Floats) -> float:
    forth, _ = cKDTree(y).query(x)
    back, _ = cKDTree(x).query(y)
    return float((forth**2).mean() + (back**2).mean())
