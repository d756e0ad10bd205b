"""Finding shapes: files, folders and globs become small references, each of which loads one shape."""

import glob
import itertools
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from nfgen.errors import NfgenError, ShapeError
from nfgen.shapes.formats.images import (
    PICTURE_SUFFIXES,
    is_idx,
    is_idx_labels,
    read_idx_images,
    read_idx_labels,
)
from nfgen.shapes.formats.meshes import mesh_suffixes
from nfgen.shapes.formats.voxels import VOXEL_SUFFIXES, open_grids

from .base import Kind, Normalize
from .shape_ref import ShapeRef


def find_shapes(
    sources: str | Path | Sequence[str | Path], *, kind: Kind = "sdf", normalize: Normalize = "each"
) -> list[ShapeRef]:
    """List the shapes in files, folders (searched through) and globs, in the order of the sources, sorted within each.

    A folder or glob gives its meshes and voxel grids; if it has none, or for "brightness", its images. Hidden files are
    left out. Labels come from the file (IDX, `labels` of an `.npz`) or else from the sub-folder, when all files lie in
    two or more and one of these holds several. A file that is already known to be unusable is listed too: its
    reference says why when it is loaded.

    Raises:
        NfgenError: a source does not exist, nothing was found, or 2-D and 3-D shapes are mixed.
    """
    given = [sources] if isinstance(sources, str | Path) else list(sources)
    files: dict[Path, Path] = {}  # every file once, with the folder or file that gave it
    for source in given:
        for root, path in _expanded(Path(source).expanduser(), kind):
            files.setdefault(path, root)
    if not files:
        named = ", ".join(str(source) for source in given) or "no source"
        wanted = "PNG, JPEG or IDX images" if kind == "brightness" else "meshes, voxel grids or images"
        raise NfgenError(f"no shapes found in {named}", f"give {wanted}: files, folders or globs")

    top = Path(os.path.commonpath(set(files.values())))
    labels = _folder_labels(list(files))
    refs: list[ShapeRef] = []
    for path in files:
        name = path.relative_to(top).as_posix()
        ref = ShapeRef(name, labels.get(path), path, _dims(path), kind=kind, normalize=normalize)
        refs.extend(_members(ref))
    if len({ref.dims for ref in refs if ref.problem is None}) > 1:
        raise NfgenError("the sources mix 2-D images with 3-D shapes", "fit them one kind at a time")
    return refs


def _expanded(source: Path, kind: Kind) -> list[tuple[Path, Path]]:
    """Give (root, file) of everything that a source names; ids start below the root."""
    if source.is_dir():
        source = source.resolve()
        return [(source, path) for path in _chosen(_walked(source), kind)]
    if source.exists():
        folder = source.parent.resolve()
        return [(folder, folder / source.name)]
    if not glob.has_magic(str(source)):
        raise NfgenError(f"{source} does not exist", "give a file, a folder or a glob")
    plain = list(itertools.takewhile(lambda part: not glob.has_magic(part), source.parts))
    root = Path(*plain).resolve()
    try:
        matches = sorted(root.glob(str(Path(*source.parts[len(plain) :]))))
    except ValueError as error:
        raise NfgenError(f"{source}: {error}", "let ** stand alone between slashes") from error
    found = [path for match in matches for path in (_walked(match) if match.is_dir() else [match])]
    found = [path for path in found if not any(part.startswith(".") for part in path.relative_to(root).parts)]
    return [(root, path) for path in _chosen(found, kind)]


def _chosen(found: list[Path], kind: Kind) -> list[Path]:
    shapes = [path for path in found if _is_shape(path)]
    flat = [path for path in shapes if _dims(path) == 2]
    # Images beside meshes are their textures.
    return flat if kind == "brightness" or len(flat) == len(shapes) else [path for path in shapes if _dims(path) == 3]


def _walked(folder: Path) -> list[Path]:
    found: list[Path] = []
    for here, folders, names in os.walk(folder):
        # macOS leaves `._name.obj` and `__MACOSX` in archives: resource forks under the names of shapes.
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__MACOSX"]
        found.extend(Path(here, name) for name in names if not name.startswith("."))
    return sorted(found)


def _is_shape(path: Path) -> bool:
    suffix = path.suffix.lower()
    return (
        suffix in VOXEL_SUFFIXES | PICTURE_SUFFIXES
        or (is_idx(path) and not is_idx_labels(path))
        or suffix in mesh_suffixes()
    )


def _dims(path: Path) -> int:
    return 2 if path.suffix.lower() in PICTURE_SUFFIXES or is_idx(path) else 3


def _folder_labels(files: list[Path]) -> dict[Path, str]:
    top = Path(os.path.commonpath([path.parent for path in files]))
    labels = {path: path.relative_to(top).parts[0] for path in files if path.parent != top}
    counts = Counter(labels.values())
    # A folder for every single shape, as some collections have, names shapes and not classes.
    return labels if len(labels) == len(files) and 1 < len(counts) < len(files) else {}


def _members(ref: ShapeRef) -> list[ShapeRef]:
    """Give a reference for each member of an array file; otherwise the file's own."""
    suffix = ref.path.suffix.lower()
    try:
        if not (_is_shape(ref.path) or is_idx(ref.path)):
            known = " ".join(sorted(mesh_suffixes() | VOXEL_SUFFIXES | PICTURE_SUFFIXES))
            raise ShapeError(f"{ref.id}: is of no known kind of shape", f"known: {known} and IDX")
        if ref.kind == "brightness" and ref.dims == 3:
            raise ShapeError(f"{ref.id}: only images have a brightness", "fit it as a signed distance")
        if is_idx(ref.path):
            count = len(read_idx_images(ref.path, ref.id))
            labels: NDArray[Any] | None = read_idx_labels(ref.path, count, ref.id)
        elif suffix in VOXEL_SUFFIXES - {".binvox"}:
            grids = open_grids(ref.path, ref.id)
            count, labels = len(grids), grids.labels
            if count == 1 and labels is None:
                return [ref]
        else:
            return [ref]
    except ShapeError as problem:
        return [replace(ref, problem=ShapeError(problem.problem, problem.remedy))]
    digits = len(str(count - 1))
    return [
        replace(ref, id=f"{ref.id}#{i:0{digits}}", index=i, label=ref.label if labels is None else str(int(labels[i])))
        for i in range(count)
    ]
