"""How shapes are read, in a table with a thumbnail of each: to look at before an hour is spent on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nfgen.errors import ShapeError
from nfgen.io.files import require_writable
from nfgen.io.ownership import require_own
from nfgen.runtime.progress import progress
from nfgen.shapes.base import Shape
from nfgen.shapes.discovery import Discovery, discover
from nfgen.shapes.over_processes import Skipped, do_each
from nfgen.shapes.reading import AS_FOUND, ReadingConfig
from nfgen.shapes.shape_ref import ShapeRef
from nfgen.shapes.sheets import NOTICED
from nfgen.viz.contact_sheet import MARK, Picture, contact_sheet, save_png
from nfgen.viz.render import PAPER, render_image, render_mesh

TILE = 160  # pixels of a thumbnail's side
MOST_TILES = 400  # on the sheet; more would not be looked at
ZOOM = 0.86  # small enough that even a full-size box fits into a thumbnail
CELLS = 80  # a side of an image's thumbnail, before it is drawn
COLUMNS = ("shape", "class", "format", "extent", "up", "faces", "triangles", "bodies", "closed", "doubled", "open")


class CheckedShape(NamedTuple):
    """How one shape is read."""

    id: str
    """Path relative to the folder that all sources share."""
    label: str | None
    """Its class."""
    format: str
    """Suffix of its file, without the dot."""
    extent: tuple[float, ...] | None
    """Sides of its bounding box in the file's units, upright; None if it cannot be used."""
    up: str | None
    """Axis of the file that points up; None of images."""
    faces: int | None
    """Polygons of a mesh file, before they are cut into triangles; None for other files."""
    triangles: int | None
    """Triangles of a mesh file after reading; None for other files."""
    bodies: int | None
    """Connected parts of the surface."""
    closed: bool | None
    """Whether every edge of the surface joins two faces."""
    doubled: int | None
    """Triangles that were dropped because they duplicate others."""
    open: float
    """Share of the surface that encloses nothing, and is lost."""
    notes: tuple[str, ...]
    """What reading chose, and what looks wrong."""
    problem: str | None
    """Why it cannot be used, and what to do about it."""

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        values = self._asdict()
        values["class"] = values.pop("label")
        return values


