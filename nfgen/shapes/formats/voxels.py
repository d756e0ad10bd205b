"""Voxel files: `.npy`, `.npz` (plain or packed bits), `.binvox`; what a header claims is checked before it is read."""

import os
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ShapeError
from nfgen.shapes.formats.grids import as_grids, check_count
from nfgen.shapes.formats.limits import DEFLATE
from nfgen.shapes.formats.shape_file import ShapeFile, damage_named
from nfgen.shapes.reading import Values
from nfgen.shapes.voxels import MAX_VOXELS, check_grid

ARRAY_SUFFIXES = frozenset({".npy", ".npz"})
MAX_NPZ_BYTES = 2**29  # of all arrays of an .npz unpacked; they are held in memory by every process
MAX_MEMBERS = 64  # of an .npz; three have a meaning
FARTHEST = 1e150  # of a grid's place and size, and of one by them: beyond, squares are beyond the floats
MAX_HEADER_LINES, MAX_LINE = 32, 1024  # of a binvox header, which has five lines


@dataclass(frozen=True)
class Grids:
    """The grids of one file, not unpacked before they are asked for."""

    array: NDArray[Any]
    """[n, x, y, z], or packed bits [n, x*y*z/8]."""
    packed: tuple[int, ...] | None
    """The shape of each grid if the bits are packed."""
    labels: NDArray[Any] | None
    """[n] class of each grid, a whole number or a name."""

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, index: int) -> NDArray[Any]:
        """Give grid [x, y, z] number `index`."""
        if self.packed is None:
            return np.asarray(self.array[index])
        count = int(np.prod(self.packed))
        return np.unpackbits(self.array[index], count=count).reshape(self.packed).astype(bool)


def open_grids(file: ShapeFile, id: str, values: Values = "auto") -> Grids:
    """Open the voxel grids of an `.npy` or `.npz` file; the last file opened stays open for its next grid.

    An `.npz` holds either one array of grids, or `voxels` as packed bits uint8 [n, x*y*z/8] (C order, most significant
    bit first) with `shape` int64 [3]; both may come with `labels` [n], whole numbers or names. Nothing is ever
    unpickled.

    Raises:
        ShapeError: unreadable, of a wrong shape or type, or claiming more than the file or the limits hold.
    """
    with damage_named(id, f"cannot be read as {file.suffix}"):
        return _open_grids(file, id, values, file.state(id))


@lru_cache(maxsize=1)
def _open_grids(file: ShapeFile, id: str, values: Values, state: tuple[int, int, int]) -> Grids:
    held = state[2]
    if file.suffix == ".npy":
        array, held = _read_npy(file, id, held)
        grids = Grids(as_grids(array, values, id), None, None)
    else:
        with file.opened(id) as stream, zipfile.ZipFile(stream) as archive:
            arrays = _read_arrays(archive, id)
        grids = _of_arrays(arrays, values, id)
    check_count(len(grids), held, "grids", id)
    return grids


def _read_npy(file: ShapeFile, id: str, held: int) -> tuple[NDArray[Any], int]:
    """The array, mapped if it is on disk, and how many bytes of it are there: a file may have holes."""
    if file.member is not None:
        with file.opened(id) as stream:
            return np.lib.format.read_array(stream, allow_pickle=False), held
    return np.lib.format.open_memmap(file.path, mode="r"), _bytes_of_data(file.path)


def _bytes_of_data(path: Path) -> int:
    """Bytes of a file that are no holes; of all where the system does not say."""
    size = path.stat().st_size
    if not hasattr(os, "SEEK_DATA"):
        return size
    total = end = 0
    with path.open("rb") as file:
        for _ in range(1000):  # pieces; more are no trick
            try:
                start = os.lseek(file.fileno(), end, os.SEEK_DATA)
                end = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            except OSError:  # there is no more data, or the file system does not know
                return total
            total += end - start
    return size


def _of_arrays(arrays: dict[str, NDArray[Any]], values: Values, id: str) -> Grids:
    labels = arrays.pop("labels", None)
    shape = arrays.pop("shape", None)
    if "voxels" not in arrays and len(arrays) != 1:
        found = ", ".join(arrays) or "none"
        raise ShapeError(f"{id}: has no array `voxels` (found: {found})", "name the array of grids `voxels`")
    array = arrays.get("voxels", next(iter(arrays.values())))
    if shape is None or array.ndim > 2:
        grids = Grids(as_grids(array, values, id), None, labels)
    else:
        grids = _packed(array, shape, labels, id)
    if labels is not None and (labels.shape != (len(grids),) or labels.dtype.kind not in "iuU"):
        problem = f"{id}: `labels` is not one whole number or name for each of {len(grids)} grids"
        raise ShapeError(problem, "give labels [n]")
    return grids


