"""Each mesh format as people write it: the same box in every dialect, or an error that says what is missing."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nfgen.shapes import find_shapes

from ..boxes import CORNERS, FIRST, MIXED, SECOND, SIDES, TRIANGLES, check, listed, refused, rows
from .test_ply_dialects import BIG, FLOATS, LITTLE, WITH_LISTS, packed, ply_head, ply_with_lists

OFF_END = f"8 6 12\n{rows(CORNERS)}{listed(SIDES)}"
NORMALS, COLOURS = np.ones((8, 3)), np.full((8, 4), 0.5)
OFF = {
    "plain": "OFF\n" + OFF_END,
    "lower": "off\n" + OFF_END,
    "no_keyword": OFF_END,
    "glued": "OFF" + OFF_END,
    "one_line_header": "OFF " + OFF_END,
    "no_edges": "OFF\n8 6\n" + rows(CORNERS) + listed(SIDES),
    "first_comment": "# by hand\nOFF\n" + OFF_END,
    "comments": "OFF # yes\n# 9 9 9\n8 6 12 # sizes\n\n"
    + rows(CORNERS, " # corner 1 2 3\n")
    + "# sides\n"
    + listed(SIDES, " # 7\n"),
    "tight_comments": "OFF#\n8 6 12#\n" + rows(CORNERS, "#1\n") + listed(SIDES, "#\n"),
    "one_line": "OFF 8 6 12 " + rows(CORNERS, " ") + listed(SIDES, " "),
    "number_a_line": ("OFF\n" + OFF_END).replace(" ", "\n"),
    "two_a_line": "OFF\n8 12 0\n" + rows(CORNERS.reshape(4, 6)) + listed(TRIANGLES),
    "mixed": "OFF\n8 9 0\n" + rows(CORNERS) + listed(MIXED),
    "mixed_one_line": "OFF\n8 9 0\n" + rows(CORNERS) + listed(MIXED, " "),
    "tabs": ("OFF\n" + OFF_END).replace(" ", "\t"),
    "windows": ("OFF\n" + OFF_END).replace("\n", "\r\n"),
    "old_mac": ("OFF\n" + OFF_END).replace("\n", "\r"),
    "mark": "\ufeffOFF\n" + OFF_END,
    "face_colours": "OFF\n8 6 0\n" + rows(CORNERS) + listed(SIDES, " 255 0 0\n"),
    "some_face_colours": "OFF\n8 9 0\n" + rows(CORNERS) + listed(MIXED[:4], " 1 0 0 1\n") + listed(MIXED[4:], " 3\n"),
    "coff": "COFF\n8 6 0\n" + rows(np.hstack([CORNERS, COLOURS])) + listed(SIDES),
    "coff_of_three": "COFF\n8 6 0\n" + rows(np.hstack([CORNERS, NORMALS])) + listed(SIDES),
    "coff_one_line": "COFF 8 6 0 " + rows(np.hstack([CORNERS, COLOURS]), " ") + listed(SIDES, " "),
    "noff": "NOFF\n8 6 0\n" + rows(np.hstack([CORNERS, NORMALS])) + listed(SIDES),
    "noff_one_line": "NOFF 8 6 0 " + rows(np.hstack([CORNERS, NORMALS]), " ") + listed(SIDES, " "),
    "cnoff": "CNOFF\n8 6 0\n" + rows(np.hstack([CORNERS, NORMALS, COLOURS])) + listed(SIDES),
    "stoff": "STOFF\n8 6 0\n" + rows(np.hstack([CORNERS, NORMALS[:, :2]])) + listed(SIDES),
    "4off": "4OFF\n8 6 0\n" + rows(np.hstack([CORNERS * 2, np.full((8, 1), 2)])) + listed(SIDES),
}


@pytest.mark.parametrize("name", OFF)
def test_off(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.off").write_bytes(OFF[name].encode())
    check(tmp_path / "a.off")


PRISM = np.array([[np.cos(a), np.sin(a), z] for z in (0, 2) for a in np.arange(6) * np.pi / 3])
PRISM_SIDES = [[5, 4, 3, 2, 1, 0], [6, 7, 8, 9, 10, 11], *([i, (i + 1) % 6, 6 + (i + 1) % 6, 6 + i] for i in range(6))]
# An L of area 7 and a star of four points, 2 high.
ELL = [(0, 0), (4, 0), (4, 1), (1, 1), (1, 4), (0, 4)]
STAR = [(4, 0), (1, 1), (0, 4), (-1, 1), (-4, 0), (-1, -1), (0, -4), (1, -1)]


def prism(outline: list[tuple[float, float]], start: int) -> tuple[np.ndarray, list[list[int]]]:
    n = len(outline)
    points = np.array([[x, y, z] for z in (0, 2) for x, y in outline])
    top = [n + (start + i) % n for i in range(n)]
    return points, [[i - n for i in reversed(top)], top, *([i, (i + 1) % n, n + (i + 1) % n, n + i] for i in range(n))]


def obj(points: Any, faces: Any) -> str:
    return "".join(f"v {row}" for row in rows(points).splitlines(True)) + "".join(
        "f " + " ".join(str(i + 1) for i in face) + "\n" for face in faces
    )


@pytest.mark.parametrize("suffix", ["off", "obj", "ply"])
def test_polygons_of_many_corners(suffix: str, tmp_path: Path) -> None:
    heads = {
        "off": f"OFF\n12 8 0\n{rows(PRISM)}{listed(PRISM_SIDES)}",
        "obj": obj(PRISM, PRISM_SIDES),
        "ply": ply_head("ascii", 12, 8) + rows(PRISM) + listed(PRISM_SIDES),
    }
    path = tmp_path / f"a.{suffix}"
    path.write_text(heads[suffix])
    check(path, (2, 3**0.5, 2), 3 * 3**0.5)


@pytest.mark.parametrize("start", range(8))
@pytest.mark.parametrize("outline", [ELL, STAR], ids=["ell", "star"])
def test_concave_polygons_have_no_surface_outside_of_them(outline: list[Any], start: int, tmp_path: Path) -> None:
    turn = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0], [0.48, 0.64, 0.6]])
    points, faces = prism(outline, start)
    (tmp_path / "a.obj").write_text(obj(points @ turn.T, faces))
    shape = find_shapes(tmp_path / "a.obj")[0].load()
    on = shape.transform.invert(shape.surface(2000, np.random.default_rng(0))) @ turn
    x, y = np.round(np.abs(on[:, :2]) if outline is STAR else on[:, :2], 6).T
    # The star is |x| + 3 |y| <= 4 where |y| <= |x|, and the other way round.
    inside = np.minimum(x, y) * 3 + np.maximum(x, y) <= 4 + 1e-4 if outline is STAR else np.minimum(x, y) <= 1 + 1e-4
    assert inside.all()
    assert shape.mesh().volume / shape.transform.scale**3 == pytest.approx(14 if outline is ELL else 32, rel=1e-4)


@pytest.mark.parametrize("quad", [[0, 1, 2, 3], [1, 2, 3, 0], [2, 3, 0, 1], [3, 0, 1, 2]])
def test_a_concave_quadrilateral_is_cut_along_its_inner_diagonal(quad: list[int], tmp_path: Path) -> None:
    points, faces = prism([(0, 0), (4, 0), (1, 1), (0, 4)], 0)
    faces[0], faces[1] = [quad[3 - i] for i in range(4)], [4 + i for i in quad]
    (tmp_path / "a.obj").write_text(obj(points, faces))
    check(tmp_path / "a.obj", (4, 4, 2), 8)


OBJ_PLAIN = obj(CORNERS, SIDES)
OBJ = {
    "plain": OBJ_PLAIN,
    "tabs": OBJ_PLAIN.replace(" ", "\t"),
    "many_blanks": OBJ_PLAIN.replace(" ", "  \t "),
    "indented": "\n".join(f"  \t{line}" for line in OBJ_PLAIN.splitlines()),
    "comments": OBJ_PLAIN.replace("\n", " # a corner 0 -1\n"),
    "tight_comments": OBJ_PLAIN.replace("\n", "#f 0 0 0\n"),
    "continued": OBJ_PLAIN.replace("f 1 2 4 3", "f 1 2 \\\n 4 3"),
    "continued_without_blank": "".join(
        f"f {a + 1} {b + 1}\\\n{c + 1} {d + 1}\n" if i >= 0 else OBJ_PLAIN.split("f")[0]
        for i, (a, b, c, d) in enumerate([[0] * 4, *SIDES], -1)
    ),
    "continued_vertex": OBJ_PLAIN.replace("v 2 3 4", "v 2 \\\n3 4"),
    "paths_that_end_with_a_backslash": "# C:\\shapes\\\nmtllib C:\\shapes\\\n" + OBJ_PLAIN,
    "old_mac": OBJ_PLAIN.replace("\n", "\r"),
    "windows": OBJ_PLAIN.replace("\n", "\r\n"),
    "mark": "\ufeff" + OBJ_PLAIN,
    "no_last_line_end": OBJ_PLAIN.rstrip(),
    "textures": OBJ_PLAIN.replace("f 1 2 4 3", "vt 0 0\nvn 0 0 1\nf 1/1/1 2/1 4//1 3/"),
    "relative": OBJ_PLAIN.replace("f 1 2 4 3", "f -8 -7 -5 -6"),
    "relative_between": OBJ_PLAIN.replace("f ", "v 9 9 9\nf ").replace("f 1 2 4 3", "f -9 -8 -6 -7"),
    "colours": OBJ_PLAIN.replace("v 0 0 0\n", "v 0 0 0 1 0.5 0\n"),
    "weights": "".join(f"{line} 1\n" if line[0] == "v" else f"{line}\n" for line in OBJ_PLAIN.splitlines()),
    "other_statements": "mtllib a.mtl\no box of f\n" + OBJ_PLAIN.replace("f 1", "g f v\nusemtl v 1 2\ns off\nf 1", 1),
    "faces_first": "".join(sorted(OBJ_PLAIN.splitlines(True), key=lambda line: line[0])),
    "lines_too": OBJ_PLAIN + "l 1 2\np 3\n",
}


@pytest.mark.parametrize("name", OBJ)
def test_obj(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_bytes(OBJ[name].encode())
    check(tmp_path / "a.obj")


def test_a_long_obj_is_read_as_a_short_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nfgen.shapes.formats.obj.CHUNK", 20)
    for name in ("plain", "relative", "relative_between", "comments", "continued"):
        (tmp_path / "a.obj").write_text(OBJ[name])
        check(tmp_path / "a.obj")


def facets(points: np.ndarray, line: str = "\n") -> str:
    text = ""
    for face in TRIANGLES:
        corners = "".join(f"      vertex {row}{line}" for row in rows(points[face]).splitlines())
        text += f"  facet normal 0 0 0{line}    outer loop{line}{corners}    endloop{line}  endfacet{line}"
    return text


def solid(points: np.ndarray, name: str = "", line: str = "\n", end: str = "endsolid") -> str:
    return f"solid {name}{line}{facets(points, line)}{end} {name}{line}"


def stl(points: np.ndarray, head: bytes = b"", claimed: int = 12) -> bytes:
    records = b"".join(bytes(12) + points[face].astype("<f4").tobytes() + bytes(2) for face in TRIANGLES)
    return head.ljust(80, b"\0") + struct.pack("<I", claimed) + records


STL = {
    "plain": (solid(CORNERS), 1),
    "upper": (solid(CORNERS).upper(), 1),
    "names": (solid(CORNERS, "vertex 1 2 3 of vertex facet"), 1),
    "two": (solid(FIRST, "a") + solid(SECOND, "b"), 2),
    "two_names": (solid(FIRST, "first vertex") + solid(SECOND, "endfacet solid facet"), 2),
    "unended": (solid(CORNERS, end="")[:-1], 1),
    "second_unended": (solid(FIRST) + solid(SECOND, end=""), 2),
    "both_unended": (solid(FIRST, end="") + solid(SECOND, end=""), 2),
    "end_solid": (solid(FIRST, "a", end="end solid") + solid(SECOND, "b", end="end solid"), 2),
    "leading_blank": ("  \n\t" + solid(CORNERS), 1),
    "mark": ("\ufeff" + solid(CORNERS), 1),
    "windows": (solid(FIRST, line="\r\n") + solid(SECOND, line="\r\n"), 2),
    "old_mac": (solid(FIRST, line="\r") + solid(SECOND, line="\r"), 2),
    "one_line": (solid(CORNERS, line=" "), 1),
    "tabs": (solid(CORNERS).replace(" ", "\t"), 1),
    "words_behind": (solid(CORNERS) + "\nmade by a vertex program\n", 1),
    "empty_solid_too": ("solid nothing\nendsolid nothing\n" + solid(CORNERS), 1),
    "binary": (stl(CORNERS), 1),
    "binary_solid": (stl(CORNERS, b"solid made by facet"), 1),
    "binary_trailing_two": (stl(CORNERS) + b"\0\0", 1),
    "binary_trailing_zeros": (stl(CORNERS) + bytes(500), 1),
    "binary_trailing_words": (stl(CORNERS) + b"saved by a program that signs its files, at some length", 1),
    "binary_solid_trailing": (stl(CORNERS, b"solid") + b"\r\n", 1),
    "binary_two": (stl(FIRST) + stl(SECOND), 2),
}


@pytest.mark.parametrize("name", STL)
def test_stl(name: str, tmp_path: Path) -> None:
    data, solids = STL[name]
    (tmp_path / "a.stl").write_bytes(data if isinstance(data, bytes) else data.encode())
    check(tmp_path / "a.stl", (2 + 10 * (solids - 1), 3, 4), 24 * solids)


def test_a_long_stl_is_read_as_a_short_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nfgen.shapes.formats.stl.CHUNK", 50)
    for name in ("two", "end_solid", "one_line", "names"):
        (tmp_path / "a.stl").write_text(str(STL[name][0]))
        check(tmp_path / "a.stl", (2 + 10 * (STL[name][1] - 1), 3, 4), 24 * STL[name][1])


SHORT = {
    "faces.off": ("OFF\n8 12 0\n" + rows(CORNERS) + listed(TRIANGLES[:7]), "claims 12 faces, holds 7$"),
    "half_face.off": ("OFF\n8 12 0\n" + rows(CORNERS) + listed(TRIANGLES[:7]) + "3 0 1", "claims 12 faces, holds 7$"),
    "coloured.off": (
        "OFF\n8 12 0\n" + rows(CORNERS) + listed(TRIANGLES[:7], " 1 0 0\n"),
        "claims 12 faces, holds 7$",
    ),
    "vertices.off": ("OFF\n8 12 0\n" + rows(CORNERS[:5]), "claims 8 vertices, holds 5$"),
    "more.off": ("OFF\n8 5 0\n" + rows(CORNERS) + listed(SIDES), "more than the 5 faces"),
    "text.ply": (ply_head("ascii", 8, 12) + rows(CORNERS) + listed(TRIANGLES[:7]), "claims 12 faces, holds 7$"),
    "vertices.ply": (ply_head("ascii", 8, 12) + rows(CORNERS[:5]), "claims 8 vertices, holds 5$"),
    "binary.ply": (
        ply_head(LITTLE, 8, 12).encode() + FLOATS["<"] + packed(TRIANGLES[:7], "<") + b"\3\0",
        "claims 12 faces, holds 7$",
    ),
    "mixed.ply": (
        ply_head(LITTLE, 8, 9).encode() + FLOATS["<"] + packed(MIXED[:7], "<"),
        "claims 9 faces, holds 7$",
    ),
    "lists.ply": (WITH_LISTS.format(BIG).encode() + ply_with_lists(">")[:-9], "claims 9 faces, holds 8$"),
    "binary.stl": (stl(CORNERS)[:-250], "claims 12 faces, holds 7$"),
    "binary_more.stl": (stl(CORNERS, claimed=7), "claims 7 faces, holds 12$"),
    "text.stl": (solid(CORNERS).rsplit("vertex", 2)[0], "claims 12 faces, holds 11$"),
    "loop.stl": (solid(CORNERS).replace("endloop", "vertex 1 2 3\nendloop", 1), "other than three corners"),
}


@pytest.mark.parametrize("name", SHORT)
def test_a_file_that_holds_less_than_it_claims_is_refused(name: str, tmp_path: Path) -> None:
    data, match = SHORT[name]
    (tmp_path / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    refused(tmp_path / name, match)


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("points.obj", obj(CORNERS, []), "holds 8 points, but no faces"),
        ("lines.obj", obj(CORNERS, []) + "l 1 2 3\n", "holds lines, but no faces"),
        (
            "curves.obj",
            obj(CORNERS, []) + "cstype bspline\nsurf 0 1 0 1 1 2 3\n",
            "holds free-form surfaces, but no faces",
        ),
        ("nothing.obj", "# empty\n", "holds nothing: neither points nor faces"),
        ("points.off", "OFF\n8 0 0\n" + rows(CORNERS), "holds 8 points, but no faces"),
        (
            "edges.off",
            "OFF\n8 2 0\n" + rows(CORNERS) + listed([[0, 1], [1, 2]]),
            "holds 2 edges or points, but no faces",
        ),
        ("points.ply", ply_head("ascii", 8, 0) + rows(CORNERS), "holds 8 points, but no faces"),
        (
            "edges.ply",
            ply_head("ascii", 8, 1, "int vertex1", "edge") + rows(CORNERS) + "0\n",
            "holds a table 'edge', but",
        ),
        ("nothing.stl", "solid a\nendsolid a\n", "holds nothing"),
    ],
)
def test_a_file_without_faces_says_what_it_has_instead(name: str, text: str, match: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    refused(tmp_path / name, match)
