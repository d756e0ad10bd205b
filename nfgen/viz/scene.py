"""Prepares a mesh for rendering: subdivision, normals, ground, and light of the sky on both."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from nfgen.errors import ConfigError

from .lighting import sky_visibility

if TYPE_CHECKING:
    import trimesh

Floats = NDArray[np.floating]

LONGEST_EDGE = 0.05  # longer edges are split, as sky light is computed at vertices; coordinate units
MOST_FACES = 60_000  # that are subdivided
FARTHEST = 4.0  # largest coordinate of a mesh; ten times as much would take gigabytes
SHARP = np.cos(np.radians(40))  # faces that meet at a larger angle are shaded flat
GROUND_REACH, GROUND_STEPS = 2.4, 72  # half the side of the ground with shadows, and its grid


class Scene(NamedTuple):
    """Everything that does not depend on the camera; z is up, coordinate units."""

    vertices: Floats
    """[V, 3]"""
    faces: NDArray[np.int64]
    """[F, 3]"""
    corner_normals: Floats
    """[F, 3, 3], of length 1; at sharp edges they differ between faces."""
    sky: Floats
    """[V], the share of the sky's light at each vertex."""
    ground_height: float
    """z of the ground: the lowest vertex, or -1."""
    ground_sky: Floats
    """[GROUND_STEPS + 1, GROUND_STEPS + 1] over x and y from -GROUND_REACH to GROUND_REACH: the same for the ground."""


def lit_scene(mesh: "trimesh.Trimesh", up: str) -> Scene:
    """Prepare a mesh whose up axis is "z" (front -y) or "y" (front +z).

    Raises:
        ConfigError: for another up axis, or if vertices are not finite or have coordinates beyond 4.
    """
    if up not in ("y", "z"):
        raise ConfigError(f"up is {up!r}", 'use "z" or "y"')
    vertices: Floats = np.asarray(mesh.vertices, dtype=np.float64)
    faces: NDArray[np.int64] = np.asarray(mesh.faces, dtype=np.int64)
    if len(faces) == 0:
        vertices, faces = np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64)
    elif not np.isfinite(vertices).all():
        raise ConfigError("the mesh to render has vertices that are not finite", "drop it, or repair its vertices")
    if up == "y":
        vertices = vertices[:, [0, 2, 1]] * [1, -1, 1]
    if np.abs(vertices).max(initial=0) > FARTHEST:
        raise ConfigError(
            f"the mesh to render reaches {np.abs(vertices).max():.4g} from the origin", "scale it into [-1, 1]^3"
        )
    vertices, faces = _divided(vertices, faces)
    normals, at_corners = _normals(vertices, faces)
    height = float(vertices[:, 2].min()) if len(vertices) else -1.0

    line = np.linspace(-GROUND_REACH, GROUND_REACH, GROUND_STEPS + 1)
    x, y = np.meshgrid(line, line, indexing="ij")
    ground = np.stack([x, y, np.full_like(x, height)], axis=-1).reshape(-1, 3)
    upright = np.tile([0.0, 0.0, 1.0], (len(ground), 1))
    sky = sky_visibility(np.concatenate([vertices, ground]), np.concatenate([normals, upright]), vertices)
    ground_sky = sky[len(vertices) :].reshape(x.shape)
    # Blurs away the edges of single shadows of the finite number of directions.
    return Scene(vertices, faces, at_corners, sky[: len(vertices)], height, gaussian_filter(ground_sky, 1.0))


def _divided(vertices: Floats, faces: NDArray[np.int64]) -> tuple[Floats, NDArray[np.int64]]:
    """Subdivide until no edge exceeds `LONGEST_EDGE`, by bisecting triangles at their longest edge (Rivara 1984).

    Meshes of `MOST_FACES` or more stay as they are: their triangles are small enough.
    """
    corners = vertices[faces]
    finished: list[Floats] = []
    while 0 < len(corners) < MOST_FACES:
        side = np.roll(corners, -1, axis=1) - corners
        length = np.sqrt(np.einsum("fcd,fcd->fc", side, side))
        coarse = length.max(axis=1) > LONGEST_EDGE
        if not (finished or coarse.any()):
            return vertices, faces
        finished.append(corners[~coarse])
        from_longest = (length[coarse].argmax(axis=1)[:, None] + np.arange(3)) % 3
        one, two, three = np.take_along_axis(corners[coarse], from_longest[..., None], axis=1).swapaxes(0, 1)
        middle = (one + two) / 2
        corners = np.concatenate([np.stack([one, middle, three], axis=1), np.stack([middle, two, three], axis=1)])
    finished.append(corners)
    if len(finished) == 1:
        return vertices, faces
    # Both triangles of an edge compute the same midpoint, to the last bit.
    points, inverse = np.unique(np.concatenate(finished).reshape(-1, 3), axis=0, return_inverse=True)
    return points, inverse.reshape(-1, 3)


def corner_normals(vertices: Floats, faces: NDArray[np.int64]) -> Floats:
    """Normals [F, 3, 3] at the corners of faces, as viewers shade: smooth, but for edges sharper than 40 degrees."""
    return _normals(vertices, faces)[1]


def _normals(vertices: Floats, faces: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Vertex normals [V, 3], weighted by angle, and corner normals [F, 3, 3] that keep sharp edges.

    Weights by angle (Thuermer and Wuethrich, "Computing vertex normals from polygonal facets", 1998) do not depend on
    the triangulation; with weights by area, marching cubes meshes show ripples.
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
    """Normalise vectors [..., 3] to length 1; zero vectors stay zero."""
    length: Floats = np.sqrt(np.einsum("...i,...i->...", vectors, vectors))
    return vectors / np.maximum(length, 1e-12)[..., None]
