"""Fields to the files of other programs: meshes of several formats, or ONNX."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from nfgen.errors import ConfigError, NfgenError
from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.fields.onnx import write_onnx
from nfgen.io import artifact
from nfgen.io.mesh_formats import FORMATS as MESHES
from nfgen.io.meshes import Up
from nfgen.io.names import file_name
from nfgen.runtime.device import announce, find_device
from nfgen.runtime.progress import progress
from nfgen.shapes.base import Transform

from .config import ExportConfig, GenerateConfig
from .finish import check_finish, finish
from .mesh_config import SurfaceConfig
from .sample_set import KIND as SAMPLES
from .sample_set import frame_of, read_list, up_of

log = logging.getLogger(__name__)
KIND = "export"
FORMATS = (*MESHES, "onnx")


class _Item:
    """One field to export: its name and, if it is known, where its shape's file had it."""

    def __init__(self, name: str, field: Field, frame: Transform | None, up: Up) -> None:
        self.name, self.field, self.frame, self.up = name, field, frame, up


def export(
    source: str | Path,
    out: str | Path,
    config: ExportConfig | None = None,
    *,
    overwrite: bool = False,
    **settings: Any,
) -> list[Path]:
    """Write a field to a file, or all fields of a folder to files in a folder.

    Meshes are in the frame of the shapes' files where it is known; ONNX graphs take points in the field's own frame,
    [-1, 1]^d.

    Args:
        source: a field's `.safetensors`, a field set, or a folder of samples.
        out: file to write for one field; for a folder the folder to write.
        config: which format, how finely, how many; `settings` are single ones of it, such as `format="obj"`.

    Returns:
        The files written; a field without a surface has no mesh.

    Raises:
        ConfigError: if the format is unknown, does not suit the fields or the settings, or a package is missing.
        ArtifactError: if the source is neither, or the path is taken.
        NfgenError: if the one field has no surface, or onnxruntime computes other values.
    """
    config = ExportConfig.given(config, settings)
    source, out = Path(source), Path(out)
    single = source.is_file()
    chosen = config.format or (out.suffix[1:].lower() if single else "glb")
    _check(config, chosen)
    device = find_device(config.device)
    if chosen in MESHES:
        announce(device)
    config = _as_sampled(source, config)
    write = _writer(chosen, config.meshing, device)
    if single:
        if out.exists() and not overwrite:
            raise ConfigError(f"{out} exists already", "choose another --out, or say --overwrite")
        out.parent.mkdir(parents=True, exist_ok=True)
        if write(_Item(source.stem, Field.load(source), None, "z"), out) is None:
            raise NfgenError(f"{source} has no surface", "choose another field")
        return [out]
    items = list(_items(source))[: config.limit]
    with artifact.writing(out, KIND, overwrite=overwrite) as folder, progress(len(items), "export", "field") as bar:
        files, meshes = [], {}
        for item in items:
            file = folder / f"{item.name}.{chosen}"
            about = write(item, file)
            if about is not None:
                files.append(file.name)
                meshes[file.name] = about
            bar.update(1)
        made = config.replace(format=chosen).to_json()
        content = {"source": str(source), "settings": made, "files": files}
        artifact.write_config(folder, KIND, content | ({} if chosen == "onnx" else {"meshes": meshes}))
    return [out / file for file in files]


def _as_sampled(source: Path, config: ExportConfig) -> ExportConfig:
    """The settings, where samples were meshed without crumbs and nothing is said of them, without crumbs, too."""
    if artifact.kind_of(source) != SAMPLES or "crumbs" in config.said():
        return config
    made = GenerateConfig.of_samples(artifact.read_config(source))
    return config.with_settings({"crumbs": made.meshing.crumbs})


def _check(config: ExportConfig, format: str) -> None:
    if format not in FORMATS:
        raise ConfigError(f"there is no format {format!r}", f"known are: {', '.join(FORMATS)}")
    if format != "onnx":
        check_finish(config.meshing, format)
        return
    ignored = sorted(config.meshing.model_fields_set - {"resolution"})
    if ignored:
        raise ConfigError(f"{ignored[0]} has no meaning for onnx", f"leave it out, or choose {', '.join(MESHES)}")


def _writer(format: str, config: SurfaceConfig, device: torch.device) -> Callable[[_Item, Path], dict[str, Any] | None]:
    """What writes one field, and gives what there is to say of it; None if there was nothing to write."""

    def as_onnx(item: _Item, path: Path) -> dict[str, Any]:
        write_onnx(item.field, path)
        return {}

    def as_mesh(item: _Item, path: Path) -> dict[str, Any] | None:
        field = item.field.to(device)
        field = field.offset(config.offset) if config.offset else field
        mesh = field.mesh(config.resolution)
        if not len(mesh.faces):
            return None
        made = finish(field, mesh, config, format)
        made.write(path, item.frame, item.up)
        if made.changes:
            log.info("%s: %s", path.name, "; ".join(made.changes))
        return made.about()

    return as_onnx if format == "onnx" else as_mesh


def _items(source: Path) -> Iterator[_Item]:
    kind = artifact.kind_of(source)
    if kind == SAMPLES:
        config = artifact.read_config(source)
        placed, up = frame_of(config), up_of(config)
        for entry in read_list(source):
            yield _Item(file_name(Path(entry["field"]).stem), Field.load(source / entry["field"]), placed, up)
        return
    fields = FieldSet.load(source)
    for index, id in enumerate(fields.ids):
        placed = None
        if fields.transforms is not None:
            placed = Transform.from_row(fields.transforms[index].tolist(), fields.spec.dims)
        # Ids are paths below the folder of shapes: a flat name each, the number keeps them apart.
        name = f"{index:05d}-{file_name(_without_suffix(id))}"
        yield _Item(name, fields[index], placed, "z" if placed is None else placed.up)


def _without_suffix(id: str) -> str:
    """The id of a shape without its file's suffix; `#7` of a member of an array stays."""
    path, number, index = id.partition("#")
    return f"{path.rsplit('.', 1)[0]}{number}{index}"
