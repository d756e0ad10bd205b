"""OBJ, Wavefront's text format (http://paulbourke.net/dataformats/obj): polygons of any number of corners."""

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ShapeError

from .file_mesh import FileMesh, no_faces
from .polygons import triangulated
from .text import counts_of_lines, numbers, plain_text, whole_numbers, without_comments

CHUNK = 1 << 23  # bytes handled at once, some 30 bytes each
BLANK, NEWLINE, SLASH = 32, 10, 47
# Only before numbers: a name or path may end with a backslash, and must not swallow the next statement.
CONTINUED = re.compile(rb"\\[ \t]*\n(?=[ \t]*[-+.\d])")
OUTLINE = re.compile(rb"^([ \t]*)fo(?=[ \t])", re.MULTILINE)  # as faces were called once
SURFACE = re.compile(rb"^[ \t]*surf\b", re.MULTILINE)
FREE_FORM = re.compile(rb"^[ \t]*(?:curv2?|surf|cstype)\b", re.MULTILINE)
LINES = re.compile(rb"^[ \t]*l\b", re.MULTILINE)


class Statements(NamedTuple):
    """Vertices and faces of a stretch of the file."""

    vertices: NDArray[np.float64]
    """[v, 3]."""
    corners: NDArray[np.int64]
    """[c] of all faces in turn, as the file counts them: from 1, or backwards from the last vertex so far."""
    sizes: NDArray[np.int64]
    """[f] how many corners each face has."""
    before: NDArray[np.int64]
    """[f] how many vertices of the stretch stand before each face."""


def read_obj(data: bytes) -> FileMesh:
    """Read an OBJ file: `v` and `f`, all groups and objects as one mesh.

    Raises:
        ShapeError: a word is no number, or an index is 0 or out of range.
    """
    text = CONTINUED.sub(b" ", without_comments(plain_text(data)))
    if b"fo" in text:
        text = OUTLINE.sub(rb"\1f", text)
    parts, corners, count, at = list[Statements](), list[NDArray[np.int64]](), 0, 0
    while at < len(text):
        end = text.find(b"\n", at + CHUNK) + 1 or len(text)
        part = _statements(text[at:end])
        if (part.corners == 0).any():
            raise ShapeError("a face index is 0, but OBJ counts from 1", "add 1 to every index")
        so_far = np.repeat(count + part.before, part.sizes)
        from_zero = np.where(part.corners < 0, so_far + part.corners, part.corners - 1)
        if (from_zero < 0).any():
            wrong = int(np.flatnonzero(from_zero < 0)[0])
            raise ShapeError(f"the face index {part.corners[wrong]} is out of range there", "mend the file")
        parts.append(part)
        corners.append(from_zero)
        count += len(part.vertices)
        at = end
    vertices = np.concatenate([np.zeros((0, 3)), *(part.vertices for part in parts)])
    sizes = np.concatenate([np.zeros(0, np.int64), *(part.sizes for part in parts)])
    if not (sizes > 2).any():
        others = [word for found, word in ((FREE_FORM, "free-form surfaces"), (LINES, "lines")) if found.search(text)]
        raise no_faces(count, others)
    if b"surf" in text and SURFACE.search(text):
        raise ShapeError("has free-form surfaces beside its faces", "export all of it as polygons")
    faces = triangulated(vertices, np.concatenate(corners), sizes)
    return FileMesh(vertices, faces, int((sizes > 2).sum()))


def _statements(text: bytes) -> Statements:
    """Read whole lines, every step on all letters at once."""
    letters = np.frombuffer(text, np.uint8)
    first, follows = _first_words(letters)
    is_vertex = (letters[first] == ord("v")) & follows
    is_face = (letters[first] == ord("f")) & follows
    of_line = np.cumsum(letters == NEWLINE) - (letters == NEWLINE)
    lines = of_line[first]
    vertices = _vertices(_lines(letters, of_line, first[is_vertex], lines[is_vertex]), int(is_vertex.sum()))
    faces = _without_slashes(_lines(letters, of_line, first[is_face], lines[is_face]))
    corners = whole_numbers(numbers(faces), "a face index")
    sizes = counts_of_lines(faces)[: is_face.sum()]
    if sizes.sum() != len(corners):
        raise ValueError("numbers are not kept apart by blanks")
    before = np.cumsum(is_vertex)[is_face]
    return Statements(vertices, corners, sizes, before)


def _first_words(letters: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Give where the first word of each line that has one begins, and whether it is of one letter."""
    word = np.flatnonzero(letters > BLANK)
    lines = np.searchsorted(np.flatnonzero(letters == NEWLINE), word)
    first = word[np.flatnonzero(np.diff(lines, prepend=-1))]
    after = np.append(letters, np.uint8(NEWLINE))[first + 1]
    return first, after <= BLANK


def _lines(
    letters: NDArray[np.uint8], of_line: NDArray[np.int64], first: NDArray[np.int64], lines: NDArray[np.int64]
) -> bytes:
    """Give the text of some lines without their first letters."""
    chosen = np.zeros(int(of_line[-1]) + 2 if len(of_line) else 1, bool)
    chosen[lines] = True
    kept = letters.copy()
    kept[first] = BLANK
    return kept[chosen[of_line]].tobytes()


def _vertices(text: bytes, lines: int) -> NDArray[np.float64]:
    values, counts = numbers(text), counts_of_lines(text)[:lines]
    if counts.sum() != len(values):
        raise ValueError("numbers are not kept apart by blanks")
    if len(counts) and counts.min() < 3:
        raise ShapeError(f"a vertex has {counts.min()} coordinates", "export the file again")
    # A weight or colours may follow.
    return values[(np.cumsum(counts) - counts)[:, None] + np.arange(3)]


def _without_slashes(text: bytes) -> bytes:
    """Keep of each corner `vertex/texture/normal` the vertex."""
    letters = np.frombuffer(text, np.uint8)
    at = np.arange(len(letters))
    slash = np.maximum.accumulate(np.where(letters == SLASH, at, -1)) if len(letters) else at
    blank = np.maximum.accumulate(np.where(letters <= BLANK, at, 0)) if len(letters) else at
    kept = letters.copy()
    kept[slash > blank] = BLANK
    return kept.tobytes()
