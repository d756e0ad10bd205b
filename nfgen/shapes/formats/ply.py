"""PLY, binary and text (http://paulbourke.net/dataformats/ply): faces of any number of corners, and triangle strips."""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ShapeError

from .file_mesh import FileMesh, check_count, check_indices, no_faces
from .ply_header import Element, Property, read_header
from .polygons import strips, triangulated
from .text import Table, lists, plain_text, whole_numbers

LETTERS = {"i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "i8": "q", "u8": "Q"}
CORNERS = ("vertex_indices", "vertex_index", "vertex_ids")
PLURALS = {"vertex": "vertices", "face": "faces"}

Columns = dict[str, tuple[NDArray[Any], NDArray[np.int64] | None]]
"""Of each property all values in turn and, if it is a list, how many each row has."""


def read_ply(data: bytes) -> FileMesh:
    """Read a PLY file.

    Raises:
        ShapeError: it is no PLY, has no coordinates, or holds less than it claims.
    """
    order, elements, at = read_header(data)
    body: Any = Table.of(plain_text(data[at:])) if not order else memoryview(data)
    at, read = at if order else 0, dict[str, Columns]()
    for element in elements:
        columns, rows, at = (_binary if order else _text)(body, at, element, order)
        check_count(PLURALS.get(element.name, f"{element.name} rows"), element.rows, rows)
        read.setdefault(element.name, columns)
    if not order and at < len(body.values):
        raise ShapeError("holds more than its header claims", "export the file again")
    return _mesh(read)


def _text(table: Table, at: int, element: Element, order: str) -> tuple[Columns, int, int]:
    """Read the rows of an element: its columns, the number of whole rows that are there, where the next begins."""
    properties, count = element.properties, element.rows
    listed = [p for p in properties if p.length is not None]
    left = len(table.values) - at
    if not listed:
        width = len(properties)
        rows = min(count, left // width) if width else count
        values = table.values[at : at + rows * width].reshape(rows, width)
        return {p.name: (values[:, i], None) for i, p in enumerate(properties)}, rows, at + rows * width
    if len(properties) == 1:
        entries, sizes, at = lists(table, at, count)
        return {listed[0].name: (entries, sizes)}, len(sizes), at
    values = table.values.tolist()
    found: dict[str, tuple[list[float], list[int]]] = {p.name: ([], []) for p in properties}
    for row in range(count):
        here = at
        for p in properties:
            size = 1
            if p.length is not None and here < len(values):
                size = int(values[here]) if 0 <= values[here] < 2**31 else 2**31
                here += 1
            if here + size > len(values):
                return _arrays(properties, found), row, len(values)
            found[p.name][0].extend(values[here : here + size])
            found[p.name][1].append(size)
            here += size
        at = here
    return _arrays(properties, found), count, at


def _binary(data: memoryview, at: int, element: Element, order: str) -> tuple[Columns, int, int]:
    """As `_text`, of bytes."""
    properties, count = element.properties, element.rows
    if not count:
        return _arrays(properties, {p.name: ([], []) for p in properties}), 0, at
    first = _lengths(data, at, properties, order)
    if first is not None:
        fields: list[Any] = []
        for i, (p, size) in enumerate(zip(properties, first, strict=True)):
            fields += [(f"length{i}", order + p.length)] if p.length else []
            fields.append((f"values{i}", order + p.kind, (size,)))
        row = np.dtype(fields)
        whole = min(count, (len(data) - at) // row.itemsize) if row.itemsize else count
        rows = np.frombuffer(data, row, whole, at) if row.itemsize else np.zeros(0, row)
        alike = all((rows[f"length{i}"] == first[i]).all() for i, p in enumerate(properties) if p.length)
        if alike and (whole == count or not any(p.length for p in properties)):
            columns: Columns = {}
            for i, p in enumerate(properties):
                columns[p.name] = (rows[f"values{i}"].ravel(), np.full(whole, first[i]) if p.length else None)
            return columns, whole, at + whole * row.itemsize
    return _rows(data, at, element, order)


def _lengths(data: memoryview, at: int, properties: list[Property], order: str) -> list[int] | None:
    """Give the number of values of each property in the row at `at`; None if it is not whole."""
    found = []
    for p in properties:
        size = 1
        if p.length:
            width = int(p.length[1])
            if at + width > len(data):
                return None
            size = int(np.frombuffer(data, order + p.length, 1, at)[0])
            at += width
        at += size * int(p.kind[1])
        if size < 0 or at > len(data):
            return None
        found.append(size)
    return found


def _rows(data: memoryview, at: int, element: Element, order: str) -> tuple[Columns, int, int]:
    """Read rows of different lengths: first where each list begins, in a loop that does no more, then all at once."""
    steps = [
        (struct.Struct(order + LETTERS[p.length]).unpack_from if p.length else None, int((p.length or "u0")[1]),
         int(p.kind[1])) for p in element.properties
    ]  # fmt: skip
    places: list[tuple[list[int], list[int]]] = [([], []) for _ in steps]
    done, end = 0, len(data)
    while done < element.rows:
        row = []
        for read, width, item in steps:
            size = 1
            if read is not None:
                if at + width > end:
                    break
                size = read(data, at)[0]
                at += width
            if size < 0 or at + size * item > end:
                break
            row.append((at, size))
            at += size * item
        if len(row) < len(steps):
            break
        for (starts, sizes), (start, size) in zip(places, row, strict=True):
            starts.append(start)
            sizes.append(size)
        done += 1
    columns: Columns = {}
    for p, (starts, sizes) in zip(element.properties, places, strict=True):
        lengths = np.asarray(sizes[:done], np.int64)
        columns[p.name] = (_gathered(data, starts, lengths, order + p.kind), lengths if p.length else None)
    return columns, done, at


def _gathered(data: memoryview, starts: list[int], lengths: NDArray[np.int64], kind: str) -> NDArray[Any]:
    item = np.dtype(kind).itemsize
    before = np.cumsum(lengths) - lengths
    places = np.repeat(np.asarray(starts, np.int64) - item * before, lengths) + item * np.arange(lengths.sum())
    letters = np.frombuffer(data, np.uint8)[places[:, None] + np.arange(item)]
    return np.ascontiguousarray(letters).view(kind).ravel()


def _arrays(properties: list[Property], found: dict[str, tuple[list[float], list[int]]]) -> Columns:
    return {
        p.name: (np.asarray(found[p.name][0], np.float64), np.asarray(found[p.name][1], np.int64) if p.length else None)
        for p in properties
    }


def _mesh(read: dict[str, Columns]) -> FileMesh:
    columns = read.get("vertex", {})
    if not {"x", "y", "z"} <= columns.keys() or any(columns[axis][1] is not None for axis in "xyz"):
        raise ShapeError("its vertices have no x, y and z", "export the file again")
    vertices = np.stack([columns[axis][0].astype(np.float64) for axis in "xyz"], axis=1)
    faces, polygons = [np.zeros((0, 3), np.int64)], 0
    corners, sizes = _corners(read.get("face", {}))
    if len(sizes):
        faces.append(triangulated(vertices, whole_numbers(corners.astype(np.float64), "a corner of a face"), sizes))
        polygons += int((sizes > 2).sum())
    for name in ("tristrips", "tristrip"):
        for entry in _runs(*_corners(read.get(name, {}))):
            faces.append(strips(entry))
            polygons += len(faces[-1])
    joined = np.concatenate(faces)
    check_indices(joined, len(vertices))
    if not len(joined):
        tables = [name for name in read.keys() - {"vertex"} if any(len(values) for values, _ in read[name].values())]
        raise no_faces(len(vertices), [f"a table {name!r}" for name in sorted(tables)])
    return FileMesh(vertices, joined, polygons)


def _corners(columns: Columns) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Give the corners of all faces in turn and how many each has: the list by its name, or else the only one."""
    listed = {name: (values, sizes) for name, (values, sizes) in columns.items() if sizes is not None}
    named = next((listed[name] for name in CORNERS if name in listed), None)
    if named is None and len(listed) == 1:
        named = next(iter(listed.values()))
    return named or (np.zeros(0), np.zeros(0, np.int64))


def _runs(corners: NDArray[Any], sizes: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Give the rows of strips as one run each, with -1 between."""
    whole = whole_numbers(corners.astype(np.float64), "a corner of a strip")
    return [np.insert(whole, np.cumsum(sizes)[:-1], -1)] if len(sizes) else []
