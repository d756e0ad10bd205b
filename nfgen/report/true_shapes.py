"""The shapes that fields were fitted to, read again from their files, where these are still there."""

import contextlib

import trimesh

from nfgen.errors import NfgenError
from nfgen.fields.field_set import FieldSet
from nfgen.shapes.discovery import discover
from nfgen.shapes.load_many import load_shape
from nfgen.shapes.reading import ReadingConfig
from nfgen.shapes.shape_ref import ShapeRef

from .mesh_codec import Models


class TrueShapes:
    """The shapes of a field set, by the sources and settings that it keeps; none if a file is gone or was changed."""

    def __init__(self, fields: FieldSet) -> None:
        self._fields = fields
        self._refs: dict[str, ShapeRef] | None = None

    def model(self, index: int, models: Models) -> str | None:
        """The name on the page of the model of the shape of a field; None if there is none."""
        if self._fields.spec.dims != 3:
            return None
        ref = self._found().get(self._fields.ids[index])
        if ref is None:
            return None
        with contextlib.suppress(NfgenError):
            mesh = load_shape(ref).mesh()
            return models.add(f"shape:{ref.path}:{ref.id}", trimesh.Trimesh(mesh.vertices, mesh.faces, process=False))
        return None

    def _found(self) -> dict[str, ShapeRef]:
        if self._refs is None:
            self._refs = {}
            settings = self._fields.settings
            samples, sources = settings.get("samples"), list(self._fields.sources)
            if sources:
                with contextlib.suppress(NfgenError):
                    reading = ReadingConfig.stored(settings.get("reading", {}))
                    normalize = samples.get("normalize") if isinstance(samples, dict) else "each"
                    refs = discover(sources, reading=reading, normalize="none" if normalize == "none" else "each").refs
                    self._refs = {ref.id: ref for ref in refs}
        return self._refs
