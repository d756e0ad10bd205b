"""A mesh made ready for pictures: cut fine, with normals, standing on a ground, with the light of the sky upon both."""

from typing import NamedTuple

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from nfgen.errors import ConfigError
from nfgen.lighting import sky_visibility

Floats = NDArray[np.floating]

FINEST_EDGE = 0.04  # longer edges are divided, for the light of the sky is computed at corners; coordinate units
SHARP = np.cos(np.radians(40))  # where faces meet at a sharper angle they are shaded flat
GROUND_REACH, GROUND_STEPS = 2.4, 72  # half the side of the ground that can hold a shadow, and its grid


class Scene(NamedTuple):
    """What does not depend on the camera; z is up, coordinate units."""

    vertices: Floats
    """[V, 3]"""
    faces: NDArray[np.int64]
    """[F, 3]"""
    corner_normals: Floats
    """[F, 3, 3], of length 1; they differ between the faces that meet at a sharp edge."""
    sky: Floats
    """[V], the share of the sky's light that reaches each vertex."""
    ground_height: float
    """z of the ground: the lowest vertex, or -1."""
    ground_sky: Floats
    """[GROUND_STEPS + 1, GROUND_STEPS + 1] over x and y from -GROUND_REACH to GROUND_REACH: the same for the ground."""


def lit_scene(mesh: trimesh.Trimesh, up: str) -> Scene:
    """Make a scene of a mesh whose up axis is "z" (front -y) or "y" (front +z).

    Raises:
        ConfigError: for another up axis, or vertices that are not finite.
    """
    if up not in ("y", "z"):
        raise ConfigError(f"up is {up!r}", 'say which axis points up, "z" or "y"')
    vertices, faces = np.asarray(mesh.vertices, dtype=np.float64), np.asarray(mesh.faces, dtype=np.int64)
    if len(faces) == 0:
        vertices, faces = np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64)
    elif not np.isfinite(vertices).all():
        raise ConfigError("the mesh to render has vertices that are not finite", "drop it, or mend its vertices")
    if up == "y":
        vertices = vertices[:, [0, 2, 1]] * [1, -1, 1]
    if len(faces) and _longest_edge(vertices, faces) > 2 * FINEST_EDGE:
        vertices, faces = trimesh.remesh.subdivide_to_size(vertices, faces, FINEST_EDGE, max_iter=20)
    normals, corner_normals = _normals(vertices, faces)
    height = float(vertices[:, 2].min()) if len(vertices) else -1.0

    line = np.linspace(-GROUND_REACH, GROUND_REACH, GROUND_STEPS + 1)
    x, y = np.meshgrid(line, line, indexing="ij")
    ground = np.stack([x, y, np.full_like(x, height)], axis=-1).reshape(-1, 3)
    upright = np.tile([0.0, 0.0, 1.0], (len(ground), 1))
    sky = sky_visibility(np.concatenate([vertices, ground]), np.concatenate([normals, upright]), vertices)
    ground_sky = sky[len(vertices) :].reshape(x.shape)
    # Many directions, but not all: what is left of their single shadows is blurred away.
    return Scene(vertices, faces, corner_normals, sky[: len(vertices)], height, gaussian_filter(ground_sky, 1.0))


def _longest_edge(vertices: Floats, faces: NDArray[np.int64]) -> float:
    return float(np.linalg.norm(np.diff(vertices[faces[:, [0, 1, 2, 0]]], axis=1), axis=2).max())


def _normals(vertices: Floats, faces: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Vertex normals [V, 3], weighted by angle, and corner normals [F, 3, 3] that leave sharp edges sharp.

    Weights by angle (Thuermer and Wuethrich, "Computing vertex normals from polygonal facets", 1998) do not depend on
    how a surface is cut into triangles; with weights by area marching cubes meshes look rippled.
    """
    triangles = vertices[faces]
    to_next = np.roll(triangles, -1, axis=1) - triangles
    to_previous = -np.roll(to_next, 1, axis=1)
    doubled_area = np.cross(to_next[:, 0], to_previous[:, 0])
    angle = np.arctan2(np.linalg.norm(doubled_area, axis=1)[:, None], (to_next * to_previous).sum(axis=2))
    face_normals = unit(doubled_area)[:, None, :]
    weighted = (angle[..., None] * face_normals).reshape(-1, 3)
    sums = [np.bincount(faces.ravel(), weighted[:, axis], len(vertices)) for axis in range(3)]
    normals = unit(np.stack(sums, axis=1))
    smooth = (normals[faces] * face_normals).sum(axis=2, keepdims=True) > SHARP
    return normals, np.where(smooth, normals[faces], face_normals)


def unit(vectors: Floats) -> Floats:
    """Vectors [..., 3] scaled to length 1; those of no length stay so."""
    length: Floats = np.sqrt(np.einsum("...i,...i->...", vectors, vectors))
    return vectors / np.maximum(length, 1e-12)[..., None]
