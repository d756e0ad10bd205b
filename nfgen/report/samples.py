"""The samples: a model of each, and its nearest training shape."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import trimesh
from markupsafe import Markup

from nfgen.fields.field_set import FieldSet
from nfgen.pipeline.sample_set import frame_of, image_picture, read_list, read_sample_meshes
from nfgen.runtime.progress import progress
from nfgen.shapes.base import Transform

from .artifacts import Found, file_within
from .data_uris import jpeg_uri, picture_uri
from .markup import render
from .mesh_codec import Models

POSTER = 256  # pixels of the picture shown without WebGL and in print
FIELD_RESOLUTION = 64  # cells per side of the mesh of a fitted field, which is shown small
MOST_SAMPLES = 400  # of one artifact on a page
NO_SURFACE = Markup('<div class="tile empty">no surface</div>')


class Neighbours:
    """The training fields, by id, that may be the nearest ones of samples."""

    def __init__(self, sets: Sequence[FieldSet]) -> None:
        self._places = {id: (fields, i) for fields in reversed(sets) for i, id in enumerate(fields.ids)}

    def view(self, id: str, models: Models) -> tuple[str | None, Markup | None]:
        """The name of a field's model, and a small tile of it; None if there is no such field or it has no surface."""
        if id not in self._places:
            return None, None
        fields, index = self._places[id]
        label = f"nearest training shape, {id}"
        return field_model(fields, index, models), field_tile(fields, index, models, label, class_="small")


def field_model(fields: FieldSet, index: int, models: Models) -> str | None:
    """The name of the model of a field of a set; None if it has no surface, or is 2-D."""
    key = f"field:{id(fields)}:{index}"
    if fields.spec.dims == 2:
        return None
    return models.known(key) or models.add(key, fields[index].mesh(FIELD_RESOLUTION))


def field_tile(
    fields: FieldSet, index: int, models: Models, label: str, class_: str = "", beside: str | None = None
) -> Markup | None:
    """A model, or in 2-D a picture, of a field of a set; None if it has no surface."""
    if fields.spec.dims == 2:
        source, class_ = jpeg_uri(image_picture(fields[index], 128)), f"tile {class_}".strip()
        return Markup('<img src="{}" alt="{}" class="{}">').format(source, label, class_)
    model = field_model(fields, index, models)
    return None if model is None else model_tile(model, label, class_=class_, beside=beside)


def model_tile(
    model: str, label: str, *, poster: str | None = None, class_: str = "", beside: str | None = None
) -> Markup:
    """A model that the viewer draws, turns and enlarges; the poster replaces it without WebGL and in print."""
    return render("tile", model=model, label=label, poster=poster, beside=beside, **{"class": class_})


def samples_section(found: Found, neighbours: Neighbours, models: Models, page: Path) -> Markup:
    """A card for each sample, and the contact sheet."""
    entries = read_list(found.path)
    frame = frame_of(found.config)
    cards = []
    shown = [file_within(found.path, entry.get("file")) for entry in entries[:MOST_SAMPLES]]
    files = [None if file is None or file.suffix == ".png" else file for file in shown]
    meshes = read_sample_meshes(files, entries[:MOST_SAMPLES], found.config)
    with progress(min(len(entries), MOST_SAMPLES), "show samples", "sample") as bar:
        for index, (entry, mesh) in enumerate(zip(entries, meshes, strict=False)):
            cards.append(_card(found, index, entry, mesh, frame, neighbours, models, page))
            bar.update()
    sheet = found.path / "contact_sheet.png"
    return render(
        "samples",
        title=found.title("Samples"),
        name=found.name,
        count=len(entries),
        empty=sum(bool(entry.get("empty")) for entry in entries),
        cards=cards,
        sheet=picture_uri(sheet) if sheet.is_file() else None,
    )


def _card(
    found: Found,
    index: int,
    entry: dict[str, Any],
    mesh: trimesh.Trimesh | None,
    frame: Transform | None,
    neighbours: Neighbours,
    models: Models,
    page: Path,
) -> dict[str, object]:
    name = Path(str(entry["field"])).stem
    label = f"Sample {index}" + (f", {entry['class']}" if entry.get("class") else "")
    picture = file_within(found.path, entry.get("picture"))
    poster = None if picture is None else picture_uri(picture, POSTER)
    file = file_within(found.path, entry.get("file"))
    nearest, beside, nearest_tile = entry.get("nearest"), None, None
    if isinstance(nearest, dict):
        beside, nearest_tile = neighbours.view(str(nearest.get("id")), models)
    model = None
    if mesh is not None:
        model = models.add(f"sample:{found.path.resolve()}:{name}", _placed(mesh, frame))
    return {
        "name": name,
        "label": label,
        "poster": poster,
        "empty": entry.get("empty"),
        "tile": None if model is None else model_tile(model, label, poster=poster, beside=beside),
        "file": file,
        "link": None if file is None else _link(file, page),
        "nearest": nearest,
        "nearest_tile": nearest_tile,
    }


def _link(file: Path, page: Path) -> str | None:
    """The address of a file in the page's folder or below, as these are likely to be copied together; else None."""
    relative = os.path.relpath(file.resolve(), page.resolve().parent)
    return None if relative.startswith("..") else quote(Path(relative).as_posix())


def _placed(mesh: trimesh.Trimesh, frame: Transform | None) -> trimesh.Trimesh:
    """The mesh in the frame of the fields, in which all samples have the same scale."""
    if frame is None or len(mesh.vertices) == 0:
        return mesh
    return trimesh.Trimesh(frame.apply(mesh.vertices), mesh.faces, process=False)
