"""STL, binary and text: any number of solids in one file, ended or not, whatever their names are."""

import re

import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ShapeError

from .file_mesh import FileMesh, check_count, no_faces
from .text import numbers, plain_text

HEAD, FACET = 84, 50  # bytes before the facets, and of each
RECORD = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
CHUNK = 1 << 23  # bytes of text searched at once
# The name of a solid ends its line, or where facets begin on the same line; it may hold any word.
SOLID = re.compile(
    rb"^[ \t]*(?:end[ \t]*)?solid\b[^\n]*?(?=\bfacet[ \t]+normal[ \t]+(?:[-+.\d]|nan|inf)|$)",
    re.IGNORECASE | re.MULTILINE,
)
VERTEX = re.compile(rb"\bvertex\s+((?:[-+.\d]|nan|inf)\S*\s+\S+\s+\S+)", re.IGNORECASE)
FACET_BEGINS = re.compile(rb"\bfacet\s+normal\b", re.IGNORECASE)


def read_stl(data: bytes) -> FileMesh:
    """Read an STL file.

    Raises:
        ShapeError: it is neither, or holds less (or clearly more) than it claims.
    """
    claimed = int.from_bytes(data[80:84], "little") if len(data) >= HEAD else -1
    corners = _binary(data) if len(data) == HEAD + FACET * claimed or not _is_text(data) else _text(data)
    if not len(corners):
        raise no_faces(0)
    return FileMesh(corners.reshape(-1, 3), np.arange(3 * len(corners)).reshape(-1, 3), len(corners))


def _is_text(data: bytes) -> bool:
    """Many binary files begin with "solid", too; in a text, facets (or the end) follow, and no zero bytes."""
    head = plain_text(data[:1000]).lstrip().lower()
    return head.startswith(b"solid") and (b"\0" not in head or b"facet" in head)


def _binary(data: bytes) -> NDArray[np.float64]:
    """Give the corners [f, 3, 3] of one binary solid or several, each with its header."""
    solids, at = [np.zeros((0, 3, 3))], 0
    while True:
        if len(data) - at < HEAD:
            raise ShapeError("is no STL: neither text nor as long as a header", "check the file")
        claimed = int.from_bytes(data[at + 80 : at + HEAD], "little")
        held = (len(data) - at - HEAD) // FACET
        check_count("faces", claimed, held)
        records = np.frombuffer(data, RECORD, claimed, at + HEAD)
        solids.append(records["corners"].astype(np.float64))
        at += HEAD + FACET * claimed
        rest = len(data) - at
        if rest >= HEAD and rest == HEAD + FACET * int.from_bytes(data[at + 80 : at + HEAD], "little"):
            continue
        if _are_facets(data, at, solids[-1]):
            raise ShapeError(f"claims {claimed:,} faces, holds {held:,}", "export the file again")
        return np.concatenate(solids)  # what else follows is no facets: padding, or a writer's own notes


def _are_facets(data: bytes, at: int, known: NDArray[np.float64]) -> bool:
    """Find out whether whole facets follow beyond the number in the header: near the others, and not all zero."""
    rest = len(data) - at
    if rest < FACET or rest % FACET:
        return False
    corners = np.frombuffer(data, RECORD, rest // FACET, at)["corners"].astype(np.float64)
    with np.errstate(all="ignore"):
        reach = 10 * np.abs(known).max() if len(known) else 1e9
        proper = (np.abs(corners) <= reach).all(axis=(1, 2)) & (np.ptp(corners, axis=1) > 1e-30).any(axis=1)
    return bool(proper.mean() > 0.5)


def _text(data: bytes) -> NDArray[np.float64]:
    """Give the corners [f, 3, 3] of a text."""
    text = plain_text(data)
    found, facets, vertices, at = [np.zeros(0)], 0, 0, 0
    while at < len(text):
        end = _end_of_chunk(text, at)
        chunk = SOLID.sub(b"", text[at:end])
        places = VERTEX.findall(chunk)
        facets += len(FACET_BEGINS.findall(chunk))
        vertices += len(places)
        found.append(numbers(b" ".join(places)))
        at = end
    values = np.concatenate(found)
    if vertices != 3 * facets or len(values) != 9 * facets:
        check_count("faces", facets, len(values) // 9)
        raise ShapeError("has facets of other than three corners", "export it as triangles")
    return values.reshape(-1, 3, 3)


def _end_of_chunk(text: bytes, at: int) -> int:
    """Find a place after `at` between two facets, or the end."""
    if at + CHUNK >= len(text):
        return len(text)
    found = re.compile(rb"\bendfacet\b", re.IGNORECASE).search(text, at + CHUNK)
    return found.end() if found else len(text)
