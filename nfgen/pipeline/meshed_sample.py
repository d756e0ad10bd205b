"""From the tokens of one sample to its mesh, its picture and its nearest training field, and whether it is accepted."""

import math
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor

from nfgen.errors import NfgenError
from nfgen.fields.field import Field
from nfgen.io import files
from nfgen.metrics import largest_share
from nfgen.runtime.device import CPU
from nfgen.tokens.decoding import decode_fields

from .config import AcceptanceConfig
from .finish import finish
from .mesh_config import MeshingConfig
from .run import Run
from .sample_journal import ALIKE, EMPTY, IN_PIECES
from .sample_set import Sample, surface_or_none, write_sample

if TYPE_CHECKING:
    import trimesh

NAME = "sample"
TRIES = 10  # times the wanted number; when these were drawn, what is required is given up
SPARE = 2  # training fields for each of distinct samples: with one, the last sample would be long in coming


class AcceptanceRules(NamedTuple):
    """What a sample must have, so that it is not drawn again."""

    surface: bool
    body: float
    """Least share of the volume in the largest body."""
    alike: int | None
    """Most samples that may have the same nearest training field; None = any number."""
    balanced: bool
    """Draws are left out before they are meshed."""

    @classmethod
    def of(cls, config: AcceptanceConfig, n: int, training_fields: int) -> "AcceptanceRules":
        """The rules for n samples of a run that learned from a number of fields."""
        alike = math.ceil(SPARE * n / training_fields) if config.distinct else None
        return cls(config.require_surface or config.require_body > 0, config.require_body, alike, config.balanced)

    def __str__(self) -> str:
        wanted = ["are in one piece" if self.body else "have a surface"] if self.surface else []
        wanted += [] if self.alike is None else ["differ from those before"]
        return " and ".join(wanted + (["are balanced"] if self.balanced else []))


class Taking:
    """Which samples are taken, of those made one after another.

    Args:
        n: how many are wanted.
        taken: the nearest training fields of those that were taken before.
    """

    def __init__(self, rules: AcceptanceRules, n: int, taken: Iterable[str] = ()) -> None:
        self.rules, self.n, self._nearest = rules, n, Counter(taken)

    def refusal(self, *, accepted: bool, empty: bool, nearest: str | None) -> str | None:
        """Why the next sample is not taken, in a word of the journal; None if it is.

        Args:
            accepted: it is as the rules ask, by itself.
            nearest: its nearest training field.
        """
        if not accepted:
            return EMPTY if empty else IN_PIECES
        if nearest is not None:
            if self.rules.alike is not None and self._nearest[nearest] >= self.rules.alike:
                return ALIKE
            self._nearest[nearest] += 1
        return None

    def require_hope(self, taken: int, index: int) -> None:
        """Give up when more of the same would not help.

        Args:
            taken: number of samples so far.
            index: of the last one that was drawn.

        Raises:
            NfgenError: it would not.
        """
        if index >= TRIES * self.n:
            raise NfgenError(
                f"only {taken} of {index + 1} samples {self.rules}",
                "ask for fewer, train for longer, or accept others: --no-distinct --no-balanced --require-body 0",
            )


class DecodedSample(NamedTuple):
    """The field and the mesh of one drawn sequence of tokens."""

    field: Field
    mesh: "trimesh.Trimesh | None"
    """In the field's frame; None of images, and of fields without a surface."""
    empty: bool
    """The field has no surface."""
    accepted: bool
    """It has the surface and the body that the rules ask for."""
    body: float | None
    """Share of the volume in its largest body, before any offset; None of images."""


@dataclass(frozen=True)
class MeshedSample:
    """What became of one drawn sequence of tokens."""

    empty: bool
    """The field has no surface."""
    accepted: bool
    """It has the surface and the body that the rules ask for."""
    body: float | None
    """Share of the volume in its largest body, before any offset; None of images."""
    contents: dict[str, bytes]
    """By what follows the sample's name."""
    names: tuple[str | None, str, str]
    """What follows the sample's name in those of the mesh (or image), the field and its picture."""
    nearest: dict[str, Any] | None
    """The training field of most similar values."""
    about: dict[str, Any] | None
    """What `samples.json` says of its mesh."""

    def write(self, folder: Path, number: int, tokens: Tensor, seed: int, index: int, label: str | None) -> Sample:
        """Write the files of the sample of a number, drawn as `index` of a seed; returns its entry in the list."""
        name = f"{NAME}-{number:04d}"
        for rest, content in self.contents.items():
            files.write_atomically(folder / f"{name}{rest}", content)
        file, stored, picture = (None if rest is None else f"{name}{rest}" for rest in self.names)
        return Sample(
            file, str(stored), str(picture), tokens.tolist(), seed, index, label, self.empty, self.nearest, self.about
        )


def decode_sample(run: Run, rules: AcceptanceRules, meshing: MeshingConfig, tokens: Tensor) -> DecodedSample:
    """Decode and mesh one sample."""
    (field,) = decode_fields(run.tokenizer, tokens[None].to(run.device))
    mesh = surface_or_none(field, meshing.resolution) if field.spec.dims == 3 else None
    body = share = None if field.spec.dims == 2 else largest_share(mesh)
    if meshing.offset:
        field = field.offset(meshing.offset)
        mesh = surface_or_none(field, meshing.resolution)
        share = largest_share(mesh)
    empty = mesh is None and field.spec.dims == 3
    in_pieces = mesh is not None and share is not None and share < rules.body
    return DecodedSample(field.to(CPU), mesh, empty, not (in_pieces or (empty and rules.surface)), body)


def make_sample(run: Run, rules: AcceptanceRules, meshing: MeshingConfig, tokens: Tensor) -> MeshedSample:
    """Decode, mesh and picture one sample."""
    field, mesh, empty, accepted, body = decode_sample(run, rules, meshing, tokens)
    if not accepted:
        return MeshedSample(empty, False, body, {}, (None, "", ""), None, None)
    with tempfile.TemporaryDirectory() as folder:
        finished = None if mesh is None else finish(field, mesh, meshing, meshing.format)
        file, stored, picture = write_sample(Path(folder), NAME, field, finished, run.frame, meshing.format, up=run.up)
        contents = {path.name.removeprefix(NAME): path.read_bytes() for path in Path(folder).iterdir()}
    file = None if file is None else file.removeprefix(NAME)
    names = (file, stored.removeprefix(NAME), picture.removeprefix(NAME))
    about = None if finished is None else finished.about()
    return MeshedSample(empty, True, body, contents, names, run.nearest([field])[0], about)
