"""Finding shapes: files, folders, zip archives and globs become small references, and what is left out is said."""

import glob
import itertools
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from nfgen.errors import NfgenError, ShapeError
from nfgen.shapes.archives import members_of
from nfgen.shapes.base import Kind, Normalize
from nfgen.shapes.classes import class_lines, folder_labels
from nfgen.shapes.file_kinds import dims_of, is_shape, known_kinds, one_a_stem
from nfgen.shapes.formats.images import is_idx, read_idx_images, read_idx_labels
from nfgen.shapes.formats.shape_file import ShapeFile
from nfgen.shapes.formats.volumes import DICOM
from nfgen.shapes.formats.voxels import ARRAY_SUFFIXES, open_grids
from nfgen.shapes.left_out import LeftOut, printable
from nfgen.shapes.reading import AS_FOUND, ReadingConfig
from nfgen.shapes.shape_ref import ShapeRef

log = logging.getLogger(__name__)


class Found(NamedTuple):
    """A file that may hold shapes."""

    root: Path
    """Folder or archive that was given; ids start below it."""
    path: Path
    """Of the file; that of a member of an archive goes on within the archive."""
    file: ShapeFile
    """The file to read."""


@dataclass(frozen=True)
class Discovery:
    """The shapes of some sources, and what was left out."""

    refs: list[ShapeRef]
    """In the order of the sources, sorted within each."""
    left_out: LeftOut
    """Files that were not read, and why."""

    def lines(self) -> list[str]:
        """What was chosen and left out, one line each."""
        return [*self.left_out.lines(), *class_lines([ref.label for ref in self.refs])]


def find_shapes(
    sources: str | Path | Sequence[str | Path],
    *,
    kind: Kind = "sdf",
    normalize: Normalize = "each",
    reading: ReadingConfig = AS_FOUND,
) -> list[ShapeRef]:
    """List the shapes of sources as `discover` does; what was left out is logged.

    Raises:
        NfgenError: as `discover` does.
    """
    discovery = discover(sources, kind=kind, normalize=normalize, reading=reading)
    for line in discovery.lines():
        log.info("%s", line)
    return discovery.refs


def discover(
    sources: str | Path | Sequence[str | Path],
    *,
    kind: Kind = "sdf",
    normalize: Normalize = "each",
    reading: ReadingConfig = AS_FOUND,
) -> Discovery:
    """List the shapes in files, folders (searched through), zip archives (which count as folders) and globs.

    A folder or glob gives its meshes and voxel grids; if it has none, or for "brightness", its images. Of files that
    differ by their format alone one is taken. Hidden files are left out, links to folders not followed. Labels come
    from the file (IDX, `labels` of an `.npz`) or else from the sub-folder (see `folder_labels`). A file that is already
    known to be unusable is listed too: its reference says why when it is loaded.

    Raises:
        NfgenError: a source does not exist, nothing was found, or 2-D and 3-D shapes are mixed.
    """
    given = [sources] if isinstance(sources, str | Path) else list(sources)
    left_out = LeftOut()
    files: dict[Path, Found] = {}  # every file once
    for source in given:
        for found in _expanded(Path(source).expanduser(), kind, left_out):
            files.setdefault(found.path, found)
    if not files:
        named = ", ".join(str(source) for source in given) or "no source"
        wanted = "images" if kind == "brightness" else "meshes, voxel grids or images"
        also = "".join(f"; {line}" for line in left_out.lines())
        raise NfgenError(f"no shapes found in {named}{also}", f"give {wanted}: files, folders, zip files or globs")

    top = Path(os.path.commonpath({found.root for found in files.values()}))
    labels = folder_labels(list(files))
    refs: list[ShapeRef] = []
    for path, found in files.items():
        name = path.relative_to(top).as_posix()
        ref = ShapeRef(
            printable(name), labels.get(path), found.file.path, dims_of(path.name),
            kind=kind, normalize=normalize, member=found.file.member, reading=reading,
        )  # fmt: skip
        refs.extend(_members(ref, name))
    if len({ref.dims for ref in refs if ref.problem is None}) > 1:
        raise NfgenError("the sources mix 2-D images with 3-D shapes", "fit them one kind at a time")
    return Discovery(refs, left_out)


