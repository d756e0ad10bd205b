"""The samples: a model to turn for each, beside it the training shape that is nearest."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import trimesh

from nfgen.fields.field_set import FieldSet
from nfgen.pipeline.sample_set import frame_of, image_picture, read_list, read_sample_mesh
from nfgen.runtime.progress import progress
from nfgen.shapes.base import Transform
from nfgen.viz.html import Html, details, figure, number, tag

from .artifacts import Found, file_within
from .data_uris import jpeg_uri, picture_uri
from .mesh_codec import Models

POSTER = 256  # pixels of the picture that stands in where there is no WebGL, and in print
FIELD_RESOLUTION = 64  # cells a side of a fitted field's mesh, which is shown small
MOST_SAMPLES = 400  # of one artifact on a page


class Neighbours:
    """The training fields that samples may be nearest to, by id."""

    def __init__(self, sets: Sequence[FieldSet]) -> None:
        self._places = {id: (fields, i) for fields in reversed(sets) for i, id in enumerate(fields.ids)}

    def view(self, id: str, models: Models) -> tuple[str | None, Html | None]:
        """The name of a field's model and a small tile of it; None where there is no such field or no surface."""
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
) -> Html | None:
    """A model to turn, or in 2-D a picture, of a field of a set; None if it has no surface."""
    if fields.spec.dims == 2:
        return tag("img", src=jpeg_uri(image_picture(fields[index], 128)), alt=label, class_=f"tile {class_}".strip())
    model = field_model(fields, index, models)
    return None if model is None else model_tile(model, label, class_=class_, beside=beside)


def model_tile(
    model: str, label: str, *, poster: str | None = None, class_: str = "", beside: str | None = None
) -> Html:
    """A model that the viewer draws, turns and enlarges; the poster stands in without WebGL and in print."""
    return tag(
        "button",
        tag("img", src=poster, alt="", class_="poster") if poster else None,
        tag("canvas", aria_hidden="true"),
        type="button",
        class_=f"model tile {class_}".strip(),
        data_model=model,
        data_label=label,
        data_beside=beside,
        aria_label=f"{label}: arrow keys turn it, Enter shows it large",
    )


def samples_section(found: Found, neighbours: Neighbours, models: Models, page: Path) -> Html:
    """The contact sheet and a card for each sample."""
    entries = read_list(found.path)
    config = found.config
    frame = frame_of(config)
    cards = []
    with progress(min(len(entries), MOST_SAMPLES), "show samples", "sample") as bar:
        for index, entry in enumerate(entries[:MOST_SAMPLES]):
            cards.append(_card(found, index, entry, frame, neighbours, models, page))
            bar.update()
    sheet = found.path / "contact_sheet.png"
    empty = sum(bool(entry.get("empty")) for entry in entries)
    left_out = len(entries) - len(cards)
    return tag(
        "section",
        tag("h2", found.title("Samples")),
        tag(
            "p",
            f"{len(entries)} generated {'field' if len(entries) == 1 else 'fields'}"
            + (f", {empty} without a surface" if empty else "")
            + (f"; the first {len(cards)} are shown" if left_out else "")
            + ". Drag to turn a model or focus it and press the arrow keys; Enter or a click shows it large.",
            class_="lead",
        ),
        tag("div", cards, class_="cards"),
        details(
            "Contact sheet of all samples",
            figure(
                tag(
                    "img",
                    src=picture_uri(sheet),
                    alt=f"All {len(entries)} samples of {found.name}, row by row",
                    loading="lazy",
                    class_="paper",
                ),
                f"{found.name}, samples in the order above",
            ),
        )
        if sheet.is_file()
        else None,
        class_="samples",
    )


def _card(
    found: Found,
    index: int,
    entry: dict[str, Any],
    frame: Transform | None,
    neighbours: Neighbours,
    models: Models,
    page: Path,
) -> Html:
    name = Path(str(entry["field"])).stem
    label = f"Sample {index}" + (f", {entry['class']}" if entry.get("class") else "")
    picture = file_within(found.path, entry.get("picture"))
    poster = None if picture is None else picture_uri(picture, POSTER)
    file = file_within(found.path, entry.get("file"))
    nearest, beside, tile = entry.get("nearest"), None, None
    if isinstance(nearest, dict):
        beside, tile = neighbours.view(str(nearest.get("id")), models)
    model = None
    if file is not None and file.suffix != ".png":
        mesh = read_sample_mesh(file, found.config)
        model = models.add(f"sample:{found.path.resolve()}:{name}", _placed(mesh, frame))
    if model is not None:
        view = model_tile(model, label, poster=poster, beside=beside)
    elif poster is not None and not entry.get("empty"):
        view = tag("img", src=poster, alt=f"{label}, {name}", loading="lazy", class_="tile")
    else:
        view = tag("div", "no surface" if entry.get("empty") else "its file is missing", class_="tile empty")
    return tag(
        "article",
        view,
        tag("h3", label, _link(file, page)),
        tag(
            "div",
            tile,
            tag(
                "p",
                "nearest training shape",
                tag("br"),
                tag("b", str(nearest.get("id"))),
                tag("br"),
                f"at distance {number(nearest.get('distance'))}",
            ),
            class_="nearest",
        )
        if isinstance(nearest, dict)
        else None,
        class_="card",
    )


def _link(file: Path | None, page: Path) -> Html | None:
    """A link to a file that lies in the page's folder or below: they are likely to travel together."""
    if file is None:
        return None
    relative = os.path.relpath(file.resolve(), page.resolve().parent)
    if relative.startswith(".."):
        return None
    return tag(
        "a",
        file.suffix[1:].upper(),
        href=quote(Path(relative).as_posix()),
        download=True,
        aria_label=f"download {file.name}",
    )


def _placed(mesh: trimesh.Trimesh, frame: Transform | None) -> trimesh.Trimesh:
    """The mesh in the field's frame, where all samples have one scale."""
    if frame is None or len(mesh.vertices) == 0:
        return mesh
    return trimesh.Trimesh(frame.apply(mesh.vertices), mesh.faces, process=False)
