"""From a soup of triangles to the boundary of a solid: faces outwards, and none of those hidden inside.

Triangles are in the field's frame, about 2 wide; the constants below are lengths in it.
"""

import igl
import numpy as np
from numpy.typing import NDArray

from .base import Floats, sample_simplices, simplex_measure

Faces = NDArray[np.int64]

WELD = 2.0**20  # steps per unit: vertices of seams coincide; 21 bits an axis pack into one integer, which sorts fast
BESIDE = 1e-4  # how far beside a face its two sides are looked at: thinner than any wall a field could learn
CLOSED = 1e-6  # area vectors of a closed body add up to zero; relative rounding error of the sum
PROBES = 1024  # surface points that tell whether any face is hidden; finds 0.5 % hidden area in 99 cases of 100
COARSE, FINE = 0.1, 0.02  # longest edge at which a piece is first looked at, and at which a cut one is kept whole
MAX_LOOKS = 20_000  # up to 100 microseconds each in a crowd of thin bodies; the smallest faces beyond are kept unseen
WITNESSES = 16  # largest faces of a body that tell whether solid is around it
ASIDE = 0.02  # how far from a corner towards the inside of the triangle it is looked at: off the neighbours' planes


def orient_outwards(vertices: Floats, faces: Faces) -> Faces:
    """Turn faces [f, 3] so that the winding number is positive inside.

    Within a patch the faces follow the majority (by area); the whole mesh is turned to a positive volume; and so is
    each closed body of negative volume, unless it is the wall of a cavity: a body whose outer side is solid.
    """
    faces, welded, patch = _made_consistent(vertices, faces, weld(vertices)[faces])
    if _measured(vertices[faces])[1].sum() < 0:
        faces = faces[:, ::-1].copy()
    # Bodies that touch along an edge hang together, though each is a closed patch of its own.
    faces = _inverted_turned(vertices, faces, patch)
    return _inverted_turned(vertices, faces, igl.facet_components(welded)[1])


def _inverted_turned(vertices: Floats, faces: Faces, body: NDArray[np.int64]) -> Faces:
    """Turn closed bodies of negative volume that are no walls of cavities; body [f] is the number of each face's."""
    count = int(body.max()) + 1
    corners = vertices[faces]
    area_vectors, volume = _measured(corners)
    areas = np.linalg.norm(area_vectors, axis=1)
    gap = np.stack([np.bincount(body, area_vectors[:, d], minlength=count) for d in range(3)], axis=1)
    closed = np.linalg.norm(gap, axis=1) < CLOSED * np.bincount(body, areas, minlength=count)
    inverted = closed & (np.bincount(body, volume, minlength=count) < 0)
    if not inverted.any():
        return faces
    rows = np.flatnonzero(inverted[body])
    rows = rows[np.lexsort((-areas[rows], body[rows]))]
    rows = rows[np.arange(len(rows)) - np.searchsorted(body[rows], body[rows]) < WITNESSES]
    normals = area_vectors[rows] / areas[rows, None]
    beside = corners[rows].mean(axis=1) + BESIDE * np.stack([normals, -normals])
    winding = igl.fast_winding_number(vertices, faces, beside.reshape(-1, 3)).reshape(2, -1)
    in_solid = np.bincount(body[rows], areas[rows] * (winding.max(axis=0) > 0.5), minlength=count)
    cavity = in_solid > np.bincount(body[rows], areas[rows], minlength=count) / 2
    turned = (inverted & ~cavity)[body]
    faces[turned] = faces[turned, ::-1]
    return faces


def _measured(corners: Floats) -> tuple[Floats, Floats]:
    """Give of triangles [f, 3, 3] the area vectors [f, 3], and the volumes [f] between them and the middle of all."""
    area_vectors = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2
    middle = corners.mean(axis=(0, 1))
    return area_vectors, np.einsum("fd,fd->f", corners.mean(axis=1) - middle, area_vectors) / 3


def weld(vertices: Floats) -> NDArray[np.int64]:
    """Number the places of vertices [v, 3]: [v], the same for those that coincide."""
    steps = np.round((vertices.clip(-1, 1) + 1) * (WELD - 1)).astype(np.int64)
    packed = (steps[:, 0] << 42) | (steps[:, 1] << 21) | steps[:, 2]
    return np.unique(packed, return_inverse=True)[1].astype(np.int64)


