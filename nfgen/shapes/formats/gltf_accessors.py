"""Accessors of glTF: arrays in buffers, as whole numbers or normalised ones, with gaps between, or sparse."""

import base64
import binascii
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ShapeError

from .file_mesh import check_count
from .gltf_draco import DRACO, unpacked
from .limits import MAX_EMPTY_ENTRIES, file_beside

KINDS = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
COMPRESSED = ("EXT_meshopt_compression", "KHR_meshopt_compression")


class Accessors:
    """Reads the accessors of one file.

    Args:
        tree: the JSON.
        chunk: the binary chunk of a GLB.
        folder: where other buffers lie.
    """

    def __init__(self, tree: dict[str, Any], chunk: bytes, folder: Path) -> None:
        self._accessors, self._views = tree.get("accessors", []), tree.get("bufferViews", [])
        self._declared, self._chunk, self._folder = tree.get("buffers", []), chunk, folder
        self._buffers: dict[int, bytes] = {}
        self._known: dict[int, NDArray[Any]] = {}
        self._read: dict[int, NDArray[np.float64]] = {}
        self._empty = 0  # entries without data so far

    def is_empty(self, index: int) -> bool:
        """Tell whether an accessor has no data of its own."""
        return "bufferView" not in self._accessors[index] and "sparse" not in self._accessors[index]

    def read(self, index: int) -> NDArray[np.float64]:
        """Give entries [n, width], normalised integers as the fractions that they stand for.

        Raises:
            ShapeError: the data are not there, or compressed.
        """
        if index not in self._read:
            values = self._raw(index)
            found = values.astype(np.float64)
            if self._accessors[index].get("normalized", False) and values.dtype.kind != "f":
                found = np.maximum(found / np.iinfo(values.dtype).max, -1)
            self._read[index] = found
        return self._read[index]

    def read_indices(self, index: int) -> NDArray[np.int64]:
        """Give whole numbers: [n] of scalars, else [n, width].

        Raises:
            ShapeError: as `read`, or they are no whole numbers.
        """
        values = self._raw(index)
        if values.dtype.kind == "f":
            raise ShapeError("an index is not a whole number", "export the file again")
        return values.astype(np.int64)[:, 0] if values.shape[1] == 1 else values.astype(np.int64)

    def unpack_draco(self, primitive: dict[str, Any]) -> NDArray[np.int64]:
        """Unpack a part's attributes, which `read` then gives, and return its triangles [f, 3].

        Raises:
            ShapeError: the library is missing, the data are damaged, or hold less than the accessors claim.
        """
        extension = primitive["extensions"][DRACO]
        view = self._views[extension["bufferView"]]
        data = self._viewed(extension["bufferView"], 0, "u1", 1, int(view["byteLength"])).tobytes()
        numbers = {name: number for name, number in extension["attributes"].items() if name in primitive["attributes"]}
        part = unpacked(data, numbers)
        for name, values in part.attributes.items():
            index = primitive["attributes"][name]
            check_count(f"entries of {name}", int(self._accessors[index]["count"]), len(values))
            self._known[index] = values
        if primitive.get("indices") is not None and primitive.get("mode", 4) == 4:
            check_count("corners", int(self._accessors[primitive["indices"]]["count"]), 3 * len(part.faces))
        return part.faces

    def _raw(self, index: int) -> NDArray[Any]:
        if index not in self._known:
            accessor = self._accessors[index]
            kind, width, count = KINDS[accessor["componentType"]], WIDTHS[accessor["type"]], int(accessor["count"])
            if "bufferView" in accessor:
                values = self._viewed(accessor["bufferView"], accessor.get("byteOffset", 0), kind, width, count)
            else:
                self._empty += count
                if self._empty > MAX_EMPTY_ENTRIES:
                    raise ShapeError(f"accessors without data claim {self._empty:,} entries", "export the file again")
                values = np.zeros((count, width), kind)
            if "sparse" in accessor:
                values = self._replaced(values, accessor["sparse"], kind, width)
            self._known[index] = values
        return self._known[index]

    def _replaced(self, values: NDArray[Any], sparse: dict[str, Any], kind: str, width: int) -> NDArray[Any]:
        count, where, what = int(sparse["count"]), sparse["indices"], sparse["values"]
        rows = self._viewed(where["bufferView"], where.get("byteOffset", 0), KINDS[where["componentType"]], 1, count)
        if rows.size and (rows.dtype.kind == "f" or rows.min() < 0 or rows.max() >= len(values)):
            raise ShapeError("a sparse accessor names entries that it does not have", "export the file again")
        values = values.copy()
        values[rows[:, 0]] = self._viewed(what["bufferView"], what.get("byteOffset", 0), kind, width, count)
        return values

    def _viewed(self, view: int, offset: int, kind: str, width: int, count: int) -> NDArray[Any]:
        described = self._views[view]
        for name in COMPRESSED:
            if name in described.get("extensions", {}):
                raise ShapeError(
                    f"a part needs the extension {name}, which is not supported", "export it without compression"
                )
        data = self._buffer(described["buffer"])
        item = np.dtype(kind).itemsize
        start, length = int(described.get("byteOffset", 0)), int(described["byteLength"])
        step = int(described.get("byteStride", 0)) or item * width
        held = min(start + length, len(data)) - start - offset
        needed = (count - 1) * step + item * width if count > 0 else 0
        if min(start, offset, step) < 0 or held < needed:
            raise ShapeError(f"claims {needed:,} bytes of data, holds {max(held, 0):,}", "export the file again")
        if not needed:
            return np.zeros((0, width), kind)
        return np.ndarray((count, width), kind, data, start + offset, (step, item))

    def _buffer(self, index: int) -> bytes:
        if index not in self._buffers:
            uri = self._declared[index].get("uri")
            if uri is None:
                if index or not self._chunk:
                    raise ShapeError("a buffer has no data", "export the file again")
                data = self._chunk
            elif uri.startswith("data:"):
                data = _inline(uri)
            else:
                data = file_beside(self._folder, uri).read_bytes()
            self._buffers[index] = data
        return self._buffers[index]


def _inline(uri: str) -> bytes:
    head, _, body = uri.partition(",")
    if not head.endswith(";base64"):
        return unquote_to_bytes(body)
    try:
        return base64.b64decode(body)
    except binascii.Error as error:
        raise ShapeError("a buffer is no base64", "export the file again") from error
