"""What readers of mesh files give: triangles with z up, put together from the parts that the file places."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ShapeError
from nfgen.io.meshes import Up, turned_upright

MAX_FACES = 20_000_000  # of a whole scene; a small file can place one part any number of times
MAX_PARTS = 1_000_000  # placed, whatever their size: each takes some 400 bytes more than its faces
MAX_VERTICES = 3 * MAX_FACES

Vertices = NDArray[np.float64]
Faces = NDArray[np.int64]


class FileMesh(NamedTuple):
    """The triangles of a file."""

    vertices: Vertices
    """[v, 3], turned so that z is up where `up` is known."""
    faces: Faces
    """[f, 3] indices of vertices."""
    polygons: int
    """Faces as the file has them, of any number of corners."""
    up: Up | None = None
    """Which axis of the file is up by its own word or its format's standard; None: unknown, and nothing was turned."""
    parts: int = 1
    """Meshes that the file places."""


class Assembly:
    """Parts of a scene, collected one by one."""

    def __init__(self) -> None:
        self._vertices: list[Vertices] = []
        self._faces: list[Faces] = []
        self._vertex_count = self._face_count = self._polygons = self._parts = 0

    def add(self, vertices: Vertices, faces: Faces, placements: Vertices, polygons: int | None = None) -> None:
        """Place a mesh, vertices [v, 3] and faces [f, 3], once for each matrix of placements [p, 4, 4].

        Raises:
            ShapeError: an index is out of range, or the scene has too many faces or parts.
        """
        check_indices(faces, len(vertices))
        if 3 * len(faces) < len(vertices):  # parts may share one long list of vertices
            used, faces = np.unique(faces, return_inverse=True)
            vertices, faces = vertices[used], faces.reshape(-1, 3)
        times = len(placements)
        self._face_count += times * len(faces)
        self._vertex_count += times * len(vertices)
        if self._face_count > MAX_FACES or self._vertex_count > MAX_VERTICES:
            raise ShapeError(f"has more than {MAX_FACES:,} faces", "decimate the mesh")
        if self._parts + times > MAX_PARTS:
            raise ShapeError(f"places more than {MAX_PARTS:,} parts", "join the parts of the mesh")
        start = self._vertex_count - times * len(vertices)
        turns, shifts = placements[:, :3, :3], placements[:, :3, 3]
        placed = np.einsum("pij,vj->pvi", turns, vertices) + shifts[:, None]
        mirrored = np.linalg.det(turns) < 0
        corners = np.where(mirrored[:, None, None], faces[:, ::-1], faces)
        corners = corners + (start + len(vertices) * np.arange(times))[:, None, None]
        self._vertices.append(placed.reshape(-1, 3))
        self._faces.append(corners.reshape(-1, 3))
        self._polygons += times * (len(faces) if polygons is None else polygons)
        self._parts += times

    def mesh(self, up: Up | None) -> FileMesh:
        """Give all of it as one mesh, turned so that z is up."""
        vertices = np.concatenate([np.zeros((0, 3)), *self._vertices])
        faces = np.concatenate([np.zeros((0, 3), np.int64), *self._faces])
        if up is not None:
            vertices = turned_upright(vertices, up)
        return FileMesh(vertices, faces, self._polygons, up, self._parts)


def check_indices(indices: NDArray[np.integer], vertices: int) -> None:
    """Compare indices of vertices, counted from 0, with the number of vertices.

    Raises:
        ShapeError: one is out of range.
    """
    if indices.size and (indices.min() < 0 or indices.max() >= vertices):
        wrong = indices.min() if indices.min() < 0 else indices.max()
        raise ShapeError(f"a face index is out of range ({wrong} for {vertices:,} vertices)", "mend the file")


def check_count(what: str, claimed: int, held: int) -> None:
    """Compare a number that the file states with what it has.

    Raises:
        ShapeError: it has fewer.
    """
    if held < claimed:
        raise ShapeError(f"claims {claimed:,} {what}, holds {held:,}", "the file is cut short: export it again")


def no_faces(vertices: int, others: Sequence[str] = ()) -> ShapeError:
    """Give the error for a file without faces, by what it has instead: points, other things by name, or nothing."""
    if others:
        return ShapeError(f"holds {' and '.join(others)}, but no faces", "export the surface as triangles")
    if vertices:
        return ShapeError(
            f"holds {vertices:,} points, but no faces", "points have no inside: make a mesh of them first"
        )
    return ShapeError("holds nothing: neither points nor faces", "export the file again")
