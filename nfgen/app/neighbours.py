"""The most similar training shape of a sample, where a field set that holds it lies beside the run."""

from collections.abc import Sequence
from pathlib import Path

from nfgen.errors import NfgenError
from nfgen.fields.field_set import FieldSet
from nfgen.io import artifact
from nfgen.pipeline.sample_set import surface_or_none

from .shelf import Shelf
from .things import Known

RESOLUTION = 64  # cells along each axis: it is shown small


class Neighbours:
    """Training shapes by the folder of their run and their id; each is meshed once.

    Args:
        shelf: on which they are put.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._sets: dict[Path, list[FieldSet]] = {}
        self._keys: dict[tuple[Path, str], str] = {}

    def key(self, run: Path, train_ids: Sequence[str], id: str) -> str | None:
        """The key of a training shape; None if it is not found, or has no surface.

        Args:
            train_ids: of all shapes that the run learned from: only a set that has all of them is of the run.
        """
        known = self._keys.get((run, id))
        if known is not None and self._shelf.get(known) is not None:
            return known
        for fields in self._beside(run, train_ids):
            if id in fields.ids:
                field = fields[fields.ids.index(id)]
                mesh = surface_or_none(field, RESOLUTION) if field.spec.dims == 3 else None
                if field.spec.dims == 3 and mesh is None:
                    return None
                self._keys[run, id] = self._shelf.put(Known("training-shape", field, mesh))
                return self._keys[run, id]
        return None

    def _beside(self, run: Path, train_ids: Sequence[str]) -> list[FieldSet]:
        """The field sets in the folder that holds the run, as `nfgen make` leaves them."""
        if run not in self._sets:
            found = []
            for entry in sorted(run.resolve().parent.iterdir()):
                try:
                    if artifact.kind_of(entry) == "fields" and set(train_ids) <= set((one := FieldSet.load(entry)).ids):
                        found.append(one)
                except (NfgenError, OSError):
                    continue  # other things lie there, too
            self._sets[run] = found
        return self._sets[run]
