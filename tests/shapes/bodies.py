"""Bodies that tests of shapes share, and what is known of them."""

import numpy as np
import trimesh

from nfgen.shapes import MeshShape

BOX = trimesh.creation.box()
BALL = trimesh.creation.icosphere(subdivisions=4)


def uniform(n: int, dims: int = 3) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (n, dims))


def box_distance(points: np.ndarray, half: float = 0.95) -> np.ndarray:
    beyond = np.abs(points) - half
    return np.linalg.norm(beyond.clip(0), axis=1) + beyond.max(axis=1).clip(max=0)


def moved(mesh: trimesh.Trimesh, x: float) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices + np.array([x, 0, 0]), mesh.faces, process=False)


def shape_of(mesh: trimesh.Trimesh) -> MeshShape:
    return MeshShape(mesh.vertices, mesh.faces)


def voxel_ball(n: int = 32, radius: float = 0.8) -> np.ndarray:
    axis = (np.arange(n) + 0.5) * 2 / n - 1
    return np.linalg.norm(np.stack(np.meshgrid(axis, axis, axis, indexing="ij")), axis=0) < radius
