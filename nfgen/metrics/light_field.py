"""Light-field distance: shapes compared by their silhouettes from all around.

Chamfer distance hardly sees what people see: a missing spindle moves few points, a wavy surface moves all of them by
nothing. In "Memorization in 3D Shape Generation" (https://arxiv.org/abs/2512.23628) the light-field distance agreed
best with what people call the same shape.
"""

from functools import cache
from math import factorial

import numpy as np
import numpy.typing as npt
import torch
from scipy.spatial.transform import Rotation

from nfgen.errors import NfgenError
from nfgen.metrics.mmd_cov_nna import Matrix

SIZE = 128  # pixels a side: the thinnest leg of a chair is two or three of them wide
VIEWS = 10
ORDER = 10  # of the Zernike moments: 35 of them, without the first
ANGLES, FREQUENCIES = 128, 10  # of the outline
GOLDEN = (1 + 5**0.5) / 2

Descriptors = npt.NDArray[np.float32]


def light_fields(silhouettes: npt.NDArray[np.bool_]) -> Descriptors:
    """Describe shapes by ten silhouettes of each, from half the corners of a dodecahedron.

    Opposite corners see the same silhouette mirrored, so ten of twenty are enough. Of each: magnitudes of the 35
    Zernike moments up to order ten, which ignore turns within the picture, and of the first ten Fourier coefficients
    of the outline's distance from its centre, by angle (Chen et al. 2003, "On visual similarity based 3D model
    retrieval"; theirs follows the contour, ours takes the farthest point of each angle, and all numbers are kept
    unrounded).

    Args:
        silhouettes: [shapes, 10, 128, 128], true where the shape is, seen from `silhouette_directions()` by a parallel
            camera; nothing of it may be empty.

    Returns:
        [shapes, 10, 45].

    Raises:
        NfgenError: other shapes of arrays, or an empty silhouette.
    """
    if silhouettes.ndim != 4 or silhouettes.shape[1:] != (VIEWS, SIZE, SIZE) or not len(silhouettes):
        raise NfgenError(f"silhouettes of shape {silhouettes.shape}", f"give [shapes, {VIEWS}, {SIZE}, {SIZE}]")
    if not silhouettes.any(axis=(2, 3)).all():
        raise NfgenError("a silhouette is empty", "leave shapes without a surface out")
    described = [np.concatenate([_zernike(drawn), _outlines(drawn)], axis=1) for drawn in silhouettes]
    return np.stack(described).astype(np.float32)


def silhouette_directions() -> npt.NDArray[np.float64]:
    """Toward the ten cameras, [10, 3], of length 1."""
    return _corners()[:VIEWS]


def light_field_matrix(a: Descriptors, b: Descriptors | None = None) -> Matrix:
    """Light-field distances between all pairs: the sum over silhouettes of L1 differences, best of 60 rotations.

    The rotations are those that take the dodecahedron onto itself. So a shape and its copy turned by one of them, or
    mirrored, are at distance 0; a copy turned otherwise is near, not at, 0.

    Args:
        a: [A, 10, 45] of `light_fields`.
        b: [B, 10, 45]; None compares `a` with itself.

    Returns:
        float64 [A, B].
    """
    turned = torch.from_numpy(a[:, _rotations()].reshape(len(a), 60, -1))
    other = torch.from_numpy((a if b is None else b).reshape(len(a if b is None else b), -1))
    found = torch.stack([torch.cdist(one, other, p=1).amin(0) for one in turned]).double().numpy()
    if b is None:
        # Rounding differs with the side that was turned.
        found = (found + found.T) / 2
        np.fill_diagonal(found, 0)
    return found


def _corners() -> npt.NDArray[np.float64]:
    """The 20 corners [20, 3] of a dodecahedron, of length 1; the last ten are opposite to the first, in order."""
    cube = [[x, y, 1] for x in (-1, 1) for y in (-1, 1)]
    rest = [[0, y / GOLDEN, GOLDEN] for y in (-1, 1)]
    rest += [[x / GOLDEN, GOLDEN, 0] for x in (-1, 1)] + [[GOLDEN, 0, z / GOLDEN] for z in (-1, 1)]
    half = np.array(cube + rest, dtype=np.float64) / np.sqrt(3)
    return np.concatenate([half, -half])


def _rotations() -> npt.NDArray[np.int64]:
    """[60, 10]: which of the ten silhouettes each rotation of the dodecahedron puts in the place of each."""
    corners = _corners()
    quarter = Rotation.from_euler("z", 90, degrees=True)  # scipy's dodecahedron is the other one that holds the cube
    turns = (quarter * Rotation.create_group("I") * quarter.inv()).as_matrix()
    places = np.einsum("rij,cj->rci", turns, corners[:VIEWS])
    nearest: npt.NDArray[np.int64] = (places @ corners.T).argmax(axis=2) % VIEWS
    return nearest


def _zernike(drawn: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Magnitudes [views, 35] of the Zernike moments of pictures, about the middle of the picture."""
    magnitudes: npt.NDArray[np.float64] = np.abs(drawn.reshape(len(drawn), -1).astype(np.float64) @ _basis())
    return magnitudes


@cache
def _basis() -> npt.NDArray[np.complex128]:
    """Zernike's polynomials [pixels, 35] of degrees 1 to 10, times what makes sums over pixels moments."""
    line = _middles()
    x, y = np.meshgrid(line, -line)
    radius, angle = np.hypot(x, y).ravel(), np.arctan2(y, x).ravel()
    columns = []
    for n in range(1, ORDER + 1):
        for m in range(n % 2, n + 1, 2):
            radial = np.zeros_like(radius)
            for k in range((n - m) // 2 + 1):
                below = factorial(k) * factorial((n + m) // 2 - k) * factorial((n - m) // 2 - k)
                radial += (-1) ** k * factorial(n - k) / below * radius ** (n - 2 * k)
            columns.append(np.where(radius <= 1, radial, 0) * np.exp(-1j * m * angle))
            columns[-1] *= (n + 1) / np.pi * (2 / SIZE) ** 2
    return np.stack(columns, axis=1)


def _middles() -> npt.NDArray[np.float64]:
    """Of pixels, [SIZE], from -1 to 1."""
    return np.asarray((np.arange(SIZE) + 0.5 - SIZE / 2) / (SIZE / 2), dtype=np.float64)


def _outlines(drawn: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Magnitudes [views, 10] of the Fourier coefficients of how far the outline is from its centre, by angle."""
    line = _middles()
    found = np.zeros((len(drawn), FREQUENCIES))
    for row, picture in zip(found, drawn, strict=True):
        down, across = np.nonzero(picture)
        x, y = line[across], line[down]
        x, y = x - x.mean(), y - y.mean()
        angle = ((np.arctan2(y, x) + np.pi) / (2 * np.pi) * ANGLES).astype(np.int64) % ANGLES
        reach = np.zeros(ANGLES)
        np.maximum.at(reach, angle, np.hypot(x, y))
        row[:] = np.abs(np.fft.rfft(reach) / ANGLES)[1 : FREQUENCIES + 1]
    return found
