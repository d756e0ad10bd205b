"""OFF, Geomview's text format (http://www.geomview.org/docs/html/OFF.html): COFF, NOFF, STOFF and 4OFF, too.

Comments may stand anywhere, lines may be broken anywhere, and the keyword may be missing or run into the first number.
"""

import re

import numpy as np

from nfgen.errors import ShapeError

from .file_mesh import FileMesh, check_count, no_faces
from .polygons import triangulated
from .text import Table, lists, plain_text, whole_numbers, without_comments

KEYWORD = re.compile(rb"\s*(ST)?(C)?(N)?(4)?(n)?OFF(?![a-z])", re.IGNORECASE)


def read_off(data: bytes) -> FileMesh:
    """Read an OFF file.

    Raises:
        ShapeError: it is binary, of n dimensions, no OFF, or holds less than it claims.
    """
    text = without_comments(plain_text(data))
    keyword = KEYWORD.match(text)
    textured, coloured, normals, homogeneous, many = keyword.groups() if keyword else (None,) * 5
    rest = text[keyword.end() :] if keyword else text
    if re.match(rb"\s*BINARY", rest):
        raise ShapeError("is a binary OFF", "export it as text")
    if many:
        raise ShapeError("is an nOFF, of any number of dimensions", "export it as OFF")
    table = Table.of(rest)
    if len(table.values) < 2:
        raise ShapeError("is no OFF: it has no number of vertices and faces", "check the file")
    vertices, faces = (int(n) for n in whole_numbers(table.values[:2], "the number of vertices or faces"))
    if min(vertices, faces) < 0:
        raise ShapeError(f"claims {vertices:,} vertices and {faces:,} faces", "export the file again")
    # The number of edges, which nothing needs, is left out by some writers.
    at = 2 if table.line_at(0) == 0 and len(table.starts) > 2 and table.starts[1] == 2 else 3
    needed = 4 if homogeneous else 3
    width = needed + (3 if normals else 0) + (4 if coloured else 0) + (2 if textured else 0)
    widths = [width - 1, width] if coloured else [width]  # colours of three numbers are common
    line = table.line_at(at)
    if line is not None and 0 < vertices < len(table.starts) - line:
        in_line = np.diff(table.starts[line : line + vertices + 1])
        if (in_line == in_line[0]).all() and in_line[0] >= needed:
            widths = [int(in_line[0])]
    fits = [one for one in widths if _ends_well(table, at + vertices * one, faces)]
    width = (fits or widths)[0]
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


def _ends_well(table: Table, at: int, faces: int) -> bool:
    """Find out whether the faces begin at number `at`: whether there are as many as claimed and nothing is left."""
    try:
        _, sizes, end = lists(table, at, faces)
    except ShapeError:
        return False
    return len(sizes) == faces and end == len(table.values)
