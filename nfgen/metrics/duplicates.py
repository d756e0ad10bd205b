"""Reference shapes that are training shapes in all but name: real collections hold near-duplicates.

A reference with a twin in the training set rewards a model for copying, so the scores are given without those, too.
"""

import numpy as np
import numpy.typing as npt

from nfgen.metrics.chamfer import chamfer
from nfgen.metrics.clouds import Floats
from nfgen.metrics.mmd_cov_nna import Matrix

SAME = 1.5  # times the distance that two samplings of one surface have: another surface is hardly ever so near


def sampling_noise(clouds: Floats, seed: int = 0) -> npt.NDArray[np.float64]:
    """The Chamfer distance that each cloud would have to another random sampling of its own surface.

    Measured between random halves of the cloud. The mean squared distance to the nearest of N points on a surface
    falls as 1 / N, so that of two full clouds is half of it.

    Args:
        clouds: [clouds, points, 3], drawn by area.
        seed: of the halves.

    Returns:
        [clouds], squared units of the coordinates; 0 for clouds of one point.
    """
    rng = np.random.default_rng(seed)
    noise = np.zeros(len(clouds))
    middle = clouds.shape[1] // 2
    if middle == 0:
        return noise
    for index, cloud in enumerate(clouds):
        order = rng.permutation(len(cloud))
        one, two = cloud[order[:middle]], cloud[order[middle : 2 * middle]]
        noise[index] = chamfer(one, two) / 2
    return noise


def near_duplicates(
    distances: Matrix, noise: npt.NDArray[np.float64], train_noise: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """Which shapes are the same as a training shape, within the noise of sampled points.

    Args:
        distances: [R, T], Chamfer distances to the training shapes.
        noise: [R], `sampling_noise` of the shapes.
        train_noise: [T], of the training shapes.

    Returns:
        [R], true where some training shape is nearer than 1.5 times the noise of the two samplings.
    """
    same = distances <= SAME * (noise[:, None] + train_noise) / 2
    return np.asarray(same.any(axis=1))
