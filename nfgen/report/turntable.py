"""Turntable animation of the models of artifacts."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from nfgen.errors import ConfigError
from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.pipeline.sample_set import KIND as SAMPLES
from nfgen.pipeline.sample_set import read_list
from nfgen.viz.animation import ON_A_SHEET, require, save_animation, turning_sheet

from .artifacts import FIELD, Found, find_artifacts

if TYPE_CHECKING:
    import trimesh

RESOLUTION = 64  # cells per side; enough for pictures of this size


def write_turntable(paths: Sequence[str | Path], out: str | Path) -> Path:
    """Write a GIF or MP4 of the first models of samples, field sets and fields, turning side by side.

    Args:
        paths: as for `write_report`.
        out: file to write, ending in `.gif` or `.mp4`.

    Raises:
        ConfigError: if the artifacts have no 3-D models.
        ArtifactError: if one is damaged, or the file cannot be written.
    """
    require(Path(out).suffix[1:])
    found = find_artifacts([Path(path) for path in paths])
    # Samples come first, as on the page.
    found.sort(key=lambda one: one.kind != SAMPLES)
    models = list(islice((mesh for one in found for mesh in _meshes(one) if len(mesh.faces)), ON_A_SHEET))
    if not models:
        raise ConfigError("there is no 3-D model to turn", "give samples, a field set or a field of 3-D shapes")
    save_animation(out, turning_sheet(models))
    return Path(out)


def _meshes(found: Found) -> "Iterator[trimesh.Trimesh]":
    if found.kind == SAMPLES:
        # Meshes of the fields, as the files may be in another frame.
        yield from _of_fields(Field.load(found.path / str(entry["field"])) for entry in read_list(found.path))
    elif found.kind == "fields":
        fields = FieldSet.load(found.path)
        yield from _of_fields(fields[i] for i in range(len(fields)))
    elif found.kind == FIELD:
        yield from _of_fields([Field.load(found.path)])


def _of_fields(fields: "Iterator[Field] | list[Field]") -> "Iterator[trimesh.Trimesh]":
    return (field.mesh(RESOLUTION) for field in fields if field.spec.dims == 3 and field.spec.output != "brightness")