def _packed(array: NDArray[Any], shape: NDArray[Any], labels: NDArray[Any] | None, id: str) -> Grids:
    sides = tuple(int(side) for side in shape.ravel()) if shape.dtype.kind in "iu" else ()
    check_grid(sides, np.dtype(bool), id)
    expected = -(-int(np.prod(sides)) // 8)
    if array.dtype != np.uint8 or array.ndim != 2 or array.shape[1] != expected:
        found = f"{array.dtype} {list(array.shape)}"
        raise ShapeError(
            f"{id}: packed `voxels` must be uint8 [n, {expected}], not {found}", "pack with numpy.packbits"
        )
    if not len(array):
        raise ShapeError(f"{id}: holds no grids", "give [n, bytes]")
    return Grids(array, sides, labels)


def _read_arrays(archive: zipfile.ZipFile, id: str) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise ShapeError(f"{id}: holds {len(members):,} arrays, the limit is {MAX_MEMBERS}", "give one array of grids")
    left = MAX_NPZ_BYTES
    for member in members:
        name = member.filename.removesuffix(".npy")
        with archive.open(member) as file:
            version = np.lib.format.read_magic(file)
            read_header = (
                np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read_header(file)
        claimed = int(np.prod([int(side) for side in shape], dtype=object)) * dtype.itemsize
        if dtype.hasobject:
            raise ShapeError(f"{id}: `{name}` holds Python objects, which are never loaded", "save numbers")
        held = min(member.file_size, DEFLATE * member.compress_size)
        if claimed > min(held, left):
            reason = f"`{name}` claims {claimed:,} bytes; it holds {held:,}, the limit of all is {MAX_NPZ_BYTES:,}"
            raise ShapeError(f"{id}: {reason}", "save the grids as .npy, which is read in place, or pack the bits")
        left -= claimed
        with archive.open(member) as file:
            arrays[name] = np.lib.format.read_array(file, allow_pickle=False)
    return arrays


World = tuple[tuple[float, ...], float]
"""Center and longest side of a grid in the file's own frame."""


def read_binvox(file: ShapeFile, id: str) -> tuple[NDArray[np.bool_], World]:
    """Read occupancy [x, y, z] and the grid's (center, longest side) in its world (patrickmin.com/binvox/binvox.html).

    Raises:
        ShapeError: not binvox, or runs that do not fill the grid its header claims.
    """
    with damage_named(id, "the binvox header is malformed"), file.opened(id) as stream:
        return _read_binvox(stream, id)


def _read_binvox(stream: BinaryIO, id: str) -> tuple[NDArray[np.bool_], World]:
    if not stream.readline(MAX_LINE).startswith(b"#binvox"):
        raise ShapeError(f"{id}: is not a binvox file", "check the file")
    header: dict[bytes, list[bytes]] = {}
    for _ in range(MAX_HEADER_LINES):
        word, *values = stream.readline(MAX_LINE).split() or [b""]
        if word == b"data":
            break
        header[word] = values
    else:
        raise ShapeError(f"{id}: the binvox header does not end", "check the file")
    depth, width, height = (int(side) for side in header[b"dim"])
    check_grid((depth, width, height), np.dtype(bool), id)
    # Each run is two bytes and at least one voxel long.
    runs = np.frombuffer(stream.read(2 * MAX_VOXELS), np.uint8)
    x, y, z = (float(value) for value in header.get(b"translate", [b"0", b"0", b"0"]))
    scale = float(header.get(b"scale", [b"1"])[0])
    solid, counts = runs[: len(runs) // 2 * 2].reshape(-1, 2).T
    filled = int(counts.sum(dtype=np.int64))
    if filled != depth * width * height or solid.max(initial=0) > 1:
        claimed = f"{depth} x {width} x {height}"
        raise ShapeError(f"{id}: the runs give {filled:,} voxels for a grid of {claimed}", "check the file")
    if not (np.isfinite([x, y, z, scale]).all() and scale > 0):
        raise ShapeError(f"{id}: scale and translation are not finite and positive", "check the header")
    if max(abs(x), abs(y), abs(z), scale) > FARTHEST or scale < 1 / FARTHEST:
        raise ShapeError(f"{id}: scale or translation are beyond {FARTHEST:g}", "check the header")
    # The file runs along y fastest, then z, then x.
    grid = np.repeat(solid.astype(bool), counts).reshape(depth, width, height).transpose(0, 2, 1)
    middle = [start + scale * side / max(grid.shape) / 2 for start, side in zip((x, y, z), grid.shape, strict=True)]
    return grid, (tuple(middle), scale)
