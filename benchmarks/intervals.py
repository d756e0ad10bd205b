"""Do the printed 95 % intervals hold the expected score, and what do repeated shapes do to 1-NNA?

    python benchmarks/intervals.py coverage
    python benchmarks/intervals.py repeated --shapes chairs32.npz

`coverage` draws pairs of sets from known distributions, over and over: points in eight dimensions with their Euclidean
distances, and clouds of ellipsoids with random half-axes with their Chamfer distances. The expected score at a size is
the mean over all draws; coverage is the share of the draws whose interval holds it.

`repeated` splits real shapes at random into references and a pool, draws "samples" from the pool with replacement, and
again as `nfgen generate --distinct` does, which refuses a sample whose nearest training shape has been taken already.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nfgen.evaluation.measure import measure_shapes
from nfgen.metrics import chamfer_matrix
from nfgen.metrics.mmd_cov_nna import one_nna, score
from nfgen.pipeline.generate import SPARE
from nfgen.shapes import find_shapes

Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], tuple[Array, Array, Array]]
"""Distances [G, G], [G, R] and [R, R] of so many generated and as many reference shapes."""

DIMENSIONS, CLOUD = 8, 32
NAMES = ("1_nna", "cov", "mmd")


def euclidean(a: Array, b: Array) -> Array:
    squared = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return np.sqrt(squared.clip(min=0))


def vectors(shift: float, width: float) -> Draw:
    """Normal ones; the generated ones are moved, or of another width."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Array, Array, Array]:
        made = rng.normal(size=(count, DIMENSIONS)) * width + shift / math.sqrt(DIMENSIONS)
        real = rng.normal(size=(count, DIMENSIONS))
        return euclidean(made, made), euclidean(made, real), euclidean(real, real)

    return draw


def ellipsoids(longer: float) -> Draw:
    """Clouds of ellipsoids, half-axes uniform in [0.3, 1]; those of the generated ones are longer by a factor."""

    def clouds(rng: np.random.Generator, count: int, factor: float) -> Array:
        points = rng.normal(size=(count, CLOUD, 3))
        points /= np.linalg.norm(points, axis=2, keepdims=True)
        return points * rng.uniform(0.3, 1, (count, 1, 3)) * factor

    def draw(rng: np.random.Generator, count: int) -> tuple[Array, Array, Array]:
        made, real = clouds(rng, count, longer), clouds(rng, count, 1.0)
        return chamfer_matrix(made), chamfer_matrix(made, real), chamfer_matrix(real)

    return draw


CASES = {
    "vectors, equal": vectors(0, 1),
    "vectors, moved by 1.5": vectors(1.5, 1),
    "vectors, 0.8 as wide": vectors(0, 0.8),
    "ellipsoids, equal": ellipsoids(1.0),
    "ellipsoids, 1.1 as long": ellipsoids(1.1),
}


def coverage(sizes: list[int], repeats: int, draws: int, seed: int) -> None:
    print("| case | shapes of each kind | " + " | ".join(f"{name}: mean, covered, mean width" for name in NAMES) + " |")
    for case, draw in CASES.items():
        for size in sizes:
            started, rng = time.process_time(), np.random.default_rng(seed)
            found = [score(*draw(rng, size), seed=i, draws=draws) for i in range(repeats)]
            cells = []
            for name in NAMES:
                value, low, high = np.array([[one[name][key] for key in ("value", "low", "high")] for one in found]).T  # type: ignore[literal-required]
                held = ((low <= value.mean()) & (value.mean() <= high)).mean()
                cells.append(f"{value.mean():.3f}, {held:.1%}, {(high - low).mean():.3f}")
            print(f"| {case} | {size} | {' | '.join(cells)} |", flush=True)
            print(f"{case}, {size}: {time.process_time() - started:.0f} processor s", file=sys.stderr)


def drawn(rng: np.random.Generator, pool: int, count: int, distinct: bool) -> NDArray[np.intp]:
    """Indices of shapes of a pool: independent ones, or as `--distinct` draws them again."""
    most = math.ceil(SPARE * count / pool) if distinct else count
    taken, chosen = np.zeros(pool, int), []
    while len(chosen) < count:
        one = rng.integers(pool)
        if taken[one] < most:
            taken[one] += 1
            chosen.append(one)
    return np.array(chosen)


def repeated(shapes: str, count: int, pools: list[int], repeats: int, points: int, seed: int) -> None:
    clouds = measure_shapes(find_shapes(shapes), points, seed, "real").clouds
    distances = chamfer_matrix(clouds)
    print(f"{len(clouds)} shapes, {points} points; 1-NNA of {count} drawn from a pool against {count} other ones")
    print("| pool | independent | --distinct | different shapes of the independent ones |")
    for pool in pools:
        rng, rows, different = np.random.default_rng(seed), [], []
        for _ in range(repeats):
            order = rng.permutation(len(clouds))
            real, known = order[:count], order[count : count + pool]
            row = []
            for distinct in (False, True):
                made = known[drawn(rng, len(known), count, distinct)]
                row.append(one_nna(*(distances[np.ix_(*pair)] for pair in ((made, made), (made, real), (real, real)))))
                if not distinct:
                    different.append(len(np.unique(made)))
            rows.append(row)
        mean, spread = np.mean(rows, axis=0), np.std(rows, axis=0)
        words = " | ".join(f"{m:.1%} ± {s:.1%}" for m, s in zip(mean, spread, strict=True))
        print(f"| {len(known)} | {words} | {np.mean(different):.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["coverage", "repeated"])
    parser.add_argument("--sizes", type=int, nargs="+", default=[24, 100, 200], help="shapes of each kind")
    parser.add_argument("--repeats", type=int, default=300)
    parser.add_argument("--draws", type=int, default=1000, help="half samples of an interval; nfgen takes 1000")
    parser.add_argument("--shapes", help="real ones, for `repeated`")
    parser.add_argument("--pools", type=int, nargs="+", default=[100, 200, 400])
    parser.add_argument("--points", type=int, default=512)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.what == "coverage":
        coverage(arguments.sizes, arguments.repeats, arguments.draws, arguments.seed)
    elif arguments.shapes is None:
        parser.error("give --shapes")
    else:
        count = arguments.sizes[0] if len(arguments.sizes) == 1 else 100
        repeated(arguments.shapes, count, arguments.pools, arguments.repeats, arguments.points, arguments.seed)


if __name__ == "__main__":
    main()
