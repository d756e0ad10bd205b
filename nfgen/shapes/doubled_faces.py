"""Faces that stand back to back, or twice in one place: modellers write them so that both sides are seen.

Their winding numbers cancel, so a shape made of them would have no inside. One of them is kept where that closes the
surface. The two walls of solids that touch stand back to back as well, and both stay.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .base import Floats

Faces = NDArray[np.int64]

PLANE = 1e-6  # volume of four corners, by the cube of their longest side, that still are one flat quadrilateral


def without_doubles(vertices: Floats, faces: Faces, welded: NDArray[np.int64]) -> Faces:
    """Leave out faces [f, 3] that double others.

    Args:
        vertices: [v, 3].
        faces: [f, 3] of any winding.
        welded: [v] a number for each place, so that vertices of one place count as one.
    """
    edges, edge_count = _edges(welded[faces])
    if np.bincount(edges.ravel()).max(initial=0) <= 2:
        return faces  # an edge of a face that doubles another is shared by more, but in a sheet of its own
    faces = _with_same_diagonals(vertices, faces, welded, edges, edge_count)
    order, group, count = _groups(welded[faces])
    if len(count) == len(faces):
        return faces
    first = np.full(len(count), len(faces))
    np.minimum.at(first, group, np.arange(len(faces)))
    edges, edge_count = _edges(welded[faces[first]])
    kept = count // _common_divisor(edges, edge_count, count)
    many = np.flatnonzero(kept > 1)
    one_closes = _one_closes(vertices[faces[first]], edges, edge_count, kept)
    chosen = [first]
    # Where two stay, they are of both windings, if the file has both.
    both = many[~one_closes[many]]
    if len(both):
        turned = _is_odd(welded[faces])
        others = order[np.isin(group[order], both)]
        others = others[others != first[group[others]]]
        opposite = turned[others] != turned[first[group[others]]]
        others = others[np.lexsort((others, ~opposite, group[others]))]
        chosen.append(others[np.unique(group[others], return_index=True)[1]])
    return faces[np.sort(np.concatenate(chosen))]


def _groups(corners: Faces) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Sort faces by their corners in any order: order [f], group of each face [f], size of each group [g]."""
    a, b, c = np.sort(corners, axis=1).T
    order = np.lexsort((c, b, a))
    ranked = np.stack([a, b, c], axis=1)[order]
    begins = np.append(True, (ranked[1:] != ranked[:-1]).any(axis=1))
    group = np.empty(len(corners), np.int64)
    group[order] = np.cumsum(begins) - 1
    return order, group, np.bincount(group)


def _edges(corners: Faces) -> tuple[NDArray[np.int64], int]:
    """Give the number of each edge of each face [f, 3] (edge i leads from corner i to the next), and of all edges."""
    a, b = corners, np.roll(corners, -1, axis=1)
    low, high = np.minimum(a, b).ravel(), np.maximum(a, b).ravel()
    _, edges = np.unique(low * (high.max() + 1) + high, return_inverse=True)
    return edges.reshape(-1, 3), int(edges.max()) + 1


def _components(edges: NDArray[np.int64], edge_count: int) -> NDArray[np.int64]:
    """Number faces [f, 3] of edges by what hangs together over them: [f]."""
    faces = np.repeat(np.arange(len(edges)), 3)
    nodes = len(edges) + edge_count
    graph = coo_array((np.ones(len(faces), bool), (faces, len(edges) + edges.ravel())), (nodes, nodes))
    return connected_components(graph, directed=False)[1][: len(edges)]


def _common_divisor(edges: NDArray[np.int64], edge_count: int, count: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give how often the whole body of each face stands in one place."""
    part = _components(edges, edge_count)
    divisor = np.zeros(int(part.max()) + 1, np.int64)
    np.gcd.at(divisor, part, count)
    return divisor[part]


def _one_closes(
    corners: Floats, edges: NDArray[np.int64], edge_count: int, count: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Find the faces of which one closes the surface, rather than none or two: [g].

    Faces that are there more than once form patches. At the rim of a patch other faces go on: where an odd number of
    them ends at an edge, one face more makes it even, as it is in the surface of a solid.
    """
    many = np.flatnonzero(count > 1)
    single = np.ones(len(count), bool)
    if not len(many):
        return single
    others = np.bincount(edges[count == 1].ravel(), minlength=edge_count)
    patch = _components(edges[many], edge_count)
    length = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2)[many]
    # Each edge within a patch stands in two of its faces (or four): only the others are of its rim.
    at_rim = (np.bincount(edges[many].ravel(), minlength=edge_count) % 2 == 1)[edges[many]]
    beyond = others[edges[many]]
    votes = length * at_rim * np.where(beyond % 2 == 1, 1.0, np.where(beyond > 0, -1.0, 0.0))
    single[many] = np.bincount(patch, votes.sum(axis=1))[patch] >= 0
    return single


def _is_odd(corners: Faces) -> NDArray[np.bool_]:
    """Tell windings apart: [f], which of two orders of the same three corners a face has."""
    a, b, c = corners.T
    return (a > b) ^ (b > c) ^ (a > c)


def _with_same_diagonals(
    vertices: Floats, faces: Faces, welded: NDArray[np.int64], edges: NDArray[np.int64], edge_count: int
) -> Faces:
    """Cut flat quadrilaterals that stand back to back along the same diagonal, so that their triangles are the same."""
    flat, face, side = edges.ravel(), np.repeat(np.arange(len(faces)), 3), np.tile(np.arange(3), len(faces))
    order = np.argsort(flat, kind="stable")
    begins = np.searchsorted(flat[order], np.arange(edge_count + 1))
    begins = begins[:-1][np.diff(begins) == 2]
    one, two = order[begins], order[begins + 1]
    p, q, r = (faces[face[one], (side[one] + step) % 3] for step in range(3))
    s, start = faces[face[two], (side[two] + 2) % 3], faces[face[two], side[two]]
    agree = welded[start] == welded[q]  # wound alike: the edge leads there in the one, and back in the other
    corners = np.sort(np.stack([welded[p], welded[q], welded[r], welded[s]], axis=1), axis=1)
    rank = np.lexsort(corners.T)
    same = (corners[rank][1:] == corners[rank][:-1]).all(axis=1)
    if not same.any():
        return faces
    kept, changed = rank[:-1][same], rank[1:][same]
    crossed = (welded[p[kept]] != welded[p[changed]]) & (welded[p[kept]] != welded[q[changed]])
    crossed &= agree[changed] & _are_flat(vertices, p[changed], q[changed], r[changed], s[changed])
    changed = changed[crossed]
    touched = np.stack([face[one[changed]], face[two[changed]]], axis=1)
    once = np.bincount(touched.ravel(), minlength=len(faces))[touched].max(axis=1, initial=0) == 1
    changed, touched = changed[once], touched[once]
    p, q, r, s = p[changed], q[changed], r[changed], s[changed]
    faces = faces.copy()
    faces[touched[:, 0]] = np.stack([p, s, r], axis=1)
    faces[touched[:, 1]] = np.stack([s, q, r], axis=1)
    return faces


def _are_flat(vertices: Floats, *corners: NDArray[np.int64]) -> NDArray[np.bool_]:
    origin = vertices[corners[0]]
    a, b, c = (vertices[one] - origin for one in corners[1:])
    size = np.max([np.abs(a).max(axis=1), np.abs(b).max(axis=1), np.abs(c).max(axis=1)], axis=0)
    return np.abs(np.einsum("ni,ni->n", np.cross(a, b), c)) <= PLANE * size**3
