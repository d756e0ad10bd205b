"""Whether a mesh is a closed surface, also for a reader that merges equal vertices."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import trimesh


FLAT = 1e-6
"""Least altitude of a face, as a share of the extent: a dozen times what single precision rounds."""


def what_is_open(mesh: "trimesh.Trimesh") -> str | None:
    """What a mesh lacks of a closed, edge-manifold, consistently wound surface of distinct vertices and faces of some
    area; None if nothing.

    Vertices are compared in single precision, as GLB and STL hold them.
    """
    if not len(mesh.faces):
        return "it has no faces"
    merged = np.unique(np.asarray(mesh.vertices, np.float32), axis=0, return_inverse=True)[1].reshape(-1)
    faces = merged[mesh.faces]
    if (faces == np.roll(faces, 1, axis=1)).any():
        return "corners of a face fall together"
    if len(_slivers(mesh)):
        return "a face has no area"
    edges = faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    counts = np.unique(np.sort(edges, axis=1), axis=0, return_counts=True)[1]
    if (counts == 1).any():
        return "it has an open edge"
    if (counts > 2).any():
        return "an edge has more than two faces"
    if len(np.unique(edges, axis=0)) < len(edges):
        return "faces are turned against each other"
    return None if mesh.volume > 0 else "it is turned inside out"


def without_slivers(mesh: "trimesh.Trimesh") -> "trimesh.Trimesh":
    """The same surface without faces whose corners lie in a line, as they come about on flat parts.

    The longest side of such a face is flipped: the face and the one beyond that side become two others of the same four
    corners. Where these would have an edge that there is already, they stay.
    """
    import trimesh

    faces = np.asarray(mesh.faces).copy()
    for number in _slivers(mesh):
        corners = np.asarray(mesh.vertices, np.float64)[faces[number]]
        longest = int(np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1).argmax())
        start, end, middle = np.roll(faces[number], -longest)
        beyond = [int(other) for other in np.flatnonzero(_follows(faces, end, start)) if other != number]
        if len(beyond) != 1:
            continue
        (opposite,) = set(faces[beyond[0]].tolist()) - {int(start), int(end)}
        if _follows(faces, middle, opposite).any() or _follows(faces, opposite, middle).any():
            continue
        faces[number], faces[beyond[0]] = (start, opposite, middle), (opposite, end, middle)
    return trimesh.Trimesh(mesh.vertices, faces, process=False)


def _follows(faces: NDArray[np.int64], first: int, second: int) -> NDArray[np.bool_]:
    """In which faces a corner comes right before another one."""
    found: NDArray[np.bool_] = ((faces == first) & (np.roll(faces, -1, axis=1) == second)).any(axis=1)
    return found


def _slivers(mesh: "trimesh.Trimesh") -> NDArray[np.int64]:
    """The faces of which a corner lies on the longest side."""
    corners = np.asarray(mesh.vertices, np.float64)[mesh.faces]
    sides = np.roll(corners, -1, axis=1) - corners
    twice = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1)
    altitudes = twice / np.linalg.norm(sides, axis=2).max(axis=1).clip(min=1e-30)
    return np.flatnonzero(altitudes < FLAT * mesh.extents.max())