def exposed_triangles(vertices: Floats, faces: Faces) -> Floats:
    """Give the triangles [t, 3, 3] of outward faces [f, 3] that are not hidden inside the solid; none if all is hollow.

    Where bodies overlap, the parts of their faces that lie inside one another are no boundary: a distance to them would
    make phantom surfaces. Faces that are partly hidden are cut, and pieces of edge `FINE` decided as a whole.
    """
    corners = vertices[faces]
    probes = sample_simplices(vertices, faces, PROBES, np.random.default_rng(0))
    nearest = igl.point_mesh_squared_distance(probes, vertices, faces)[1]
    normals = _normals(corners[nearest])
    outer, inner = (_is_solid(vertices, faces, probes + side * normals) for side in (BESIDE, -BESIDE))
    if not (outer | inner).any():
        return corners[:0]
    if not (outer & inner).any():
        return corners

    by_size = np.argsort(-simplex_measure(corners), kind="stable")
    unseen, corners = corners[by_size[MAX_LOOKS:]], corners[by_size[:MAX_LOOKS]]
    looks = middles = corners.mean(axis=1, keepdims=True)
    if corners.size <= 3 * MAX_LOOKS:  # few enough to look at each corner
        looks = corners * (1 - ASIDE) + middles * ASIDE
    normals = np.repeat(_normals(corners), looks.shape[1], axis=0)
    hidden = _hidden(vertices, faces, looks.reshape(-1, 3), normals).reshape(looks.shape[:2])
    looked = hidden.size
    hidden = np.broadcast_to(hidden, (len(corners), 3))
    kept = [unseen]
    while len(corners):
        longest = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2).max(axis=1)
        mixed = hidden.any(axis=1) & ~hidden.all(axis=1)
        cut = (longest > COARSE) | (mixed & (longest > FINE))
        looked += 2 * cut.sum()  # both sides of a new corner, where any is hidden
        if looked > MAX_LOOKS:
            break
        kept.append(corners[~cut & ~hidden.all(axis=1)])
        corners, hidden = _halved(vertices, faces, corners[cut], hidden[cut])
    return np.concatenate([*kept, corners[~hidden.all(axis=1)]])


def _made_consistent(vertices: Floats, faces: Faces, welded: Faces) -> tuple[Faces, Faces, NDArray[np.int64]]:
    """Give the faces of each patch wound alike, the same of welded ones, and the patch [f] of each."""
    agreed, patch = igl.bfs_orient(welded)
    turned = (agreed != welded).any(axis=1)
    if not turned.any():
        return faces.copy(), welded, patch
    corners = vertices[faces]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    # Which face of a patch comes first is chance; the fewest turned faces is what the file most likely meant.
    votes = np.bincount(patch, np.where(turned, areas, -areas))
    turned ^= votes[patch] > 0
    faces, welded = faces.copy(), welded.copy()
    faces[turned], welded[turned] = faces[turned, ::-1], welded[turned, ::-1]
    return faces, welded, patch


def _normals(corners: Floats) -> Floats:
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), np.finfo(np.float64).tiny)


def _hidden(vertices: Floats, faces: Faces, points: Floats, normals: Floats) -> NDArray[np.bool_]:
    """Tell of points [n, 3] on faces with normals [n, 3] whether the solid is on both sides of them: [n]."""
    hidden = _is_solid(vertices, faces, points + BESIDE * normals)
    # The inner side of an outward face is solid nearly always: only where the outer one is too it must be seen.
    hidden[hidden] = _is_solid(vertices, faces, points[hidden] - BESIDE * normals[hidden])
    return hidden


def _is_solid(vertices: Floats, faces: Faces, points: Floats) -> NDArray[np.bool_]:
    return igl.fast_winding_number(vertices, faces, points) > 0.5 if len(points) else np.zeros(0, np.bool_)


def _halved(
    vertices: Floats, faces: Faces, corners: Floats, hidden: NDArray[np.bool_]
) -> tuple[Floats, NDArray[np.bool_]]:
    """Cut triangles [t, 3, 3] across their longest edges and look at the new corners: [2t, 3, 3], hidden [2t, 3]."""
    edges = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2)
    order = (edges.argmax(axis=1)[:, None] + np.arange(3)) % 3
    a, b, c = np.take_along_axis(corners, order[:, :, None], axis=1).transpose(1, 0, 2)
    at_a, at_b, at_c = np.take_along_axis(hidden, order, axis=1).T
    middle = (a + b) / 2
    at_middle = _hidden(vertices, faces, middle * (1 - ASIDE) + c * ASIDE, _normals(corners))
    pieces = np.concatenate([np.stack([a, middle, c], axis=1), np.stack([middle, b, c], axis=1)])
    return pieces, np.concatenate(
        [np.stack([at_a, at_middle, at_c], axis=1), np.stack([at_middle, at_b, at_c], axis=1)]
    )