def _expanded(source: Path, kind: Kind, left_out: LeftOut) -> list[Found]:
    """Give everything that a source names."""
    if source.is_dir():
        source = source.resolve()
        return _chosen(_walked(source, source, left_out), kind, left_out)
    if source.suffix.lower() == ".zip" and source.is_file():
        archive = source.resolve()
        return _chosen(_archived(archive, archive, left_out), kind, left_out)
    if source.exists():
        folder = source.parent.resolve()
        return [Found(folder, folder / source.name, ShapeFile(folder / source.name))]
    if not glob.has_magic(str(source)):
        raise NfgenError(f"{source} does not exist", "give a file, a folder or a glob")
    plain = list(itertools.takewhile(lambda part: not glob.has_magic(part), source.parts))
    root = Path(*plain).resolve()
    try:
        matches = sorted(root.glob(str(Path(*source.parts[len(plain) :]))))
    except ValueError as error:
        raise NfgenError(f"{source}: {error}", "let ** stand alone between slashes") from error
    matches = [path for path in matches if not any(part.startswith(".") for part in path.relative_to(root).parts)]
    found: list[Found] = []
    for match in matches:
        found += _walked(root, match, left_out) if match.is_dir() else _opened_up(root, match, left_out)
    return _chosen(found, kind, left_out)


def _walked(root: Path, folder: Path, left_out: LeftOut) -> list[Found]:
    names: list[Path] = []
    for here, folders, files in os.walk(folder):
        # macOS leaves `._name.obj` and `__MACOSX` in archives: resource forks under the names of shapes.
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__MACOSX"]
        for name in folders:
            if Path(here, name).is_symlink():
                left_out.links.append(f"{Path(here, name).relative_to(folder).as_posix()}/")
        names.extend(Path(here, name) for name in files if not name.startswith("."))
    return [found for path in sorted(names) for found in _opened_up(root, path, left_out)]


def _opened_up(root: Path, path: Path, left_out: LeftOut) -> list[Found]:
    """A file itself, or the members of an archive."""
    if path.suffix.lower() == ".zip" and path.is_file():
        return _archived(root, path, left_out)
    return [Found(root, path, ShapeFile(path))]


def _archived(root: Path, archive: Path, left_out: LeftOut) -> list[Found]:
    return [Found(root, archive / name, ShapeFile(archive, name)) for name in members_of(archive, left_out)]


def _chosen(found: list[Found], kind: Kind, left_out: LeftOut) -> list[Found]:
    shapes = [one for one in found if is_shape(one.path.name)]
    left_out.unknown(one.path for one in found if not is_shape(one.path.name))
    flat = [one for one in shapes if dims_of(one.path.name) == 2]
    solid = [one for one in shapes if dims_of(one.path.name) == 3]
    if kind == "brightness" or not solid:
        chosen = flat
        left_out.solids += len(solid)
    else:
        chosen = solid
        left_out.textures(one.path for one in flat)
    kept, others = one_a_stem([one.path for one in chosen])
    left_out.other_formats(others)
    return [one for one in chosen if one.path in kept]


def _members(ref: ShapeRef, name: str) -> list[ShapeRef]:
    """Give a reference for each member of an array file; otherwise the file's own."""
    file = ref.file
    try:
        if ref.id != name:
            raise ShapeError(f"{ref.id}: its name is not UTF-8", "rename the file")
        if file.suffix in DICOM:
            raise ShapeError(f"{ref.id}: DICOM is not read", "convert it to NIfTI, as dcm2niix does")
        if file.suffix == ".zip":
            raise ShapeError(f"{ref.id}: is a zip file within a zip file", "unpack the outer one")
        if not (is_shape(file.name) or is_idx(file.name)):
            raise ShapeError(f"{ref.id}: is of no known kind of shape", f"known: {known_kinds()}")
        if ref.kind == "brightness" and ref.dims == 3:
            raise ShapeError(f"{ref.id}: only images have a brightness", "fit it as a signed distance")
        if is_idx(file.name):
            count = len(read_idx_images(file, ref.id))
            labels: NDArray[Any] | None = read_idx_labels(file, count, ref.id)
        elif file.suffix in ARRAY_SUFFIXES:
            grids = open_grids(file, ref.id, ref.reading.values)
            count, labels = len(grids), grids.labels
            if count == 1 and labels is None:
                return [ref]
        else:
            return [ref]
    except ShapeError as problem:
        return [replace(ref, problem=ShapeError(problem.problem, problem.remedy))]
    digits = len(str(count - 1))
    classes = [ref.label] * count if labels is None else [str(label) or None for label in labels]
    return [replace(ref, id=f"{ref.id}#{i:0{digits}}", index=i, label=one) for i, one in enumerate(classes)]
