"""Mesh texts that say more or less than they hold, in the layouts that people write; each was read wrongly once."""

from pathlib import Path

import numpy as np
import pytest

from ..boxes import CORNERS, MIXED, SIDES, TRIANGLES, check, listed, refused, rows

POINTS, FACES = rows(CORNERS), listed(TRIANGLES)
COLOURED = rows(np.hstack([CORNERS, np.tile([255, 0, 0, 255], (8, 1))]))
TWO_A_LINE = rows(CORNERS.reshape(4, 6))
OFF = {
    "counts over lines": f"# a box\nOFF # here\n\n8 12 # no more\n 18\n{POINTS}{FACES}",
    "counts a line each": f"OFF\n8\n12\n18\n{POINTS}{FACES}",
    "no number of edges": f"OFF\n8 12\n{POINTS}{FACES}",
    "keyword runs into the counts": f"OFF8 12 0\n{POINTS}{FACES}",
    "two vertices a line": f"OFF\n8 12 0\n{TWO_A_LINE}{FACES}",
    "all on one line": f"OFF 8 12 0 {POINTS}{FACES}".replace("\n", " "),
    "faces on one line": f"OFF\n8 12 0\n{POINTS}" + FACES.replace("\n", " "),
    "colours without the keyword": f"OFF\n8 12 0\n{COLOURED}{FACES}",
    "edges and points among faces": f"OFF\n8 14 0\n{POINTS}2 0 1\n1 3\n{FACES}",
    "quadrilaterals": f"off\n8 6 12\n{POINTS}{listed(SIDES)}",
}
OFF_REFUSED = {
    "a vertex is missing": (f"OFF\n9 12 0\n{POINTS}{FACES}", "claims 9 vertices, holds 8"),
    "a vertex too many": (f"OFF\n7 12 0\n{POINTS}{FACES}", "holds more than the 12 faces"),
    "a face too many": (f"OFF\n8 11 0\n{POINTS}{FACES}", "holds more than the 11 faces"),
    "n dimensions": (f"nOFF\n3\n8 12 0\n{POINTS}{FACES}", "is an nOFF"),
}


@pytest.mark.parametrize("name", OFF)
def test_off(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.off").write_text(OFF[name])
    check(tmp_path / "a.off")


@pytest.mark.parametrize("name", OFF_REFUSED)
def test_off_that_says_other_than_it_holds(name: str, tmp_path: Path) -> None:
    text, match = OFF_REFUSED[name]
    (tmp_path / "a.off").write_text(text)
    refused(tmp_path / "a.off", match)


VERTICES = "".join(f"v {row}\n" for row in POINTS.splitlines())


def faces(word: str) -> str:
    return "".join(f"{word} {' '.join(str(i + 1) for i in face)}\n" for face in MIXED)


OBJ = {
    "paths that end with a backslash": f"# C:\\models\\\n{VERTICES}g D:\\parts\\\n{faces('f')}",
    "faces as they were called once": VERTICES + faces("fo"),
    "both names of faces": VERTICES + faces("f").replace("f", "fo", 1),
    "curves beside faces": f"{VERTICES}{faces('f')}cstype bezier\ndeg 3\ncurv 0 1 1 2 3 4\nend\n",
    "faces before vertices": faces("f") + VERTICES,
}


@pytest.mark.parametrize("name", OBJ)
def test_obj(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_text(OBJ[name])
    check(tmp_path / "a.obj")


def test_free_form_surfaces_beside_faces_are_not_lost_in_silence(tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_text(f"{VERTICES}{faces('f')}surf 0 1 0 1 1 2 3 4\nend\n")
    refused(tmp_path / "a.obj", "free-form surfaces beside its faces")


@pytest.mark.parametrize("name", ["vertex 1 2 3", "facet normal vertex", "solid endsolid", "outer loop"])
def test_stl_solids_of_any_name(name: str, tmp_path: Path) -> None:
    corners = [["".join(f"vertex {row}\n" for row in rows(CORNERS[face]).splitlines())] for face in TRIANGLES]
    facets = "".join(f"facet normal 0 0 1\nouter loop\n{one}endloop\nendfacet\n" for (one,) in corners)
    (tmp_path / "a.stl").write_text(f"solid {name}\n{facets}endsolid {name}\n")
    check(tmp_path / "a.stl")
