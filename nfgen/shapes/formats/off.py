"""OFF, Geomview's text format (http://www.geomview.org/docs/html/OFF.html): COFF, NOFF, STOFF and 4OFF, too.

Comments may stand anywhere, lines may be broken anywhere, and the keyword may be missing or run into the first number.
"""

import re

import numpy as np

from nfgen.errors import ShapeError

from .file_mesh import FileMesh, check_count, no_faces
from .polygons import triangulated
from .text import Table, lists, plain_text, whole_numbers, without_comments

KEYWORD = re.compile(rb"\s*(ST)?(C)?(N)?(4)?OFF(?![a-z])", re.IGNORECASE)
MANY = re.compile(rb"\s*(ST)?C?N?4?nOFF(?![a-z])")


def read_off(data: bytes) -> FileMesh:
    """Read an OFF file.

    Raises:
        ShapeError: it is binary, of n dimensions, no OFF, or holds less than it claims.
    """
    text = without_comments(plain_text(data))
    keyword = KEYWORD.match(text)
    textured, coloured, normals, homogeneous = keyword.groups() if keyword else (None,) * 4
    rest = text[keyword.end() :] if keyword else text
    if re.match(rb"\s*BINARY", rest):
        raise ShapeError("is a binary OFF", "export it as text")
    if MANY.match(text):
        raise ShapeError("is an nOFF, of any number of dimensions", "export it as OFF")
    table = Table.of(rest)
    if len(table.values) < 2:
        raise ShapeError("is no OFF: it has no number of vertices and faces", "check the file")
    vertices, faces = (int(n) for n in whole_numbers(table.values[:2], "the number of vertices or faces"))
    if min(vertices, faces) < 0:
        raise ShapeError(f"claims {vertices:,} vertices and {faces:,} faces", "export the file again")
    needed = 4 if homogeneous else 3
    width = needed + (3 if normals else 0) + (4 if coloured else 0) + (2 if textured else 0)
    widths = [width - 1, width] if coloured else [width]  # colours of three numbers are common
    at, width = _layout(table, vertices, faces, needed, widths)
    check_count("vertices", vertices, max(len(table.values) - at, 0) // width)
    corners, sizes, end = lists(table, at + vertices * width, faces)
    check_count("faces", faces, len(sizes))
    if end < len(table.values):
        raise ShapeError(f"holds more than the {faces:,} faces that it claims", "export the file again")
    points = table.values[at : at + vertices * width].reshape(vertices, width)[:, :needed]
    if homogeneous:
        with np.errstate(all="ignore"):
            points = points[:, :3] / points[:, 3:]
    if not (sizes > 2).any():
        raise no_faces(vertices, [f"{len(sizes):,} edges or points"] if len(sizes) else [])
    return FileMesh(points, triangulated(points, whole_numbers(corners, "a corner of a face"), sizes), int(faces))


def _layout(table: Table, vertices: int, faces: int, needed: int, widths: list[int]) -> tuple[int, int]:
    """Find where the vertices begin, and how many numbers each has.

    The number of edges, which nothing needs, is left out by some writers: they begin at number 2 or 3.
    """
    for at in (3, 2):
        line = table.line_at(at)
        if line is None:
            continue
        in_line = np.diff(table.starts[line:])
        alike = int((in_line == in_line[0]).argmin()) if (in_line != in_line[0]).any() else len(in_line)
        if in_line[0] >= needed and alike >= vertices:
            return at, int(in_line[0])
        # Lines of vertices, then lines of faces, one each: such a file says itself how many it holds.
        sizes = table.values[table.starts[line + alike : -1]]
        free = alike * in_line[0] in [vertices * one for one in widths]  # several vertices a line
        if in_line[0] in widths and not free and ((sizes >= 0) & (sizes < in_line[alike:])).all():
            check_count("vertices", vertices, alike)
    fits = [(at, one) for at in (3, 2) for one in widths if _ends_well(table, at + vertices * one, faces)]
    return fits[0] if fits else (3, widths[0])


def _ends_well(table: Table, at: int, faces: int) -> bool:
    """Find out whether the faces begin at number `at`: whether there are as many as claimed and nothing is left."""
    try:
        _, sizes, end = lists(table, at, faces)
    except ShapeError:
        return False
    return len(sizes) == faces and end == len(table.values)
