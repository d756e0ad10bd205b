"""Compresses meshes to text that the page's script unpacks.

A text is base64 of a zlib stream of

    vertices, faces                 two uint32, little-endian
    positions                       per vertex and axis the difference to the vertex before, zigzag coded
    indices                         per corner the distance below the next unused vertex ("high-water mark")

stored as byte planes (all lowest bytes first): 2 planes of positions, x before y before z, and 3 of indices. Vertices
are numbered in the order of their first use, so a new one is always coded 0. This takes a quarter to a half of the
bytes of plain numbers after the same compression.
"""

import base64
import zlib

import numpy as np
import trimesh
from markupsafe import Markup
from numpy.typing import NDArray

from .markup import render

POSITION_BITS = 14  # steps of 1.2e-4 in [-1, 1]; normals stay smooth on cells of 2 / 127
PAGE_BYTES = 16 << 20  # of all models of a page, so that it loads fast and fits into a mail
MODEL_BYTES = 240 << 10  # enough for meshes of 128 cells per side, unless they are mostly noise
LEVEL = 6  # of zlib; 9 takes three times as long and saves three percent
MOST_VERTICES = 1 << 23  # three byte planes of indices hold twice as many
COARSER = 0.8  # factor of the number of clusters per side while a mesh is too large
FINEST = 110.0  # clusters per side at first

Mesh = tuple[NDArray[np.float64], NDArray[np.int64]]


class Models:
    """The models of a page, each stored once, by the names that the viewer uses.

    Args:
        expected: largest number of models, over which the page's bytes are distributed.
    """

    def __init__(self, expected: int) -> None:
        self._bytes_each = min(MODEL_BYTES, PAGE_BYTES // max(1, expected))
        self._texts: list[str] = []
        self._names: dict[str, str] = {}

    def known(self, key: str) -> str | None:
        """The name of a stored model."""
        return self._names.get(key)

    def add(self, key: str, mesh: trimesh.Trimesh) -> str | None:
        """Store a mesh within [-1, 1]^3 and return its name on the page; None if it has no faces."""
        if key not in self._names:
            vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
            if len(faces) == 0 or not np.isfinite(vertices).all():
                return None
            self._names[key] = f"model-{len(self._texts)}"
            self._texts.append(packed_within(vertices, faces, self._bytes_each))
        return self._names[key]

    def scripts(self) -> Markup:
        """The script elements that hold the models."""
        return render("models", texts=self._texts)


def pack(vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> str:
    """A mesh within [-1, 1]^3 as text; unused vertices are dropped."""
    corners = np.asarray(faces, dtype=np.int64).reshape(-1)
    used, first = np.unique(corners, return_index=True)
    order = used[np.argsort(first)]
    rank = np.empty(len(vertices), dtype=np.int64)
    rank[order] = np.arange(len(order))
    renumbered = rank[corners]
    high_water = np.concatenate([[0], np.maximum.accumulate(renumbered)[:-1] + 1])
    steps = 2**POSITION_BITS - 1
    positions = np.round((np.clip(vertices[order], -1, 1) + 1) / 2 * steps).astype(np.int64)
    content = (
        np.array([len(order), len(faces)], dtype="<u4").tobytes()
        + _byte_planes(_zigzag(np.diff(positions, axis=0, prepend=0)).T, 2)
        + _byte_planes(high_water - renumbered, 3)
    )
    return base64.b64encode(zlib.compress(content, LEVEL)).decode()


def clustered(vertices: NDArray[np.float64], faces: NDArray[np.int64], cells: float) -> Mesh:
    """A coarser mesh: all vertices in a cell of size 2 / cells are merged to their mean (Rossignac and Borrel 1993).

    Unlike extraction on a coarser grid it keeps thin parts in one piece; they become flat.
    """
    x, y, z = np.floor((np.clip(vertices, -1, 1) + 1) * (cells / 2)).astype(np.int64).T
    side = int(cells) + 2
    _, cluster = np.unique((x * side + y) * side + z, return_inverse=True)
    counts = np.bincount(cluster)
    means = np.stack([np.bincount(cluster, vertices[:, axis]) / counts for axis in range(3)], axis=1)
    kept = cluster[faces]
    a, b, c = kept.T
    kept = kept[(a != b) & (b != c) & (c != a)]
    # Parts thinner than a cell have each triangle twice, once per side; keep one.
    a, b, c = np.sort(kept, axis=1).T
    _, first = np.unique((a * len(means) + b) * len(means) + c, return_index=True)
    return means, kept[np.sort(first)]


def packed_within(vertices: NDArray[np.float64], faces: NDArray[np.int64], most: int) -> str:
    """A mesh within [-1, 1]^3 as text of about so many letters at most: a coarser mesh, if need be."""
    text = pack(vertices, faces) if len(vertices) < MOST_VERTICES else ""
    cells = FINEST
    while (not text or len(text) > most) and cells > 8:
        text = pack(*clustered(vertices, faces, cells))
        # The size is proportional to the square of the cells per side.
        cells *= min(COARSER, 0.97 * (most / len(text)) ** 0.5)
    return text


def _zigzag(values: NDArray[np.int64]) -> NDArray[np.int64]:
    return (values << 1) ^ (values >> 63)


def _byte_planes(values: NDArray[np.int64], planes: int) -> bytes:
    return b"".join(((values >> (8 * plane)) & 255).astype(np.uint8).tobytes() for plane in range(planes))
