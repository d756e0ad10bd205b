"""From the surface of a field to the mesh that is written: smooth, of few faces, of a real size, printable if asked."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ArtifactError
from nfgen.fields.field import Field
from nfgen.fields.finishing.crumbs import without_crumbs
from nfgen.fields.finishing.normals import field_normals
from nfgen.fields.finishing.printing import NEARLY, check_printing, cut_flat, largest_body, thickened
from nfgen.fields.finishing.simplification import simplified
from nfgen.fields.finishing.smoothing import smoothed
from nfgen.fields.finishing.unwrapping import check_unwrapping, unwrapped
from nfgen.io.lengths import UNIT_OF_FORMAT, Length
from nfgen.io.meshes import WITH_NORMALS, Unwrapped, Up, check_format, write_mesh
from nfgen.runtime.words import counted
from nfgen.shapes.base import Transform

from .mesh_config import SurfaceConfig

if TYPE_CHECKING:
    import trimesh

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Size:
    """A real size: file = (field - (0, 0, base)) * scale, upright."""

    unit: str
    scale: float
    """Units of the file per unit of the field."""
    base: float
    """Lowest z in the field's frame, which stands at 0 in the file."""

    @classmethod
    def of(cls, mesh: "trimesh.Trimesh", height: Length, format: str) -> "Size":
        """The size of a mesh with faces, in the unit of a format, or that of the height where it has none."""
        low, high = mesh.bounds[:, 2]
        unit = UNIT_OF_FORMAT.get(format, height.unit)
        return cls(unit, height.in_unit(unit) / float(high - low), float(low))

    def apply(self, points: Floats) -> Floats:
        """Take points [n, 3] of the field's frame into the file's."""
        return (points - [0, 0, self.base]) * self.scale

    def invert(self, points: Floats) -> Floats:
        """Take points [n, 3] of the file back into the field's frame."""
        return points / self.scale + [0, 0, self.base]

    def to_json(self) -> dict[str, Any]:
        """Give a dict that `size_of` reads."""
        return {"unit": self.unit, "scale": self.scale, "base": self.base}


@dataclass(frozen=True)
class FinishedMesh:
    """A mesh and what is written beside its vertices and faces."""

    mesh: "trimesh.Trimesh"
    """In the field's frame."""
    normals: Floats | None = None
    unwrapped: Unwrapped | None = None
    size: Size | None = None
    compact: bool = False
    changes: tuple[str, ...] = ()
    """What was changed, or could not be, one phrase each."""

    def placed(self, frame: Transform | None) -> "trimesh.Trimesh":
        """The mesh in the frame of the file: by its size, else that of the shapes' files, if it is known."""
        mesh = self.mesh.copy()
        if self.size is not None:
            mesh.vertices = self.size.apply(mesh.vertices)
        elif frame is not None:
            mesh.vertices = frame.invert(mesh.vertices)
        return mesh

    def write(self, path: Path, frame: Transform | None, up: Up) -> None:
        """Write the file, in the format of its suffix; `up` is the axis that points up in it, in GLB it is always y."""
        write_mesh(
            self.placed(frame), path, up=up, normals=self.normals, unwrapped=self.unwrapped, compact=self.compact
        )

    def about(self) -> dict[str, Any]:
        """What `samples.json` says of it."""
        size = None if self.size is None else self.size.to_json()
        return {"faces": len(self.mesh.faces), "size": size, "changes": list(self.changes)}


def size_of(entry: dict[str, Any]) -> Size | None:
    """The size of a sample's mesh, of its entry in `samples.json`; None if it is in the frame of the shapes.

    Raises:
        ArtifactError: it is damaged.
    """
    stored = (entry.get("mesh") or {}).get("size")
    if stored is None:
        return None
    try:
        size = Size(str(stored["unit"]), float(stored["scale"]), float(stored["base"]))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ArtifactError(f"the size of a sample is damaged: {stored!r}"[:200], "generate it again") from error
    if not np.isfinite([size.scale, size.base]).all() or size.scale <= 0:
        raise ArtifactError(f"the size of a sample is damaged: {stored!r}"[:200], "generate it again")
    return size


def check_finish(config: SurfaceConfig, format: str) -> None:
    """Refuse what cannot be done before any work is.

    Raises:
        ConfigError: the format is unknown or does not hold what is asked for, or a package is missing.
    """
    check_format(format)
    if config.uv:
        check_unwrapping(format)
    if config.printable:
        check_printing()


def finish(field: Field, mesh: "trimesh.Trimesh", config: SurfaceConfig, format: str) -> FinishedMesh:
    """Turn the surface of a field into the mesh that is written.

    Args:
        field: after the offset of the settings.
        mesh: its surface at their resolution, with faces.
    """
    changes: list[str] = []
    if config.crumbs:
        mesh, dropped, share = without_crumbs(mesh, config.crumbs)
        changes += [f"{counted(dropped, 'crumb')} left out, {share:.2%} of the volume"] if dropped else []
    if config.printable:
        field, mesh = _solid(field, mesh, config, changes)
    if config.smooth:
        mesh, wrong = smoothed(mesh, config.smooth)
        changes += [f"not smoothed: {wrong}"] if wrong else []
    if config.printable:
        mesh, share, stands = cut_flat(mesh)
        changes.append(
            f"{share:.0%} of the height cut off for a flat base" if share else "no flat base: it is no solid"
        )
        changes += [] if stands else ["it may tip over: its centre of mass is not well above its base"]
    if config.simplify is not None:
        mesh, wrong = simplified(mesh, config.simplify)
        changes += [f"{len(mesh.faces):,} faces: {wrong}"] if wrong else []
    height = config.length
    return FinishedMesh(
        mesh,
        field_normals(field, mesh) if format in WITH_NORMALS else None,
        unwrapped(mesh) if config.uv else None,
        None if height is None else Size.of(mesh, height, format),
        config.compact,
        tuple(changes),
    )


def _solid(
    field: Field, mesh: "trimesh.Trimesh", config: SurfaceConfig, changes: list[str]
) -> "tuple[Field, trimesh.Trimesh]":
    """The largest body, with walls as thick as the settings say; what was done is added to the changes."""
    height = config.length
    assert height is not None, "the settings are checked"
    thick = thickened(field, mesh, config.wall_share, config.resolution)
    before, after = (f"{share * height.millimetres:.2g} mm" for share in (thick.before, thick.after))
    if thick.offset:
        by = "" if after == before else f", the thinnest from {before} to {after}"
        changes.append(f"walls thickened{by}")
    if thick.after < NEARLY * config.wall_share:
        why = "" if thick.offset else ": the field is of no distances"
        changes.append(f"the thinnest walls are still {after}{why}")
    body, dropped, share = largest_body(thick.mesh)
    if dropped:
        changes.append(f"{dropped} smaller pieces or cavities dropped, {1 - share:.1%} of the volume")
    return thick.field, body
