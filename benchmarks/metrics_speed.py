"""Time of the Chamfer matrices of an evaluation, beside a loop of k-d tree queries, in one run.

    python benchmarks/metrics_speed.py                 # 200 x 200 clouds of 2,048 points: all three matrices
    python benchmarks/metrics_speed.py --clouds 40     # a quick look

The loop is timed on `--sample` random pairs, in turns with ours so that both see the same machine, and scaled to all
pairs. It comes in two kinds: trees built for each pair, and trees built once a cloud. Both run on one core as scipy's
default does; a third kind uses scipy's own workers on all cores.
"""

import argparse
import json
import os
import platform
import resource
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy
import torch
from scipy.spatial import cKDTree

from nfgen.metrics import chamfer_matrix

RESULTS = Path(__file__).parent / "results" / "metrics_speed.jsonl"
Floats = npt.NDArray[np.float32]


def box_clouds(count: int, points: int, seed: int) -> Floats:
    """Surfaces of five random boxes each, sampled by area: legs, seat and back of something."""
    rng = np.random.default_rng(seed)
    half = rng.uniform(0.05, 0.5, (count, 5, 3))
    centre = rng.uniform(-0.5, 0.5, (count, 5, 3))
    clouds = np.empty((count, points, 3), np.float32)
    for cloud in range(count):
        sides = half[cloud]
        areas = np.stack([sides[:, 1] * sides[:, 2], sides[:, 0] * sides[:, 2], sides[:, 0] * sides[:, 1]], axis=1)
        face = rng.choice(15, points, p=(areas / areas.sum()).ravel())
        box, axis = np.divmod(face, 3)
        at = rng.uniform(-1, 1, (points, 3))
        at[np.arange(points), axis] = np.sign(at[np.arange(points), axis])
        clouds[cloud] = centre[cloud, box] + at * sides[box]
    return clouds


def tree_pair(x: Floats, y: Floats, workers: int = 1) -> float:
    forth, back = cKDTree(y).query(x, workers=workers)[0], cKDTree(x).query(y, workers=workers)[0]
    return float((forth**2).mean() + (back**2).mean())


def seconds(work: Callable[[], object]) -> npt.NDArray[np.float64]:
    """Wall time, and processor time of all threads: the second says what a busy machine's wall time cannot."""
    started = time.perf_counter(), time.process_time()
    work()
    return np.array([time.perf_counter() - started[0], time.process_time() - started[1]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clouds", type=int, default=200)
    parser.add_argument("--points", type=int, default=2048)
    parser.add_argument("--sample", type=int, default=600, help="pairs on which each loop is timed")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    n = given.clouds
    generated, reference = (box_clouds(n, given.points, given.seed + i) for i in range(2))
    pairs = n * n + n * (n - 1)  # each symmetric matrix needs half of its pairs, for the loops as well
    rng = np.random.default_rng(given.seed)
    chosen = rng.integers(n, size=(given.sample, 2))
    trees = {id(clouds): [cKDTree(cloud) for cloud in clouds] for clouds in (generated, reference)}
    cores = len(os.sched_getaffinity(0))

    def prebuilt(part: npt.NDArray[np.int64]) -> None:
        for i, j in part:
            trees[id(reference)][j].query(generated[i])
            trees[id(generated)][i].query(reference[j])

    loops: dict[str, Callable[[npt.NDArray[np.int64]], object]] = {
        "loop": lambda part: [tree_pair(generated[i], reference[j]) for i, j in part],
        "loop_trees_once": prebuilt,
        "loop_all_cores": lambda part: [tree_pair(generated[i], reference[j], workers=-1) for i, j in part],
    }
    chamfer_matrix(generated[:2], reference[:2])
    load = os.getloadavg()[0]
    ours, spent = np.zeros(2), {name: np.zeros(2) for name in loops}
    matrices = [(generated, None), (generated, reference), (reference, None)]
    parts = np.array_split(chosen, len(matrices))
    for (a, b), part in zip(matrices, parts, strict=True):
        ours += seconds(partial(chamfer_matrix, a, b))
        for name, loop in loops.items():
            spent[name] += seconds(partial(loop, part))

    scale = pairs / given.sample
    between = chamfer_matrix(generated[:50], reference[:50])
    error = max(abs(between[i, j] - tree_pair(generated[i], reference[j])) for i, j in chosen[:50] % len(between))
    result = {
        "clouds": n,
        "points": given.points,
        "pairs": pairs,
        "seconds": round(ours[0], 2),
        "processor_seconds": round(ours[1], 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        **{f"{name}_seconds": round(spent[name][0] * scale, 2) for name in loops},
        **{f"{name}_processor_seconds": round(spent[name][1] * scale, 2) for name in loops},
        **{f"times_faster_than_{name}": round(spent[name][0] * scale / ours[0], 2) for name in loops},
        "largest_error": float(error),
        "cores": cores,
        "load_before": round(load, 1),
        "date": time.strftime("%Y-%m-%d"),
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "scipy": scipy.__version__},
    }
    for key, value in result.items():
        print(f"{key:40} {value}")
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a") as file:
        file.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
