"""Geometries of COLLADA: triangles, polygons, strips and fans over lists of coordinates."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ShapeError

from .file_mesh import Faces, Vertices, check_count
from .polygons import fan, strips, triangulated, with_holes
from .text import numbers, whole_numbers
from .xml_tree import Element

FLAT = {"lines": "lines", "linestrips": "lines"}
FREE_FORM = {"spline": "splines", "brep": "free-form surfaces", "convex_mesh": "convex hulls"}


class Geometry(NamedTuple):
    """One geometry in its own frame."""

    vertices: Vertices
    """[v, 3]."""
    faces: Faces
    """[f, 3]."""
    polygons: int
    """Faces as the file has them."""
    others: set[str]
    """What else it has, in words."""


def read_geometry(element: Element, ids: dict[str | None, Element]) -> Geometry:
    """Read a `<geometry>`.

    Raises:
        ShapeError: it holds less than it claims, or a hole outside its polygon.
    """
    others = {word for tag, word in FREE_FORM.items() if element.find(tag) is not None}
    mesh = element.find("mesh")
    if mesh is None:
        return Geometry(np.zeros((0, 3)), np.zeros((0, 3), np.int64), 0, others)
    vertices, parts, polygons = np.zeros((0, 3)), [np.zeros((0, 3), np.int64)], 0
    known: dict[int, int] = {}  # where the coordinates of each source begin
    for part in mesh:
        others |= {FLAT[part.tag]} if part.tag in FLAT else set()
        if part.tag not in ("triangles", "polylist", "polygons", "tristrips", "trifans"):
            continue
        inputs = part.findall("input")
        position = next((one for one in inputs if one.get("semantic") == "VERTEX"), None)
        if position is None:
            continue
        source = _positions(position, ids)
        key = id(source)
        if key not in known:
            known[key] = len(vertices)
            vertices = np.concatenate([vertices, read_source(source)[:, :3]])
        step = 1 + max(int(one.get("offset", 0)) for one in inputs)
        faces, count = _faces(part, step, int(position.get("offset", 0)), vertices[known[key] :])
        parts.append(faces + known[key])
        polygons += count
    return Geometry(vertices, np.concatenate(parts), polygons, others)


def _positions(position: Element, ids: dict[str | None, Element]) -> Element:
    """Follow an input of vertices to the source of their coordinates."""
    listed = ids.get(position.get("source", "")[1:])
    inputs = [] if listed is None else listed.findall("input")
    found = next((ids.get(one.get("source", "")[1:]) for one in inputs if one.get("semantic") == "POSITION"), None)
    if found is None:
        raise ShapeError("a geometry has no positions", "export the file again")
    return found


def read_source(element: Element) -> NDArray[np.float64]:
    """Give the entries [n, stride] of a `<source>`.

    Raises:
        ShapeError: it holds less than it claims.
    """
    values = numbers((element.findtext("float_array") or "").encode())
    accessor = element.find("technique_common/accessor")
    if accessor is None:
        return values.reshape(-1, 1)
    usual = {"stride": 1, "offset": 0, "count": 0}
    stride, offset, count = (int(accessor.get(key, number)) for key, number in usual.items())
    if stride < 1 or offset < 0:
        raise ShapeError("a source has a stride below one", "export the file again")
    check_count("vertices", count, (len(values) - offset) // stride)
    return values[offset : offset + count * stride].reshape(count, stride)


def _faces(part: Element, step: int, offset: int, vertices: Vertices) -> tuple[Faces, int]:
    """Give the triangles of a primitive, and its number of faces."""
    holed = []
    for one in part.findall("ph"):  # of which `p` is the outline, and each `h` a hole
        rings = [_corners(ring.text, step, offset) for ring in [*one.findall("p")[:1], *one.findall("h")]]
        holed.append(with_holes(vertices, rings))
    lists = [_corners(one.text, step, offset) for one in part.findall("p")]
    claimed, corners = int(part.get("count", 0)), np.concatenate([np.zeros(0, np.int64), *lists])
    match part.tag:
        case "triangles":
            sizes = np.full(len(corners) // 3, 3)
            corners = corners[: 3 * len(sizes)]
        case "polylist":
            sizes = whole_numbers(numbers((part.findtext("vcount") or "").encode()), "a number of corners")
            if (sizes < 0).any():
                raise ShapeError("a face has less than no corners", "export the file again")
            whole = np.searchsorted(np.cumsum(sizes), len(corners), side="right")
            sizes = sizes[:whole]
            corners = corners[: sizes.sum()]
        case "polygons":
            sizes = np.array([len(one) for one in lists], np.int64)
        case kind:
            check_count("strips or fans", claimed, len(lists))
            found = [(strips if kind == "tristrips" else fan)(one) for one in lists]
            return np.concatenate([np.zeros((0, 3), np.int64), *found]), sum(len(one) for one in found)
    count = len(sizes) + len(holed)
    check_count("faces", claimed, count)
    return np.concatenate([triangulated(vertices, corners, sizes), *holed]), count


def _corners(text: str | None, step: int, offset: int) -> NDArray[np.int64]:
    indices = whole_numbers(numbers((text or "").encode()), "a corner of a face")
    return indices[: len(indices) // step * step].reshape(-1, step)[:, offset]
