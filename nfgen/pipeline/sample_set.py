"""Generated samples on disk: of each a mesh (or image), its field and a picture; of all a list and a contact sheet."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nfgen.errors import ArtifactError, ConfigError, ShapeError
from nfgen.fields.field import Field
from nfgen.io import artifact, files
from nfgen.io.meshes import Up, turned_back, turned_upright
from nfgen.io.pictures import read_rgb
from nfgen.shapes.base import Transform, stored_up
from nfgen.shapes.formats.file_mesh import FileMesh
from nfgen.shapes.load_many import read_mesh_files
from nfgen.viz.contact_sheet import contact_sheet, save_png
from nfgen.viz.render import render_image, render_mesh

from .finish import FinishedMesh, Size, size_of

if TYPE_CHECKING:
    import trimesh

KIND = "samples"
LIST = "samples.json"
GLB_UP = "glb_up"
"""Key of the config: the axis that points up in GLBs. Those of folders without it are z-up."""
PICTURE_SIZE = 256  # pixels
LONGEST_NAME = 255  # bytes: no system has longer ones
SHEET = 400  # samples on the contact sheet at most: 79 MB of pixels, and more would not be looked at


@dataclass(frozen=True)
class Sample:
    """One generated sample as `samples.json` lists it; paths are relative to its folder."""

    file: str | None
    """Mesh or image; None if the field has no surface."""
    field: str
    """The field itself, a safetensors file."""
    picture: str
    tokens: list[Any]
    seed: int
    index: int
    """With the seed it determines the sample."""
    label: str | None
    empty: bool
    nearest: dict[str, Any] | None
    """The training field of most similar values: its id, and the root mean square difference of truncated distances."""
    mesh: dict[str, Any] | None = None
    """Of its mesh file the number of faces, the real size, if it has one, and what was changed."""

    def to_json(self) -> dict[str, Any]:
        values = dict(self.__dict__)
        values["class"] = values.pop("label")
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Sample":
        """Rebuild a sample from the dict that `to_json` gave."""
        rest = {key: value for key, value in values.items() if key != "class"}
        return cls(label=values["class"], **rest)


def surface_or_none(field: Field, resolution: int) -> "trimesh.Trimesh | None":
    """The mesh of a 3-D field, None if it has no surface."""
    mesh = field.mesh(resolution)
    return mesh if len(mesh.faces) else None


def write_sample(
    folder: Path,
    name: str,
    field: Field,
    mesh: FinishedMesh | None,
    frame: Transform | None,
    format: str,
    *,
    up: Up,
) -> tuple[str | None, str, str]:
    """Write one sample's files.

    Args:
        mesh: put into `frame` (that of the shapes' files) in the mesh file, if it has no size of its own.
        up: axis that points up in the mesh file; in GLB it is always y.

    Returns:
        Names of the files: the mesh (or image), the field, and its picture.

    Raises:
        ConfigError: if the mesh format is unknown, or its packages are missing.
    """
    field.save(folder / f"{name}.safetensors")
    file: str | None = None
    if field.spec.dims == 2:
        file = f"{name}.image.png"
        save_png(folder / file, (255 * field.image(64)).round().byte().numpy())
    elif mesh is not None:
        file = f"{name}.{format}"
        mesh.write(folder / file, frame, up)
    save_png(folder / f"{name}.png", picture_of(field, None if mesh is None else mesh.mesh))
    return file, f"{name}.safetensors", f"{name}.png"


def picture_of(field: Field, mesh: "trimesh.Trimesh | None") -> np.ndarray:
    """A picture [256, 256, 3] of a 2-D field, or of the mesh of a 3-D one: the ground alone if that is None."""
    if field.spec.dims == 2:
        return image_picture(field)
    import trimesh

    return render_mesh(trimesh.Trimesh() if mesh is None else mesh, PICTURE_SIZE)


def image_picture(field: Field, size: int = PICTURE_SIZE) -> np.ndarray:
    """A picture [size, size, 3] of a 2-D field."""
    if field.spec.output == "brightness":
        return np.repeat((255 * field.image(size)).round().byte().numpy()[..., None], 3, axis=2)
    return render_image(field.signed_image(size).numpy(), size)


def write_list(folder: Path, samples: list[Sample], settings: dict[str, Any]) -> None:
    """Write the list, the contact sheet (of the first 400) and, last, the config."""
    files.write_json(folder / LIST, [sample.to_json() for sample in samples])
    pictures = [read_rgb(folder / sample.picture) for sample in samples[:SHEET]]
    save_png(folder / "contact_sheet.png", contact_sheet(pictures))
    artifact.write_config(folder, KIND, settings | {GLB_UP: "y"})


def read_list(path: str | Path) -> list[dict[str, Any]]:
    """The entries of `samples.json`.

    Raises:
        ArtifactError: if the folder holds no samples.
    """
    path = Path(path)
    artifact.read_config(path, KIND)
    entries = files.read_json(path / LIST)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ArtifactError(f"{path / LIST} is not a list of samples", "generate them again")
    for number, entry in enumerate(entries):
        wrong = _wrong_in(entry)
        if wrong is not None:
            raise ArtifactError(f"{path / LIST}: sample {number} {wrong}", "generate them again")
    return entries


def _wrong_in(entry: dict[str, Any]) -> str | None:
    """What is wrong with an entry of the list, if anything."""
    for key in ("field", "file", "picture"):
        name = entry.get(key)
        if name is None and key != "field":
            continue
        # A list from elsewhere must not make us read, or show, files beside its folder.
        if not _is_file_name(name):
            return f"names {name!r}, which is no file of its folder"
    if not isinstance(entry.get("empty", False), bool):
        return f"has {entry['empty']!r} for empty, which is true or false"
    nearest = entry.get("nearest")
    if not isinstance(nearest, dict | None) or not isinstance((nearest or {}).get("distance"), int | float | None):
        return "has a nearest field without an id and a distance"
    if not isinstance(entry.get("mesh"), dict | None):
        return "has a mesh that is no object"
    if not isinstance(entry.get("class"), str | None):
        return "has a class that is no text"
    return None


def _is_file_name(name: object) -> bool:
    if not isinstance(name, str) or not name or Path(name).name != name or "\0" in name:
        return False
    try:
        return len(os.fsencode(name)) <= LONGEST_NAME
    except UnicodeEncodeError:  # JSON can hold half a letter
        return False


def read_meshes(path: str | Path) -> "list[trimesh.Trimesh | None]":
    """The mesh of each sample in the frame of the shapes' files, upright, None where a field has no surface.

    Raises:
        ConfigError: the samples are images.
        ArtifactError: a file is missing or broken.
    """
    return read_sample_meshes(mesh_files(path), read_list(path), artifact.read_config(path, KIND))


def mesh_files(path: str | Path) -> list[Path | None]:
    """The mesh file of each sample, None where a field has no surface.

    Raises:
        ConfigError: the samples are images.
        ArtifactError: the list is missing or broken.
    """
    files = [entry.get("file") for entry in read_list(Path(path))]
    if any(file is not None and file.endswith(".png") for file in files):
        raise ConfigError(f"{path} holds images, not surfaces", "give samples of 3-D fields")
    return [None if file is None else Path(path) / file for file in files]


def frame_of(config: dict[str, Any]) -> Transform | None:
    """The frame of the shapes' files that samples are in, of the folder's config; None if they had none in common.

    Raises:
        ArtifactError: it is damaged.
    """
    stored = config.get("frame")
    try:
        return None if stored is None else Transform.from_json(stored)
    except ConfigError as error:
        raise ArtifactError(f"the frame of the samples is damaged: {error.problem}", "generate them again") from error


def up_of(config: dict[str, Any]) -> Up:
    """The axis that points up in the mesh files of samples (but for GLB), of the folder's config.

    Raises:
        ArtifactError: it is damaged.
    """
    try:
        return stored_up(config, frame_of(config))
    except ConfigError as error:
        raise ArtifactError(f"the axes of the samples are damaged: {error.problem}", "generate them again") from error


def read_sample_meshes(
    paths: "Sequence[Path | None]", entries: Sequence[dict[str, Any]], config: dict[str, Any]
) -> "list[trimesh.Trimesh | None]":
    """The meshes of samples in the frames of the shapes' files, upright, read as any shape's file is; None of None.

    Args:
        paths: of the files.
        entries: of `samples.json`, one a path.
        config: of the folder of samples.

    Raises:
        ArtifactError: one is missing or broken.
    """
    found = read_mesh_files([path for path in paths if path is not None])
    for mesh in found:
        if isinstance(mesh, ShapeError):
            raise ArtifactError(f"cannot read {mesh.problem}", "generate the samples again") from mesh
    read = iter([mesh for mesh in found if not isinstance(mesh, ShapeError)])
    return [
        None if path is None else upright_mesh(next(read), config, size_of(entry))
        for path, entry in zip(paths, entries, strict=True)
    ]


def upright_mesh(mesh: FileMesh, config: dict[str, Any], size: Size | None) -> "trimesh.Trimesh":
    """The mesh of a sample's file with z up, in the frame of the shapes' files.

    Args:
        config: of the folder of samples.
        size: of the sample, if its file has one of its own.
    """
    import trimesh

    vertices, frame = mesh.vertices, frame_of(config)
    if mesh.up is None:
        vertices = turned_upright(vertices, up_of(config))
    elif config.get(GLB_UP) != mesh.up:  # the reader has turned it, but it was upright: so they were written once
        vertices = turned_back(vertices, mesh.up)
    if size is not None:
        vertices = size.invert(vertices)
        vertices = vertices if frame is None else frame.invert(vertices)
    return trimesh.Trimesh(vertices, mesh.faces, process=False)
