"""The header of a PLY file: which tables follow, of which columns."""

from typing import NamedTuple

from nfgen.errors import ShapeError

from .text import plain_text

TYPES = {"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4"}
TYPES |= {"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4"}
TYPES |= {"float32": "f4", "double": "f8", "float64": "f8", "int64": "i8", "uint64": "u8"}
ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
MAX_HEADER = 1 << 20


class Property(NamedTuple):
    """A column of an element, or a list."""

    name: str
    kind: str
    length: str | None
    """Type of the length in front, if it is a list."""


class Element(NamedTuple):
    """A table of the file."""

    name: str
    rows: int
    properties: list[Property]


def read_header(data: bytes) -> tuple[str, list[Element], int]:
    """Give the byte order ("" for text), the elements, and where the data begin."""
    end = data.find(b"end_header", 0, MAX_HEADER)
    if data[:3] != b"ply" or end < 0:
        raise ShapeError("cannot be read as .ply (no header)", "check the file")
    at = end + len(b"end_header")
    at += 2 if data[at : at + 2] == b"\r\n" else 1
    order, elements = None, list[Element]()
    for line in plain_text(data[:end]).decode("latin-1").split("\n"):
        match line.split():
            case ["format", name, *_] if name in ORDERS:
                order = ORDERS[name]
            case ["element", name, count] if count.isdecimal():
                elements.append(Element(name.lower(), int(count), []))
            case ["property", "list", length, kind, name] if elements and TYPES.get(length, "f")[0] != "f":
                elements[-1].properties.append(Property(name.lower(), _type(kind), TYPES[length]))
            case ["property", kind, name] if elements:
                elements[-1].properties.append(Property(name.lower(), _type(kind), None))
            case ["format" | "element" | "property", *_]:
                raise ShapeError(f"its header has a line {line[:60]!r}", "export the file again")
            case _:
                pass  # comments, some of which are broken into lines without that word
    if order is None:
        raise ShapeError("its header names no format", "export the file again")
    return order, elements, at


def _type(name: str) -> str:
    if name not in TYPES:
        raise ShapeError(f"its header has an unknown type {name[:20]!r}", "export the file again")
    return TYPES[name]
