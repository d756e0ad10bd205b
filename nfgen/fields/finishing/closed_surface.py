"""Whether a mesh is a closed surface, also for a reader that merges equal vertices."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import trimesh


def what_is_open(mesh: "trimesh.Trimesh") -> str | None:
    """What a mesh lacks of a closed, edge-manifold, consistently wound surface of distinct vertices; None if nothing.

    Vertices are compared in single precision, as GLB and STL hold them.
    """
    if not len(mesh.faces):
        return "it has no faces"
    merged = np.unique(np.asarray(mesh.vertices, np.float32), axis=0, return_inverse=True)[1].reshape(-1)
    faces = merged[mesh.faces]
    if (faces == np.roll(faces, 1, axis=1)).any():
        return "corners of a face fall together"
    edges = faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    counts = np.unique(np.sort(edges, axis=1), axis=0, return_counts=True)[1]
    if (counts == 1).any():
        return "it has an open edge"
    if (counts > 2).any():
        return "an edge has more than two faces"
    if len(np.unique(edges, axis=0)) < len(edges):
        return "faces are turned against each other"
    return None if mesh.volume > 0 else "it is turned inside out"
