"""The samples: a model to turn for each, beside it the training shape that is nearest."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import trimesh

from nfgen.errors import ArtifactError, ConfigError
from nfgen.field_set import FieldSet
from nfgen.progress import progress
from nfgen.samples import image_picture, read_list
from nfgen.shapes.shape import Transform

from .artifacts import Found, file_within
from .html import Html, details, figure, number, tag
from .models import Models, load_mesh
from .pictures import jpeg_uri, picture_uri

POSTER = 256  # pixels of the picture that stands in where there is no WebGL, and in print
NEAREST_RESOLUTION = 64  # cells a side of a training field's mesh: shown small beside the sample
MOST_SAMPLES = 400  # of one artifact on a page


@dataclass
class Neighbours:
    """The training fields that samples may be nearest to, by id."""

    sets: Sequence[FieldSet]
    _places: dict[str, tuple[FieldSet, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for fields in self.sets:
            for i, id in enumerate(fields.ids):
                self._places.setdefault(id, (fields, i))

    def tile(self, id: str, models: Models) -> Html | None:
        """A small model or picture of a field; None if it is not there or has no surface."""
        if id not in self._places:
            return None
        fields, index = self._places[id]
        return field_tile(fields, index, models, f"nearest training shape, {id}", class_="small")


def field_tile(fields: FieldSet, index: int, models: Models, label: str, class_: str = "") -> Html | None:
    """A model to turn (or a picture, in 2-D) of a field of a set."""
    if fields.spec.dims == 2:
        return tag("img", src=jpeg_uri(image_picture(fields[index], 128)), alt=label, class_=f"tile {class_}")
    mesh = fields[index].mesh(NEAREST_RESOLUTION)
    name = models.add(f"field:{id(fields)}:{index}", mesh) if len(mesh.faces) else None
    return None if name is None else model_tile(name, label, class_=class_)


def model_tile(model: str, label: str, *, poster: str | None = None, class_: str = "", beside: str | None = None) -> Html:
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
    frame = _frame(config.get("frame"))
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
        tag("h2", f"Samples: {found.name}"),
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
                tag("img", src=picture_uri(sheet), alt=f"All {len(entries)} samples of {found.name}, row by row",
                    loading="lazy", class_="paper"),
                f"{found.name}, samples in the order above",
            ),
        ) if sheet.is_file() else None,
        class_="samples",
    )


def _card(
    found: Found, index: int, entry: dict[str, Any], frame: Transform | None, neighbours: Neighbours, models: Models,
    page: Path,
) -> Html:
    name = Path(str(entry["field"])).stem
    label = f"Sample {index}" + (f", {entry['class']}" if entry.get("class") else "")
    picture = file_within(found.path, entry.get("picture"))
    poster = None if picture is None else picture_uri(picture, POSTER)
    file = file_within(found.path, entry.get("file"))
    nearest, tile = entry.get("nearest"), None
    if isinstance(nearest, dict):
        tile = neighbours.tile(str(nearest.get("id")), models)
    model = None
    if file is not None and file.suffix != ".png":
        model = models.add(f"sample:{found.path.resolve()}:{name}", _placed(load_mesh(file), frame))
    if model is not None:
        view = model_tile(model, label, poster=poster, beside=_model_of(tile))
    elif poster is not None and not entry.get("empty"):
        view = tag("img", src=poster, alt=f"{label}, {name}", loading="lazy", class_="tile")
    else:
        view = tag("div", "no surface" if entry.get("empty") else "its file is missing", class_="tile empty")
    return tag(
        "article",
        view,
        tag("h3", label, _link(file, page)),
        tag("div", tile, tag("p", "nearest training shape", tag("br"), tag("b", str(nearest.get("id"))), tag("br"),
                             f"at distance {number(nearest.get('distance'))}"), class_="nearest")
        if isinstance(nearest, dict) else None,
        class_="card",
    )


def _model_of(tile: Html | None) -> str | None:
    """The model's name in a tile's markup."""
    return tile.split('data-model="')[1].split('"')[0] if tile is not None and "data-model" in tile else None


def _link(file: Path | None, page: Path) -> Html | None:
    """A link to a file that lies in the page's folder or below: they are likely to travel together."""
    if file is None:
        return None
    relative = os.path.relpath(file.resolve(), page.resolve().parent)
    if relative.startswith(".."):
        return None
    return tag("a", file.suffix[1:].upper(), href=quote(Path(relative).as_posix()), download=True,
               aria_label=f"download {file.name}")


def _frame(settings: object) -> Transform | None:
    if settings is None:
        return None
    try:
        return Transform.from_json(settings)  # type: ignore[arg-type]  # the test is that it works
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"the frame of the samples is damaged: {error!r}", "generate them again") from error


def _placed(mesh: trimesh.Trimesh, frame: Transform | None) -> trimesh.Trimesh:
    """The mesh in the field's frame, where all samples have one scale."""
    if frame is None or len(mesh.vertices) == 0:
        return mesh
    return trimesh.Trimesh(frame.apply(mesh.vertices), mesh.faces, process=False)
