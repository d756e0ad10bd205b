"""MATLAB's `.mat`, versions 5 to 7 (MathWorks, "MAT-File Format"): one array of numbers with three axes or more.

SciPy's reader ends the whole process at some damaged files; this one reads what voxel grids need, and no more.
"""

import math
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ShapeError
from nfgen.shapes.formats.file_mesh import check_count
from nfgen.shapes.formats.limits import DEFLATE
from nfgen.shapes.voxels import MAX_VOXELS

GRIDS = ("instance", "voxels", "grid")  # what files of ModelNet and the like call the array of voxels
HEADER = 128
HEAD = 1 << 12  # bytes of a variable within which its sides and its name stand
KINDS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
MATRIX, COMPRESSED = 14, 15
NUMBERS = range(6, 16)  # classes of arrays: double, single, and integers of 8 to 64 bits
COMPLEX, LOGICAL = 0x800, 0x200


class Element(NamedTuple):
    """A tagged piece of a file."""

    kind: int
    size: int
    """Bytes of its content, by its tag."""
    start: int
    """Where its content begins."""
    end: int
    """Where the next element begins."""


class Variable(NamedTuple):
    """An array of a file."""

    name: str
    sides: tuple[int, ...]
    logical: bool
    values: int
    """Where the element of its values begins, in the content of its own element."""
    size: int
    """Bytes of that content."""
    content: memoryview
    packed: bool
    """Whether the content is packed, its tag with it."""


def read_mat(data: bytes) -> NDArray[Any]:
    """Give the array of three axes or more, as the file orders them; the one named as a grid, if there are several.

    Raises:
        ShapeError: of another version, not one such array, too large, or less than it claims.
        Exception: whatever rubbish may lead to.
    """
    if data.startswith(b"MATLAB 7.3"):
        raise ShapeError("is a MATLAB 7.3 file, which is HDF5", "save it with -v7")
    order = {b"IM": "<", b"MI": ">"}.get(data[HEADER - 2 : HEADER])
    if order is None:
        raise ShapeError("cannot be read as .mat of version 5 to 7", "save it with -v7")
    found = {one.name: one for one in _variables(memoryview(data), order)}
    names = [name for name in GRIDS if name in found] or list(found)
    if len(names) != 1:
        listed = ", ".join(name[:40] for name in names[:8]) or "none"
        raise ShapeError(f"holds {len(names)} arrays of three axes ({listed})", "save one grid")
    return _values(found[names[0]], order)


def _variables(data: memoryview, order: str) -> Iterator[Variable]:
    """Find the arrays of numbers that have three axes or more."""
    at = HEADER
    while at + 8 <= len(data):
        own = _element(data, at, order)
        content = data[own.start : own.start + own.size]
        check_count("bytes of a variable", own.size, len(content))
        packed = own.kind == COMPRESSED
        head, size = content[:HEAD], own.size
        if packed:
            head = memoryview(zlib.decompressobj().decompress(content, HEAD))
            inner = _element(head, 0, order)
            head, size = head[inner.start :], inner.size
            own, at = own._replace(kind=inner.kind), own.start + own.size  # these are not filled up to whole eights
        else:
            at = own.end
        if own.kind == MATRIX:
            variable = _described(head, order, size, content, packed)
            if variable is not None:
                yield variable


def _described(head: memoryview, order: str, size: int, content: memoryview, packed: bool) -> Variable | None:
    """Read what stands in front of an array's values; None of other variables."""
    flags, sides = _element(head, 0, order), _element(head, _element(head, 0, order).end, order)
    what = int(np.frombuffer(head, f"{order}u4", 1, flags.start)[0])
    shape = np.frombuffer(head, f"{order}i4", sides.size // 4, sides.start).tolist()
    if what & 0xFF not in NUMBERS or len(shape) < 3:
        return None
    if what & COMPLEX:
        raise ShapeError("holds complex numbers", "save one real number a voxel")
    name = _element(head, sides.end, order)
    text = bytes(head[name.start : name.start + name.size]).decode("latin-1")
    return Variable(text, tuple(shape), bool(what & LOGICAL), name.end, size, content, packed)


def _values(one: Variable, order: str) -> NDArray[Any]:
    count = math.prod(side for side in one.sides if side != 1)
    if min(one.sides) < 0 or count > MAX_VOXELS:
        shape = " x ".join(str(side) for side in one.sides if side != 1)
        raise ShapeError(f"claims {shape} voxels, over {MAX_VOXELS:,}", "resample the grid")
    content = one.content
    if one.packed:
        if one.size > DEFLATE * len(content):
            raise ShapeError(f"claims {one.size:,} bytes, packed {len(content):,}", "save it again")
        # One byte more than there are: so the checksum at the end is looked at, too.
        content = memoryview(zlib.decompressobj().decompress(content, one.size + 8 + 1))[8:]
    values = _element(content, one.values, order)
    if values.kind not in KINDS:
        raise ShapeError(f"its values are of an unknown kind ({values.kind})", "save it with -v7")
    kind = np.dtype(order + KINDS[values.kind])
    held = min(values.size, len(content) - values.start) // kind.itemsize
    check_count("values", count, held)
    array = np.frombuffer(content, kind, count, values.start).reshape(one.sides, order="F")
    return array != 0 if one.logical else array.astype(kind.newbyteorder("="), copy=False)


def _element(data: memoryview, at: int, order: str) -> Element:
    """Read a tag: eight bytes, or four with up to four bytes of content behind them."""
    first, second = np.frombuffer(data, f"{order}u4", 2, at).tolist()
    if first >> 16:
        return Element(first & 0xFFFF, first >> 16, at + 4, at + 8)
    return Element(first, second, at + 8, at + 8 + second + -second % 8)
