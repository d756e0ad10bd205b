"""What is wrong with a mesh that should be a closed surface."""

from collections import Counter
from importlib.util import find_spec

import numpy as np
import trimesh

from nfgen.io.meshes import FORMATS, NEEDED

WRITABLE = [format for format in FORMATS if all(find_spec(package) for package in NEEDED.get(format, ()))]


def faults(mesh: trimesh.Trimesh) -> Counter[str]:
    """The kinds of faults of a mesh."""
    _, faces_of_edge = np.unique(mesh.edges_sorted, axis=0, return_counts=True)
    found = {
        "an edge of one face": (faces_of_edge == 1).any(),
        "an edge of more than two faces": (faces_of_edge > 2).any(),
        "a face of no area": not mesh.nondegenerate_faces().all(),
        "faces turned against each other": not mesh.is_winding_consistent,
        "turned inside out": mesh.volume <= 0,
    }
    return Counter(name for name, is_so in found.items() if is_so)
