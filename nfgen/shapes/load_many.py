"""Loading many shapes: those whose files may cost more than their size says are read in other processes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from nfgen.errors import ShapeError
from nfgen.runtime.progress import Progress

from .base import Shape
from .formats.file_mesh import FileMesh
from .formats.meshes import read_mesh
from .over_processes import do_each
from .shape_ref import ShapeRef

_SILENT = Progress(0, "", "", None)
AT_ONCE = 256  # shapes in memory that have not been asked for yet, at most


class _Load(NamedTuple):
    def do(self, ref: ShapeRef) -> Shape | ShapeError:
        try:
            return ref.load()
        except ShapeError as error:
            return error


class _ReadMesh(NamedTuple):
    def do(self, ref: ShapeRef) -> FileMesh | ShapeError:
        try:
            return read_mesh(ref.path, ref.id)
        except ShapeError as error:
            return error


def load_shapes(refs: Sequence[ShapeRef]) -> Iterator[Shape | ShapeError]:
    """Each shape, in order, or why it cannot be used."""
    for start in range(0, len(refs), AT_ONCE):
        some = refs[start : start + AT_ONCE]
        found: dict[int, Shape | ShapeError] = {}
        do_each(_Load(), some, found, None, _SILENT)
        for i in range(len(some)):
            yield found.pop(i)


def load_shape(ref: ShapeRef) -> Shape:
    """One shape, as `load_shapes` gives it.

    Raises:
        ShapeError: why it cannot be used.
    """
    (shape,) = load_shapes([ref])
    if isinstance(shape, ShapeError):
        raise shape
    return shape


def read_mesh_files(files: Sequence[Path]) -> list[FileMesh | ShapeError]:
    """Meshes of files as they are, in the axes of the reader, or why one cannot be read."""
    refs = [ShapeRef(str(file), None, file, 3) for file in files]
    found: dict[int, FileMesh | ShapeError] = {}
    do_each(_ReadMesh(), refs, found, None, _SILENT)
    return [found[i] for i in range(len(refs))]
