"""Chamfer distances between all pairs of two sets of point clouds, exact, without looking at every pair of points.

All query points, of all clouds together, are sorted into spatial groups of 64; as the clouds overlap, a group covers
little space. Each target cloud is cut into spatial blocks of 32 points. A group is first compared with the block that
is nearest to it; the largest distance found bounds the search, and only the blocks whose boxes are closer than that are
compared next. A comparison of one block with all the groups that need it is one matrix product.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from nfgen.runtime.device import CPU, is_cpu
from nfgen.runtime.machine import processors
from nfgen.runtime.progress import progress
from nfgen.runtime.threads import in_threads

from .clouds import Floats, as_clouds
from .dense_chamfer import dense_distances
from .mmd_cov_nna import Matrix

BLOCK_POINTS, GROUP_POINTS = 32, 64  # smaller ones prune more but make the products slow: measured 16 to 128 of both
PRODUCT_GROUPS = 64  # groups in one product: 0.5 MB of distances, which stays in the cache of a core
CLOUDS = 512  # clouds that ask at once; bounds the memory to some 100 MB at 2,048 points
RECHECK = 1e-4  # of the squared extent: below it float32 products lose digits by cancellation, and trees take over


@dataclass(frozen=True)
class _Blocks:
    """Clouds cut into blocks, to find the nearest points in."""

    left: Tensor
    """[clouds, blocks, points, 4]: (-2 x, |x|^2)."""
    low: Tensor
    """[clouds, blocks, 3], the lower corners of the bounding boxes."""
    high: Tensor
    """[clouds, blocks, 3], the upper corners."""


@dataclass(frozen=True)
class _Groups:
    """Points of many clouds in groups that are near each other, to find the nearest points for."""

    right: Tensor
    """[4, groups, points]: (y, 1); left @ right + norm is the squared distance."""
    norm: Tensor
    """[groups, points]: |y|^2."""
    low: Tensor
    """[groups, 3]."""
    high: Tensor
    """[groups, 3]."""
    cloud: Tensor
    """[groups * points], which cloud a point is of."""
    weight: Tensor
    """[groups * points]: 1 / (points of the cloud); 0 for the copies that fill up a group."""


def chamfer_matrix(
    a: npt.ArrayLike, b: npt.ArrayLike | None = None, workers: int | None = None, device: torch.device = CPU
) -> Matrix:
    """Chamfer distance of every cloud of `a` to every cloud of `b`.

    CD(X, Y) = mean over x of min over y of |x - y|^2 + mean over y of min over x of |x - y|^2
    (Achlioptas et al. 2018, https://arxiv.org/abs/1707.02392, with means instead of sums).

    Args:
        a: [A, points, 3].
        b: [B, points, 3], another number of points is fine; None compares `a` with itself at half the work.
        workers: threads; None = one per core.
        device: on an accelerator every pair of points is compared.

    Returns:
        float64 [A, B] in squared units of the coordinates. Errors are of the order of 1e-7 of the squared extent;
        distances below 1e-4 of it are computed anew in float64, so that copies are at exactly 0 in any order of points.

    Raises:
        NfgenError: empty, not finite or not [clouds, points, 3].
    """
    first = as_clouds(a, "a")
    second = first if b is None else as_clouds(b, "b")
    centre = np.concatenate([first.reshape(-1, 3), second.reshape(-1, 3)]).mean(axis=0, dtype=np.float64)
    x, y = (torch.from_numpy((clouds - centre).astype(np.float32)) for clouds in (first, second))
    workers = workers or processors()
    from_all = partial(_from_all, workers=workers) if is_cpu(device) else partial(dense_distances, device=device)
    steps = len(first) + (0 if b is None else len(second))
    with progress(steps, "compare", "cloud") as bar:
        out = np.zeros((len(first), len(second)))
        for row, distances in enumerate(from_all(y, x)):
            out[row] = distances
            bar.update()
        if b is None:
            out += out.T.copy()
            np.fill_diagonal(out, 0)
        else:
            for column, distances in enumerate(from_all(x, y)):
                out[:, column] += distances
                bar.update()
    radius_x, radius_y = (points.norm(dim=2).amax(1).double().numpy() for points in (x, y))
    extent = np.maximum(radius_x[:, None], radius_y[None]) ** 2
    for i, j in np.argwhere(out < RECHECK * extent):
        if b is not None or i < j:
            out[i, j] = chamfer(first[i], second[j])
            if b is None:
                out[j, i] = out[i, j]
    return out


def _from_all(asking: Tensor, answering: Tensor, workers: int) -> Iterator[Matrix]:
    """For each target cloud the mean squared distance [queries] from each query cloud to it."""
    blocks = _blocks(answering)
    parts = [(_groups(part), len(part)) for part in asking.split(CLOUDS)]

    def answer(row: int) -> Matrix:
        return np.concatenate([_distances(blocks, row, groups, clouds) for groups, clouds in parts])

    return in_threads(answer, range(len(answering)), workers)


def _blocks(clouds: Tensor) -> _Blocks:
    x = _points(clouds, _cut(clouds, BLOCK_POINTS))
    left = torch.cat([-2 * x, (x * x).sum(-1, keepdim=True)], -1)
    return _Blocks(left=left, low=x.amin(2), high=x.amax(2))


def _groups(clouds: Tensor) -> _Groups:
    count, points, _ = clouds.shape
    together = clouds.reshape(1, count * points, 3)
    order = _cut(together, GROUP_POINTS)
    y = _points(together, order)[0]
    flat = order.flatten()
    # Only the last copy of a repeated point has a weight.
    place = torch.empty(count * points, dtype=torch.long)
    place[flat] = torch.arange(len(flat))
    weight = torch.zeros(len(flat), dtype=torch.float64)
    weight[place] = 1 / points
    return _Groups(
        right=torch.cat([y.permute(2, 0, 1), torch.ones(1, *y.shape[:2])]),
        norm=(y * y).sum(-1),
        low=y.amin(1),
        high=y.amax(1),
        cloud=flat // points,
        weight=weight,
    )


def _cut(clouds: Tensor, size: int) -> Tensor:
    """Halve each cloud [clouds, points, 3] along the longest side of its box until parts hold about `size` points.

    Returns:
        Indices of points, [clouds, parts, points of a part]; some points are repeated to fill up parts.
    """
    count, points, _ = clouds.shape
    depth = max(0, round(np.log2(points / size)))
    order = (torch.arange(-(-points // 2**depth) * 2**depth) % points).expand(count, -1)
    for level in range(depth):
        parts = _points(clouds, order.reshape(count, 2**level, -1)).flatten(0, 1)
        longest = (parts.amax(1) - parts.amin(1)).argmax(1)
        along = parts[torch.arange(len(parts)), :, longest].argsort(1)
        order = order.reshape(len(parts), -1).gather(1, along)
    return order.reshape(count, 2**depth, -1)


def _points(clouds: Tensor, order: Tensor) -> Tensor:
    """The points [clouds, parts, points, 3] at the indices `order` [clouds, parts, points]."""
    return clouds[torch.arange(len(clouds))[:, None, None], order]


def _distances(blocks: _Blocks, row: int, groups: _Groups, clouds: int) -> Matrix:
    """Mean squared distances [clouds] of the points of each asking cloud to cloud `row` of the blocks."""
    left = blocks.left[row]
    gap = torch.zeros(len(left), len(groups.low))
    apart = torch.zeros_like(gap)
    for axis in range(3):
        low, high = blocks.low[row, :, None, axis], blocks.high[row, :, None, axis]
        other_low, other_high = groups.low[None, :, axis], groups.high[None, :, axis]
        side = torch.maximum(low - other_high, other_low - high).clamp_(min=0)
        gap.addcmul_(side, side)
        side = (low + high) - (other_low + other_high)
        apart.addcmul_(side, side)

    nearest = torch.full_like(groups.norm, torch.inf)  # squared distance minus |y|^2, which is added below
    seeds = torch.zeros_like(gap, dtype=torch.bool).scatter_(0, apart.argmin(0, keepdim=True), True)
    _visit(seeds, left, groups, nearest)
    bound = (nearest + groups.norm).amax(1)
    _visit((gap < bound) & ~seeds, left, groups, nearest)
    squared = (nearest + groups.norm).clamp_(min=0).flatten().double()
    means = torch.zeros(clouds, dtype=torch.float64).index_add_(0, groups.cloud, squared * groups.weight)
    return means.numpy()


def _visit(pairs: Tensor, left: Tensor, groups: _Groups, nearest: Tensor) -> None:
    """Compare the blocks and groups that `pairs` [blocks, groups] marks; lower `nearest` [groups, points]."""
    for block, needing in zip(left, pairs, strict=True):
        for some in needing.nonzero()[:, 0].split(PRODUCT_GROUPS):
            columns = groups.right.index_select(1, some)
            found = torch.mm(block, columns.flatten(1)).amin(0).reshape(columns.shape[1:])
            nearest[some] = torch.minimum(nearest[some], found)


def chamfer(x: Floats, y: Floats) -> float:
    """Chamfer distance of two clouds [points, 3], in float64."""
    forth, _ = cKDTree(y).query(x)
    back, _ = cKDTree(x).query(y)
    return float((forth**2).mean() + (back**2).mean())