@dataclass(frozen=True)
class CheckReport:
    """All shapes of some sources, and what was left out."""

    shapes: list[CheckedShape]
    discovery: Discovery
    sheet: Picture | None
    """Thumbnails of the shapes (400 at most, evenly chosen), with captions."""

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"shapes": [one.to_json() for one in self.shapes], "found": self.discovery.lines()}

    def lines(self) -> list[str]:
        """The table as text, then what was chosen or looks wrong, then the sum."""
        rows = [COLUMNS, *(_cells(one) for one in self.shapes if one.problem is None)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        noted: dict[str, list[str]] = {}
        for one in self.shapes:
            for note in one.notes:
                noted.setdefault(note, []).append(one.id)
        lines += [
            f"note: {note}: {ids[0]}" + f" and {len(ids) - 1} more" * (len(ids) > 1) for note, ids in noted.items()
        ]
        for one in self.shapes:
            if one.open > NOTICED:
                lines.append(f"{one.id}: {one.open:.0%} of the surface is open and was lost (--shell 0.02 makes walls)")
        lines += [f"{one.id}: {one.problem}" for one in self.shapes if one.problem is not None]
        usable = sum(one.problem is None for one in self.shapes)
        return [_printable(line) for line in (*lines, f"{usable} of {len(self.shapes)} shapes can be used")]


def check_shapes(
    sources: str | Path | Sequence[str | Path],
    *,
    reading: ReadingConfig = AS_FOUND,
    limit: int | None = None,
    workers: int | None = None,
    sheet: str | Path | None = None,
) -> CheckReport:
    """Read every shape of some sources as a fit would, and say what was found.

    Args:
        sources: files, folders, zip files or globs of meshes, voxel grids or images.
        reading: settings for what files do not say themselves.
        limit: number of shapes to look at, from the first; None = all.
        workers: processes; one for each processor if None.
        sheet: PNG file to write with a thumbnail of each shape.

    Raises:
        NfgenError: nothing was found.
        ArtifactError: the sheet cannot be written, or something else is in its place.
    """
    if sheet is not None:
        require_writable(Path(sheet).parent)
        require_own(Path(sheet), MARK, "picture")
    discovery = discover(sources, reading=reading)
    refs = discovery.refs[:limit]
    tiles_wanted = 0 if sheet is None else min(len(refs), MOST_TILES)
    shown = {i * len(refs) // tiles_wanted for i in range(tiles_wanted)}
    outcomes: dict[int, _Looked | ShapeError] = {}
    with progress(len(refs), "check", "shape") as bar:
        # First the shapes without a thumbnail, then the others by a job that also draws.
        for drawn in (False, True):
            chosen = [i for i in range(len(refs)) if (i in shown) == drawn]
            found: dict[int, _Looked | ShapeError] = {}
            do_each(_Look(drawn), [refs[i] for i in chosen], found, workers, bar)
            outcomes |= {chosen[place]: outcome for place, outcome in found.items()}
    looked = [_unusable(ref, outcome) if isinstance(outcome := outcomes[i], ShapeError) else outcome
              for i, ref in enumerate(refs)]  # fmt: skip
    picture = None
    if sheet is not None:
        pictured = [looked[i] for i in sorted(shown)]
        tiles = [_blank() if one.picture is None else one.picture for one in pictured]
        picture = contact_sheet(tiles, captions=[_caption(one.shape) for one in pictured])
        save_png(sheet, picture)
    return CheckReport([one.shape for one in looked], discovery, picture)


class _Looked(NamedTuple):
    shape: CheckedShape
    picture: Picture | None


class _Look(NamedTuple):
    """What is done with each shape, perhaps in another process."""

    drawn: bool

    def do(self, ref: ShapeRef) -> _Looked | ShapeError:
        try:
            shape = ref.load()
            return _Looked(_described(ref, shape), _thumbnail(shape) if self.drawn else None)
        except ShapeError as error:
            return error


def _described(ref: ShapeRef, shape: Shape) -> CheckedShape:
    extent: tuple[float, ...]
    bodies = closed = up = None
    if shape.dims == 3:
        mesh = shape.mesh()
        extent = tuple((mesh.extents / shape.transform.scale).tolist())
        bodies, closed, up = int(mesh.body_count), bool(mesh.is_watertight), shape.transform.up
    else:
        edge = shape.surface(2048, np.random.default_rng(0))
        extent = tuple((np.ptp(edge, axis=0) / shape.transform.scale).tolist())
    about = shape.about
    return CheckedShape(
        ref.id, ref.label, ref.file.suffix[1:] or "idx", extent, up, about.get("faces"), about.get("triangles"), bodies,
        closed, about.get("doubled"), shape.lost, shape.notes, None,
    )  # fmt: skip


def _unusable(ref: ShapeRef, error: ShapeError) -> _Looked:
    nothing = (None,) * 7
    shape = CheckedShape(
        ref.id, ref.label, ref.file.suffix[1:] or "idx", *nothing, 0.0, (), Skipped.of(ref.id, error).reason
    )
    return _Looked(shape, None)


def _thumbnail(shape: Shape) -> Picture:
    if shape.dims == 3:
        return render_mesh(shape.mesh(), TILE, zoom=ZOOM)
    axis = (np.arange(CELLS) + 0.5) * 2 / CELLS - 1
    x, y = np.meshgrid(axis, axis[::-1])
    values = shape.value(np.stack([x.ravel(), y.ravel()], axis=1))
    return render_image(values.reshape(CELLS, CELLS), TILE)


def _blank() -> Picture:
    return np.full((TILE, TILE, 3), np.round(np.array(PAPER) * 220), np.uint8)


def _caption(shape: CheckedShape) -> str:
    name = Path(shape.id).name
    if shape.problem is not None:
        return f"unusable: {name}"
    return f"{shape.open:.0%} open: {name}" if shape.open > NOTICED else name


def _cells(shape: CheckedShape) -> tuple[str, ...]:
    def number(value: int | None) -> str:
        return "–" if value is None else f"{value:,}"

    return (
        shape.id,
        shape.label or "–",
        shape.format,
        " × ".join(f"{side:.4g}" for side in shape.extent or ()),
        shape.up or "–",
        number(shape.faces),
        number(shape.triangles),
        number(shape.bodies),
        "–" if shape.closed is None else "yes" if shape.closed else "no",
        number(shape.doubled),
        "–" if shape.triangles is None else f"{shape.open:.1%}",
    )


def _printable(line: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in line)
