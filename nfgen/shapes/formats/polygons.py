"""Polygons, strips and fans as triangles: convex polygons as fans, others cut by ears.

A polygon and its mirror image (the same corners the other way round) give the same triangles the other way round, so
that faces which stand back to back still do.
"""

import mapbox_earcut
import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ShapeError

from .file_mesh import Faces, Vertices, check_indices

AT_ONCE = 2_000_000  # corners handled in one step, some 200 bytes each
MAX_CUT = 5e8  # sum over concave polygons of the square of their corners: cutting by ears costs about 2 ns each
HOLE = 1e-3  # share of a face by which its triangles may miss what holes leave of its outline; it may be bent
FLAT = 1e-9  # a triangle turned the wrong way by less than this share of its polygon is rounding


def triangulated(vertices: Vertices, corners: NDArray[np.int64], sizes: NDArray[np.int64]) -> Faces:
    """Cut polygons into triangles [t, 3], in the order of the polygons' sizes.

    Args:
        vertices: [v, 3].
        corners: [c] the corners of all polygons in turn.
        sizes: [p] how many corners each has; those of fewer than three are left out.

    Raises:
        ShapeError: a corner is out of range, or concave polygons have too many corners.
    """
    check_indices(corners, len(vertices))
    starts = np.cumsum(sizes) - sizes
    cost, found = 0.0, [np.zeros((0, 3), np.int64)]
    for size in np.unique(sizes[sizes >= 3]):
        rows = starts[sizes == size]
        for some in np.array_split(rows, len(rows) * size // AT_ONCE + 1):
            polygons = corners[some[:, None] + np.arange(size)]
            if size == 3:
                found.append(polygons)
                continue
            faces, concave = _fans(vertices, polygons)
            found.append(faces)
            cost += float(len(concave)) * float(size) ** 2
            if cost > MAX_CUT:
                raise ShapeError(f"concave faces of {size:,} corners are too many", "triangulate the mesh first")
            found += [_cut(vertices, polygon) for polygon in concave]
    return np.concatenate(found)


def strips(corners: NDArray[np.int64]) -> Faces:
    """Give the triangles [t, 3] of triangle strips in turn, with a -1 between them."""
    at = np.arange(len(corners))
    began = np.maximum.accumulate(np.where(corners < 0, at + 1, 0)) if len(corners) else at
    faces = np.stack([corners[:-2], corners[1:-1], corners[2:]], axis=1) if len(corners) > 2 else np.zeros((0, 3), int)
    odd = (at - began)[: len(faces)] % 2 == 1
    faces[odd] = faces[odd][:, [1, 0, 2]]
    return _proper(faces[(faces >= 0).all(axis=1)])


def fan(corners: NDArray[np.int64]) -> Faces:
    """Give the triangles [t, 3] of one triangle fan."""
    if len(corners) < 3:
        return np.zeros((0, 3), np.int64)
    return _proper(np.stack([np.full(len(corners) - 2, corners[0]), corners[1:-1], corners[2:]], axis=1))


def _proper(faces: Faces) -> Faces:
    """Leave out triangles with a corner twice, with which strips are sewn together."""
    a, b, c = faces.T
    return faces[(a != b) & (b != c) & (c != a)].astype(np.int64)


def _fans(vertices: Vertices, polygons: NDArray[np.int64]) -> tuple[Faces, NDArray[np.int64]]:
    """Cut polygons [p, n] from their least corner where that is right: triangles, and the polygons that are left."""
    polygons, points = _from_least_corner(vertices, polygons)
    right = _is_fan(points)
    if polygons.shape[1] == 4 and not right.all():
        # One of the two diagonals of a quadrilateral is always inside it.
        polygons[~right] = np.roll(polygons[~right], -1, axis=1)
        right[:] = True
    good = polygons[right]
    first = np.broadcast_to(good[:, :1], (len(good), good.shape[1] - 2))
    return np.stack([first, good[:, 1:-1], good[:, 2:]], axis=2).reshape(-1, 3), polygons[~right]


def _from_least_corner(vertices: Vertices, polygons: NDArray[np.int64]) -> tuple[NDArray[np.int64], Vertices]:
    points = vertices[polygons]
    least = np.ones(polygons.shape, bool)
    for axis in range(3):
        values = np.where(least, points[:, :, axis], np.inf)
        least &= values == values.min(axis=1, keepdims=True)
    order = (least.argmax(axis=1)[:, None] + np.arange(polygons.shape[1])) % polygons.shape[1]
    polygons = np.take_along_axis(polygons, order, axis=1)
    return polygons, vertices[polygons]


def _is_fan(points: Vertices) -> NDArray[np.bool_]:
    """Find the polygons [p, n, 3] whose triangles about the first corner all face the same way: [p]."""
    with np.errstate(all="ignore"):
        sides = points[:, 1:] - points[:, :1]
        sides = sides / np.abs(sides).max(axis=(1, 2), keepdims=True)
        doubled = np.cross(sides[:, :-1], sides[:, 1:])
        normal = doubled.sum(axis=1)
        along = np.einsum("pti,pi->pt", doubled, normal)
        return ~(along < -FLAT * np.einsum("pi,pi->p", normal, normal)[:, None]).any(axis=1)


def with_holes(vertices: Vertices, rings: list[NDArray[np.int64]]) -> Faces:
    """Cut one polygon with holes into triangles [t, 3].

    Args:
        vertices: [v, 3].
        rings: corners [n] of its outline, which says where its front is, and of each hole, either way round.

    Raises:
        ShapeError: a corner is out of range, there are too many, or a hole is not within the outline.
    """
    corners = np.concatenate([np.zeros(0, np.int64), *rings])
    check_indices(corners, len(vertices))
    if not rings or len(rings[0]) < 3:
        return np.zeros((0, 3), np.int64)
    if float(len(corners)) ** 2 > MAX_CUT:
        raise ShapeError(f"a face with holes has {len(corners):,} corners: too many", "triangulate the mesh first")
    points = vertices[corners]
    if not np.isfinite(points).all():
        return fan(rings[0])  # what is not finite is refused with words of its own
    ends = np.cumsum([len(ring) for ring in rings])
    found = _ears(points, ends)
    outline, *holes = (_doubled_area(part) for part in np.split(points, ends[:-1]))
    sides = points[found[:, 1:]] - points[found[:, :1]]
    covered = float(np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1).sum())
    if abs(covered - (outline - sum(holes))) > HOLE * outline:
        raise ShapeError("has a face whose holes are not within its outline", "triangulate the mesh first")
    return corners[found]


