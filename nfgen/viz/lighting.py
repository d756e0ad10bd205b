"""Light at points of a mesh: from the sky by many small shadow maps, from the sun by a sharp one."""

import math

import numpy as np
from numpy.typing import NDArray

from .rasterizer import rasterise

Floats = NDArray[np.floating]

DIRECTIONS = 160  # below about 100, edges of single shadows are visible
CELL = 0.035  # of a sky map, coordinate units; slightly wider than the triangles of a 64^3 marching cubes mesh
GROUND_LIGHT = 0.35  # light from the ground, where that from the sky is 1
SUN_MAP = 512  # cells per side
SUN_SOFTNESS = 0.035  # radius over which the sun's shadow is averaged, coordinate units
SUN_LOOKUPS = 12  # within that radius
GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))
LIFT = 0.02  # offset of points from their surface, so that it does not shade itself; coordinate units


def sky_visibility(points: Floats, normals: Floats, occluders: Floats) -> Floats:
    """The share of the light from sky and ground that reaches each point.

    For each of many directions the occluders are splatted into a depth map; a point is lit from there unless an
    occluder is in front of it (after Pharr and Green, "Ambient occlusion", GPU Gems, 2004, section 17.2, with one map
    for all points). The sky lights from the upper half, the ground from the lower half.

    Args:
        points: [P, 3], coordinate units, z up.
        normals: [P, 3], of length 1.
        occluders: [Q, 3], points on the occluding surface, about one per `CELL` or denser.

    Returns:
        [P], from 0 (dark) to 1 (no occluder).
    """
    if len(occluders) == 0:
        return np.ones(len(points))
    points, occluders, normals = (array.astype(np.float32) for array in (points, occluders, normals))
    received = np.zeros(len(points), dtype=np.float32)
    possible = np.full(len(points), 1e-6, dtype=np.float32)
    radius = float(np.linalg.norm(occluders, axis=1).max()) + CELL
    width = int(np.ceil(2 * radius / CELL)) + 1
    for direction in spread_directions(DIRECTIONS):
        toward = normals @ direction
        lit = np.flatnonzero(toward > 0)
        cosine = toward[lit]
        right, up = perpendicular(direction)
        nearest = np.full(width * width, -np.inf, dtype=np.float32)
        np.maximum.at(nearest, _cell(occluders, right, up, radius, width), occluders @ direction)

        # Depth that a slanted surface spans within a cell; it must not shade itself.
        steepness = np.sqrt(1 - np.minimum(cosine, 1) ** 2) / np.maximum(cosine, 0.2)
        before = nearest[_cell(points[lit], right, up, radius, width)] - points[lit] @ direction
        seen = np.clip(1 - (before - CELL * (0.5 + steepness)) / CELL, 0, 1)
        brightness = 1.0 if direction[2] > 0 else GROUND_LIGHT
        received[lit] += brightness * cosine * seen
        possible[lit] += brightness * cosine
    return received / possible


def sun_visibility(points: Floats, normals: Floats, vertices: Floats, faces: NDArray[np.int64], sun: Floats) -> Floats:
    """The share of the sun's light that reaches each point of a mesh, with soft shadow edges.

    Looks up a depth map from the sun's direction at several positions around each point (Reeves, Salesin and Cook,
    "Rendering antialiased shadows with depth maps", 1987).

    Args:
        points: [P, 3], coordinate units.
        normals: [P, 3], of length 1; points that face away from the sun get 0.
        vertices: [V, 3] of the mesh.
        faces: [F, 3] of the mesh.
        sun: [3], the direction to the sun, of length 1.

    Returns:
        [P], from 0 (in shadow) to 1.
    """
    cosine = normals @ sun
    visible = (cosine > 0).astype(np.float64)
    if len(faces) == 0:
        return visible
    right, up = perpendicular(sun)
    reach = float(np.linalg.norm(vertices, axis=1).max()) + 2 * SUN_SOFTNESS
    scale = SUN_MAP / (2 * reach)
    screen = np.stack([(vertices @ right + reach) * scale, (vertices @ up + reach) * scale, vertices @ sun], axis=1)
    nearest = rasterise(screen, faces, SUN_MAP, SUN_MAP).nearness
    lifted = points + LIFT * normals
    column, row, depth = (lifted @ right + reach) * scale, (lifted @ up + reach) * scale, lifted @ sun
    margin = SUN_SOFTNESS * scale + 1
    low, high = screen[:, :2].min(axis=0) - margin, screen[:, :2].max(axis=0) + margin
    in_map = (column > low[0]) & (column < high[0]) & (row > low[1]) & (row < high[1])
    behind = np.flatnonzero((cosine > 0) & in_map)
    column, row, depth = column[behind], row[behind], depth[behind] + LIFT / 2
    # A surface at an angle to the sun changes depth between lookups; it must not shade itself.
    slope = normals[behind] @ np.stack([right, up], axis=1) / np.maximum(cosine[behind], 0.1)[:, None]
    sunlit = np.zeros(len(behind))
    for k in range(SUN_LOOKUPS):  # on Vogel's spiral, which covers the disc evenly
        radius, angle = SUN_SOFTNESS * math.sqrt((k + 0.5) / SUN_LOOKUPS), k * GOLDEN_ANGLE
        aside, above = radius * math.cos(angle), radius * math.sin(angle)
        columns = np.clip(column + scale * aside, 0, SUN_MAP - 1).astype(np.int64)
        rows = np.clip(row + scale * above, 0, SUN_MAP - 1).astype(np.int64)
        sunlit += nearest[rows, columns] < depth - aside * slope[:, 0] - above * slope[:, 1]
    visible[behind] = sunlit / SUN_LOOKUPS
    return visible


def spread_directions(count: int) -> Floats:
    """[count, 3] directions evenly spread over the sphere (Fibonacci lattice; Keinert et al. 2015)."""
    step = np.arange(count) + 0.5
    height = 1 - 2 * step / count
    across = np.sqrt(1 - height**2)
    angle = step * GOLDEN_ANGLE
    return np.stack([across * np.cos(angle), across * np.sin(angle), height], axis=1).astype(np.float32)


def perpendicular(direction: Floats) -> tuple[Floats, Floats]:
    """Right and up vectors of a view against a unit direction; the three are orthonormal."""
    helper = np.array([0.0, 0.0, 1.0]) if abs(direction[2]) < 0.9999 else np.array([0.0, 1.0, 0.0])
    right = np.cross(helper, direction)
    right /= np.linalg.norm(right)
    return right.astype(direction.dtype), np.cross(direction, right).astype(direction.dtype)


def _cell(points: Floats, right: Floats, up: Floats, radius: float, width: int) -> NDArray[np.int64]:
    # Points outside the map are looked up at its border, which is empty.
    column = np.clip((points @ right + radius) / CELL, 0, width - 1).astype(np.int64)
    row = np.clip((points @ up + radius) / CELL, 0, width - 1).astype(np.int64)
    return row * width + column
