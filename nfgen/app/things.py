"""What lies on the shelf: a drawn sample, a training shape, a picture."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nfgen.fields.field import Field
from nfgen.io.meshes import Up
from nfgen.pipeline.finish import finish
from nfgen.pipeline.mesh_config import MeshingConfig
from nfgen.pipeline.sample_set import picture_of
from nfgen.report.mesh_codec import MODEL_BYTES, packed_within
from nfgen.shapes.base import Transform
from nfgen.viz.contact_sheet import save_png

from .recipe import Recipe
from .shelf import MODEL, PICTURE

if TYPE_CHECKING:
    import trimesh

MESHES = ("glb", "stl", "obj")
FIELD, IMAGE = "safetensors", "png"
IMAGE_SIZE = 64  # pixels, as `nfgen generate` writes


@dataclass(frozen=True)
class Drawn:
    """A sample, with what made it."""

    name: str
    field: Field
    mesh: "trimesh.Trimesh | None"
    """In the field's frame; None of images, and of fields without a surface."""
    frame: Transform | None
    up: Up
    meshing: MeshingConfig
    """How its files are finished."""
    run: str
    """Name of the run."""
    recipe: Recipe
    """What makes it again, as sample `number` of its folder."""
    number: int
    """Its place among the samples of one draw or edit, from 0."""
    origin: str
    """How it was made, in a few words: "seed 0, number 3"."""
    tokens: tuple[int, ...] | None
    """None where they are no ids."""
    label: str | None
    nearest: dict[str, Any]
    beside: str | None
    """Key of the nearest training shape, if it was found."""

    @property
    def empty(self) -> bool:
        """The field has no surface."""
        return self.field.spec.dims == 3 and self.mesh is None

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Of the files to save."""
        shape = (IMAGE,) if self.field.spec.dims == 2 else () if self.mesh is None else MESHES
        return (*shape, FIELD)

    def content(self, kind: str) -> bytes | None:
        """A file by its suffix, or what the page shows."""
        if kind not in self.suffixes:
            return shown(self.field, self.mesh, kind)
        return _written(f"{self.name}.{kind}", lambda path: self._write(path, kind))

    def _write(self, path: Path, kind: str) -> None:
        if kind == FIELD:
            self.field.save(path)
        elif kind == IMAGE:
            save_png(path, (255 * self.field.image(IMAGE_SIZE)).round().byte().numpy())
        elif self.mesh is not None:
            finish(self.field, self.mesh, self.meshing, kind).write(path, self.frame, self.up)


@dataclass(frozen=True)
class Known:
    """A training shape, as its field has it."""

    name: str
    field: Field
    mesh: "trimesh.Trimesh | None"

    def content(self, kind: str) -> bytes | None:
        """What the page shows."""
        return shown(self.field, self.mesh, kind)


@dataclass(frozen=True)
class Picture:
    """A picture alone."""

    name: str
    png: bytes

    def content(self, kind: str) -> bytes | None:
        """The picture."""
        return self.png if kind == PICTURE else None


def shown(field: Field, mesh: "trimesh.Trimesh | None", kind: str) -> bytes | None:
    """What the page shows of a field and its mesh: a `MODEL` as its viewer reads it, or a `PICTURE` as PNG.

    None of another kind, of a model of images, and of fields without a surface.
    """
    if kind == MODEL and mesh is not None:
        return packed_within(np.asarray(mesh.vertices), np.asarray(mesh.faces), MODEL_BYTES).encode()
    if kind != PICTURE or (field.spec.dims == 3 and mesh is None):
        return None
    return _written("picture.png", lambda path: save_png(path, picture_of(field, mesh)))


def _written(name: str, write: Callable[[Path], None]) -> bytes:
    """The content of a file that something writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        return path.read_bytes()
