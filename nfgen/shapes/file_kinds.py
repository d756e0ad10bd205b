"""Which kind of shape a file holds, by its name alone."""

from collections.abc import Sequence
from pathlib import Path

from nfgen.shapes.formats.images import PICTURE_SUFFIXES, is_idx, is_idx_labels
from nfgen.shapes.formats.meshes import mesh_suffixes
from nfgen.shapes.formats.volumes import VOLUME_SUFFIXES, is_volume
from nfgen.shapes.formats.voxels import ARRAY_SUFFIXES

VOXEL_SUFFIXES = ARRAY_SUFFIXES | {".binvox"}
# Of several files of one shape the first of these is read: what says most about itself, meshes before voxels.
PREFERRED: tuple[str, ...] = (".glb", ".gltf", ".ply", ".obj", ".off", ".stl", "mesh", ".nii.gz", ".nii", ".nrrd")
PREFERRED += (".solid.binvox", ".binvox", ".npz", ".npy", ".mat", ".surface.binvox")
PREFERRED += (".png", ".tiff", ".tif", ".bmp", ".webp", ".gif")


def is_shape(name: str) -> bool:
    """Whether files of this name hold shapes."""
    suffix = Path(name).suffix.lower()
    # Last, because trimesh takes half a second to import, for nothing where there are no meshes.
    return (
        suffix in VOXEL_SUFFIXES | PICTURE_SUFFIXES
        or (is_idx(name) and not is_idx_labels(name))
        or is_volume(name)
        or suffix in mesh_suffixes()
    )


def dims_of(name: str) -> int:
    """Dimensions of space of the shapes in files of this name."""
    return 2 if Path(name).suffix.lower() in PICTURE_SUFFIXES or is_idx(name) else 3


def known_kinds() -> str:
    """All suffixes, as text."""
    return " ".join(sorted(mesh_suffixes() | VOXEL_SUFFIXES | VOLUME_SUFFIXES | PICTURE_SUFFIXES)) + " and IDX"


def one_a_stem(paths: Sequence[Path]) -> tuple[set[Path], dict[Path, Path]]:
    """Of files that differ by their format alone, which is read, and of the others which stands for them.

    ShapeNet has each model as `model.obj`, `model.solid.binvox` and `model.surface.binvox`.
    """
    others: dict[Path, Path] = {}
    alike: dict[tuple[Path, str], list[Path]] = {}
    for path in paths:
        alike.setdefault((path.parent, path.name[: -len(format_of(path.name))]), []).append(path)
    result: set[Path] = set()
    for group in alike.values():
        # Files of one format whose names differ in capitals alone are several shapes.
        formats = {format_of(path.name) for path in group}
        if len(group) == 1 or len(formats) < len(group) or any(is_idx(path.name) for path in group):
            result.update(group)
            continue
        first, *rest = sorted(group, key=lambda path: _rank(path.name))
        result.add(first)
        others |= dict.fromkeys(rest, first)
    return result, others


def format_of(name: str) -> str:
    """The suffix, with what tells voxels of one shape apart: `.solid.binvox`."""
    lower = name.lower()
    for long in (".nii.gz", ".solid.binvox", ".surface.binvox"):
        if lower.endswith(long):
            return long
    return Path(lower).suffix


def _rank(name: str) -> int:
    format = format_of(name)
    if format in PREFERRED:
        return PREFERRED.index(format)
    return PREFERRED.index("mesh") if dims_of(name) == 3 else len(PREFERRED)
