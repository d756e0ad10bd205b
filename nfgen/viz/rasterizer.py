"""A z-buffer rasterizer in numpy, for the camera and for the sun's shadow map."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ConfigError

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]

CANDIDATES_AT_ONCE = 2_000_000  # pairs of pixel and triangle in memory, about 100 MB
NOTHING = -1  # face of a pixel without a triangle
EDGE_TOLERANCE = 1e-5  # overlap of neighbouring triangles, so that no pixel falls between them


class Raster(NamedTuple):
    """The visible triangle of each pixel of a picture of H by W."""

    face: Ints
    """[H, W], index of the nearest triangle, or -1."""

    weights: Floats
    """[H, W, 3], barycentric coordinates of the pixel in that triangle, in the image plane."""

    nearness: Floats
    """[H, W], nearness of the visible surface; minus infinity if there is none."""


def rasterise(corners: Floats, faces: Ints, height: int, width: int) -> Raster:
    """Rasterise triangles with a z-buffer (Pineda, "A parallel algorithm for polygon rasterization", 1988).

    Args:
        corners: [V, 3], columns x and y in pixels (pixel [0, 0] spans 0 to 1, y downwards) and nearness, which must be
            affine in the image plane and larger for nearer points: inverse depth of a perspective camera, or minus the
            depth of a parallel one.
        faces: [F, 3], indices into the corners; both sides of a triangle are visible.
        height: pixels, at least 1.
        width: pixels, at least 1.

    Raises:
        ConfigError: for a picture of no pixels.
    """
    if min(height, width) < 1:
        raise ConfigError(f"a picture cannot be {width} by {height} pixels", "give a size of at least 1")
    nearest = np.full(height * width, -np.inf, dtype=np.float32)
    face_of = np.full(height * width, NOTHING, dtype=np.int64)
    weights_of = np.zeros((height * width, 3), dtype=np.float32)

    triangles = np.asarray(corners, dtype=np.float64)[faces]
    flat = triangles[:, :, :2]
    limit = np.array([width, height]) - 1
    lowest = np.minimum(np.minimum(flat[:, 0], flat[:, 1]), flat[:, 2])
    highest = np.maximum(np.maximum(flat[:, 0], flat[:, 1]), flat[:, 2])
    first = np.clip(np.ceil(lowest - 0.5), 0, limit + 1).astype(np.int64)
    last = np.clip(np.floor(highest - 0.5), -1, limit).astype(np.int64)
    span = np.maximum(last - first + 1, 0)
    edge_1, edge_2 = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
    doubled_area = edge_1[:, 0] * edge_2[:, 1] - edge_1[:, 1] * edge_2[:, 0]
    candidates = np.where(np.abs(doubled_area) > 1e-12, span[:, 0] * span[:, 1], 0)

    shown = np.flatnonzero(candidates)
    running = np.cumsum(candidates[shown])
    limits = np.arange(CANDIDATES_AT_ONCE, running[-1] if len(shown) else 0, CANDIDATES_AT_ONCE)
    for chunk in np.split(shown, np.searchsorted(running, limits)):
        count = candidates[chunk]
        owner = np.repeat(np.arange(len(chunk)), count)
        offset = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
        down, aside = np.divmod(offset, span[chunk, 0][owner])
        column, row = first[chunk, 0][owner] + aside, first[chunk, 1][owner] + down

        # Offsets from the first corner are small, so that single precision suffices.
        dx = (column + 0.5 - flat[chunk, 0, 0][owner]).astype(np.float32)
        dy = (row + 0.5 - flat[chunk, 0, 1][owner]).astype(np.float32)
        slope_1 = np.stack([edge_2[chunk, 1], -edge_2[chunk, 0]]) / doubled_area[chunk]
        slope_2 = np.stack([-edge_1[chunk, 1], edge_1[chunk, 0]]) / doubled_area[chunk]
        weight_1 = _affine(slope_1, owner, dx, dy)
        weight_2 = _affine(slope_2, owner, dx, dy)
        weight_0 = 1 - weight_1 - weight_2
        inside = np.minimum(np.minimum(weight_0, weight_1), weight_2) >= -EDGE_TOLERANCE

        owner, pixel = owner[inside], (row * width + column)[inside]
        weights = np.stack([weight_0[inside], weight_1[inside], weight_2[inside]], axis=1)
        nearness = np.einsum("pc,pc->p", weights, triangles[chunk, :, 2].astype(np.float32)[owner])
        before = nearest[pixel]
        np.maximum.at(nearest, pixel, nearness)
        won = (nearness == nearest[pixel]) & (nearness > before)
        face_of[pixel[won]] = chunk[owner[won]]
        weights_of[pixel[won]] = weights[won]

    return Raster(face_of.reshape(height, width), weights_of.reshape(height, width, 3), nearest.reshape(height, width))


def _affine(slope: Floats, owner: Ints, dx: Floats, dy: Floats) -> Floats:
    slope = slope.astype(np.float32)
    return slope[0][owner] * dx + slope[1][owner] * dy
