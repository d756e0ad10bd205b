"""Earth mover's distances between all pairs of two sets of point clouds, exact, over several processes."""

from concurrent.futures.process import BrokenProcessPool

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from nfgen.errors import ConfigError, NfgenError
from nfgen.runtime.machine import processors
from nfgen.runtime.progress import progress
from nfgen.runtime.worker_pool import worker_pool

from .clouds import Floats, as_clouds, thin
from .mmd_cov_nna import Matrix

MOST_POINTS = 1024  # one pair takes 0.3 s there, and the time grows with the cube
POINTS = 256  # 5 ms a pair instead of 35 ms with 512 points: three 200 x 200 matrices in minutes, not in an hour
SERIAL_PAIRS = 500  # below this the processes take longer to start than to work


def emd_matrix(
    a: npt.ArrayLike, b: npt.ArrayLike | None = None, points: int = POINTS, seed: int = 0, workers: int | None = None
) -> Matrix:
    """Earth mover's distance of every cloud of `a` to every cloud of `b`.

    EMD(X, Y) = min over bijections f of mean over x of |x - f(x)|, by linear assignment, with no approximation
    (Achlioptas et al. 2018, https://arxiv.org/abs/1707.02392, with the mean instead of the sum).

    Args:
        a: [A, points, 3].
        b: [B, points, 3]; None compares `a` with itself at half the work.
        points: random points kept of each cloud, 1,024 at most. The distance depends on it: name it beside a score.
        seed: of the random points.
        workers: processes; None takes one a core, and none for small work.

    Returns:
        float64 [A, B] in the unit of the coordinates.

    Raises:
        ConfigError: more than 1,024 points or none.
        NfgenError: empty or not finite clouds, different numbers of points.
    """
    if not 1 <= points <= MOST_POINTS:
        raise ConfigError(f"EMD of {points} points", f"take 1 to {MOST_POINTS}; the time grows with the cube")
    first = thin(as_clouds(a, "a"), points, seed)
    # Another seed, or equal orders of points in two sets would be thinned alike and seem closer than they are.
    second = first if b is None else thin(as_clouds(b, "b"), points, seed + 1)
    if first.shape[1] != second.shape[1]:
        raise NfgenError(
            f"EMD between clouds of {first.shape[1]} and {second.shape[1]} points", "sample the same number from both"
        )
    tasks = [(first[i], second[i + 1 :] if b is None else second) for i in range(len(first))]
    pairs = sum(len(others) for _, others in tasks)
    workers = workers or (1 if pairs < SERIAL_PAIRS else processors())
    out = np.zeros((len(first), len(second)))
    with progress(len(tasks), "assign", "cloud") as bar:
        if workers == 1:
            for row, task in enumerate(tasks):
                _fill(out, row, _assign_row(task))
                bar.update()
        else:
            try:
                with worker_pool(workers) as submit:
                    for row, future in enumerate([submit(_assign_row, task) for task in tasks]):
                        _fill(out, row, future.result())
                        bar.update()
            except BrokenProcessPool:
                raise NfgenError("a worker process of the EMD ended early", "is there enough memory?") from None
    return out + out.T if b is None else out


def _fill(out: Matrix, row: int, distances: list[float]) -> None:
    out[row, out.shape[1] - len(distances) :] = distances


def _assign_row(task: tuple[Floats, Floats]) -> list[float]:
    cloud, others = task
    distances = []
    for other in others:
        cost = cdist(cloud, other)
        distances.append(float(cost[linear_sum_assignment(cost)].mean()))
    return distances
