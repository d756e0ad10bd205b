"""Sheets: surface that encloses nothing, which a solid does not have; how much of it there is, and walls made of it.

Triangles are in the field's frame, about 2 wide; the constants below are lengths in it.
"""

import igl
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from nfgen.shapes.base import Floats, simplex_measure
from nfgen.shapes.mesh_repair import BESIDE, weld

Faces = NDArray[np.int64]

PROBES = 2048  # surface points that are looked at: the share is known to 1 %, near 0 to 0.3 %
BODY_PROBES = 16_384  # the same, where each body is looked at
NOTICED = 0.02  # share of a surface from which on its loss is said, and its body counts as open
ROUNDS = 4  # what becomes a wall no longer helps to enclose the rest, so that is looked at again
SLANT = 0.5  # least cosine between a corner's normal and its faces' that thickness is made up for


def lost_share(vertices: Floats, faces: Faces) -> float:
    """Give the share of the area of outward faces [f, 3] that has no solid on either side."""
    _, lost = _probed(vertices, faces, PROBES)
    return float(lost.mean())


def with_walls(vertices: Floats, faces: Faces, thickness: float, only_lost: bool) -> tuple[Floats, Faces]:
    """Turn open bodies among outward faces [f, 3] into walls; closed ones are kept as they are.

    A body is open if more than 2 % of its surface encloses nothing or, unless `only_lost`, if its holes are larger than
    2 % of its area. Each of its sheets becomes a closed slab about itself, and slabs of sheets that meet overlap.
    """
    slabs: list[tuple[Floats, Faces]] = []
    for turn in range(ROUNDS):
        if not len(faces):
            break
        is_open = _lost_of_bodies(vertices, faces) > NOTICED
        if turn == 0 and not only_lost:
            is_open |= holes_of_bodies(vertices, faces) > NOTICED
        if not is_open.any():
            break
        slabs.append(_thickened(vertices, faces[is_open], thickness))
        faces = faces[~is_open]
    points, triangles, start = [vertices], [faces], len(vertices)
    for slab, slab_faces in slabs:
        points.append(slab)
        triangles.append(slab_faces + start)
        start += len(slab)
    return np.concatenate(points), np.concatenate(triangles)


def _probed(vertices: Floats, faces: Faces, count: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Faces [count] drawn by area, and whether there is no solid on either side of a point of each."""
    corners = vertices[faces]
    areas = simplex_measure(corners)
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(faces), count, p=areas / areas.sum())
    corners = corners[chosen]
    points = np.einsum("nc,ncd->nd", rng.dirichlet(np.ones(3), count), corners)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals *= BESIDE / np.linalg.norm(normals, axis=1, keepdims=True)
    winding = igl.fast_winding_number(vertices, faces, np.concatenate([points + normals, points - normals]))
    return chosen, (winding.reshape(2, -1) <= 0.5).all(axis=0)


def _lost_of_bodies(vertices: Floats, faces: Faces) -> Floats:
    """Of each face [f], the share of its body's surface that encloses nothing."""
    count, body = igl.facet_components(weld(vertices)[faces])
    chosen, lost = _probed(vertices, faces, BODY_PROBES)
    seen = np.bincount(body[chosen], minlength=count)
    return (np.bincount(body[chosen], lost, minlength=count) / np.maximum(seen, 1))[body]


def holes_of_bodies(vertices: Floats, faces: Faces) -> Floats:
    """Of each face [f], the area of its body's holes by that of its surface.

    The area of a hole is that of its border's vector, so that a seam whose two sides have other corners is none.
    """
    welded = weld(vertices)
    corners = welded[faces]
    count, body = igl.facet_components(corners)
    places = np.zeros((int(welded.max()) + 1, 3))
    places[welded] = vertices
    edges = corners[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    _, inverse, times = np.unique(np.sort(edges, axis=1), axis=0, return_inverse=True, return_counts=True)
    border = times[inverse.ravel()] == 1
    edges, owner = edges[border], np.repeat(body, 3)[border]
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(len(places),) * 2)
    hole = connected_components(graph, directed=False)[1][edges[:, 0]]
    vectors = np.cross(places[edges[:, 0]], places[edges[:, 1]]) / 2
    summed = np.stack([np.bincount(hole, vectors[:, axis], minlength=len(places)) for axis in range(3)], axis=1)
    body_of_hole = np.zeros(len(places), np.int64)
    body_of_hole[hole] = owner
    holes = np.bincount(body_of_hole, np.linalg.norm(summed, axis=1), minlength=count)
    areas = np.bincount(body, simplex_measure(vertices[faces]), minlength=count)
    return (holes / areas)[body]


def _thickened(vertices: Floats, sheet: Faces, thickness: float) -> tuple[Floats, Faces]:
    """Closed slabs about the faces of sheets: two copies of each, half the thickness away, and a rim."""
    welded = weld(vertices)
    agreed, patch = igl.bfs_orient(welded[sheet])
    turned = (agreed != welded[sheet]).any(axis=1)
    oriented = np.where(turned[:, None], sheet[:, ::-1], sheet)
    # Patches have corners of their own, so that each has one normal there.
    places = welded[oriented]
    _, first, local = np.unique(
        (patch[:, None] * (places.max() + 1) + places).ravel(), return_index=True, return_inverse=True
    )
    points, local = vertices[oriented.ravel()[first]], local.reshape(-1, 3)
    corners = points[local]
    face_normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(points)
    np.add.at(normals, local.ravel(), np.repeat(face_normals, 3, axis=0))
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    lengths = np.linalg.norm(face_normals, axis=1)
    cosines, weight = np.zeros(len(points)), np.zeros(len(points))
    along = np.einsum("fcd,fd->fc", normals[local], face_normals)
    np.add.at(cosines, local.ravel(), along.ravel())
    np.add.at(weight, local.ravel(), np.repeat(lengths, 3))
    reach = thickness / 2 / np.clip(cosines / np.maximum(weight, np.finfo(np.float64).tiny), SLANT, 1)
    offset = normals * reach[:, None]
    count = len(points)
    edges = local[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    _, inverse, times = np.unique(np.sort(edges, axis=1), axis=0, return_inverse=True, return_counts=True)
    a, b = edges[times[inverse.ravel()] == 1].T
    rim = np.concatenate([np.stack([a + count, b + count, b], 1), np.stack([a + count, b, a], 1)])
    return np.concatenate([points + offset, points - offset]), np.concatenate([local, local[:, ::-1] + count, rim])