def _doubled_area(points: Vertices) -> float:
    """Twice the area of a flat polygon [n, 3]."""
    points = points - points[:1]
    return float(np.linalg.norm(np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0)))


def _cut(vertices: Vertices, polygon: NDArray[np.int64]) -> Faces:
    """Cut one polygon [n] by ears."""
    points = vertices[polygon]
    return polygon[_ears(points, np.array([len(polygon)]))] if np.isfinite(points).all() else fan(polygon)


def _ears(points: Vertices, ends: NDArray[np.int64]) -> Faces:
    """Give triangles [t, 3] of a polygon by ears (https://github.com/mapbox/earcut), seen along its normal.

    Args:
        points: [n, 3] those of its outline, then those of its holes.
        ends: [rings] where each ring ends.
    """
    points = points - points[0]
    points = points / max(float(np.abs(points).max()), np.finfo(np.float64).tiny)
    outline = points[: ends[0]]
    normal = np.cross(outline, np.roll(outline, -1, axis=0)).sum(axis=0)
    axis = int(np.abs(normal).argmax())
    forwards, order = normal[axis] > 0, np.arange(len(points))
    if not forwards:  # so that the mirror image gives the same triangles
        order[: ends[0]] = np.roll(order[: ends[0]][::-1], 1)
    flat = np.ascontiguousarray(points[order][:, [(axis + 1) % 3, (axis + 2) % 3]])
    found = mapbox_earcut.triangulate_float64(flat, ends.astype(np.uint32)).astype(np.int64).reshape(-1, 3)
    a, b, c = flat[found].transpose(1, 0, 2)
    turned = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) < (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    found[turned] = found[turned, ::-1]
    return order[found] if forwards else order[found[:, ::-1]]
