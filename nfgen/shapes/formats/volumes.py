"""Volumes of other programs: `.mat` of MATLAB, NRRD and NIfTI by their usual libraries; headers are checked first."""

import bz2
import zlib
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ShapeError
from nfgen.shapes.formats.grids import as_grids
from nfgen.shapes.formats.mat import read_mat
from nfgen.shapes.formats.shape_file import ShapeFile, damage_named
from nfgen.shapes.reading import Values
from nfgen.shapes.voxels import check_grid

VOLUME_SUFFIXES = frozenset({".mat", ".nrrd", ".nii", ".nii.gz"})
DICOM = frozenset({".dcm", ".dicom"})
MAX_MAT_BYTES = 2**30  # held in memory
FARTHEST = 1e150  # of a grid's place and of its voxels' sides: beyond, squares are beyond the floats
OBLIQUE = 1e-2  # of a direction's length beside its axis


class Volume(NamedTuple):
    """One voxel grid of a file."""

    values: NDArray[Any]
    """[x, y, z], x to the right, y to the back, z upwards where the file says so."""
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Sides of a voxel."""
    center: tuple[float, float, float] | None = None
    """Of the grid in the file's frame, if it states one."""
    notes: tuple[str, ...] = ()


def is_volume(name: str) -> bool:
    """Whether a name is that of a volume."""
    return name.lower().endswith(tuple(VOLUME_SUFFIXES))


def read_volume(file: ShapeFile, values: Values, id: str) -> Volume:
    """Read the voxel grid of a `.mat`, `.nrrd`, `.nii` or `.nii.gz` file.

    Raises:
        ShapeError: unreadable, no 3-D grid, larger than the limits, or its library is missing.
    """
    with damage_named(id, f"cannot be read as {file.suffix}"):
        try:
            if file.suffix in (".mat", ".nrrd"):
                with file.opened(id) as stream:
                    return (_read_mat if file.suffix == ".mat" else _read_nrrd)(stream, values, id)
            file.state(id)
            with file.on_disk(id) as path:
                return _read_nifti(path, values, id)
        except ImportError as error:
            problem = f"{id}: reading {file.suffix} needs the Python package {error.name}"
            raise ShapeError(problem, "pip install 'nfgen[volumes]'") from error


def _read_mat(stream: BinaryIO, values: Values, id: str) -> Volume:
    data = stream.read(MAX_MAT_BYTES + 1)
    if len(data) > MAX_MAT_BYTES:
        raise ShapeError(f"{id}: is too large (the limit is {MAX_MAT_BYTES:,} bytes)", "save the grid alone")
    try:
        array = read_mat(data)
    except ShapeError as error:
        raise ShapeError(f"{id}: {error.problem}", error.remedy) from error
    return Volume(_one(array, values, id))


def _read_nrrd(stream: BinaryIO, values: Values, id: str) -> Volume:
    import nrrd

    header = nrrd.read_header(stream)
    if "data file" in header or "datafile" in header:
        raise ShapeError(f"{id}: its values are in another file", "save header and values as one .nrrd")
    sizes = [int(side) for side in header["sizes"]]
    if header["type"] == "block":
        raise ShapeError(f"{id}: holds blocks, not numbers", "save numbers")
    dtype = np.dtype(nrrd.reader._determine_datatype(header))
    check_grid(tuple(side for side in sizes if side != 1), dtype, id)
    count = int(np.prod(sizes))
    data = _unpacked(stream, str(header["encoding"]), count * dtype.itemsize, id)
    array = np.frombuffer(data, dtype).reshape(sizes, order="F")
    matrix, origin = np.eye(3), None
    spatial = [axis for axis, side in enumerate(sizes) if side != 1] if len(sizes) != 3 else [0, 1, 2]
    if header.get("space directions") is not None:
        directions = np.asarray(header["space directions"], np.float64)[spatial]
        if directions.shape == (3, 3) and np.isfinite(directions).all():
            matrix, origin = directions.T, np.asarray(header.get("space origin", np.zeros(3)), np.float64)
    elif header.get("spacings") is not None:
        spacings = np.asarray(header["spacings"], np.float64)[spatial]
        if np.isfinite(spacings).all():
            matrix = np.diag(np.abs(spacings))
    return _upright(_one(array, values, id), matrix, origin)


def _unpacked(stream: BinaryIO, encoding: str, size: int, id: str) -> bytes:
    """Exactly `size` bytes of what follows a header."""
    if encoding == "raw":
        data = stream.read(size + 1)
    elif encoding in ("gzip", "gz"):
        data = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(stream.read(), size + 1)
    elif encoding in ("bzip2", "bz2"):
        data = bz2.BZ2Decompressor().decompress(stream.read(), size + 1)
    else:
        raise ShapeError(f"{id}: its values are encoded as {encoding}", "save it as raw or gzip")
    if len(data) != size:
        more = "more" if len(data) > size else f"{len(data):,}"
        raise ShapeError(f"{id}: the header claims {size:,} bytes of values, the file holds {more}", "check the file")
    return data


def _read_nifti(path: Path, values: Values, id: str) -> Volume:
    import nibabel

    image: Any = nibabel.load(path)
    shape = tuple(side for side in image.shape if side != 1)
    check_grid(shape, image.get_data_dtype(), id)
    array = np.asanyarray(image.dataobj)
    affine = np.asarray(image.affine, np.float64)
    return _upright(_one(array, values, id), affine[:3, :3], affine[:3, 3])


def _one(array: NDArray[Any], values: Values, id: str) -> NDArray[Any]:
    grids = as_grids(array, values, id)
    if len(grids) != 1:
        raise ShapeError(f"{id}: holds {len(grids)} grids (shape {list(array.shape)})", "save one grid a file")
    return np.asarray(grids[0])


def _upright(array: NDArray[Any], matrix: NDArray[np.float64], origin: NDArray[np.float64] | None) -> Volume:
    """Order and turn a grid's axes along those of the frame that a matrix [3, 3] maps indices into."""
    lengths = np.linalg.norm(matrix, axis=0)
    if not (np.isfinite(matrix).all() and lengths.min() > 1 / FARTHEST and lengths.max() < FARTHEST):
        return Volume(array, notes=("its directions are unusable: voxels are taken for cubes",))
    along = np.abs(matrix / lengths)
    order = [int(axis) for axis in along.argmax(axis=1)]
    if sorted(order) != [0, 1, 2]:
        return Volume(array, tuple(lengths.tolist()), None, ("its directions are oblique: its own axes are kept",))
    notes = () if along.max(axis=1).min() > 1 - OBLIQUE else ("its directions are oblique: they are straightened",)
    center = None
    if origin is not None and np.abs(origin).max() < FARTHEST:
        center = tuple((origin + matrix @ ((np.array(array.shape) - 1) / 2)).tolist())
    turned = array.transpose(order)
    for axis, own in enumerate(order):
        if matrix[axis, own] < 0:
            turned = np.flip(turned, axis)
    x, y, z = (float(lengths[own]) for own in order)
    return Volume(turned, (x, y, z), center, notes)
