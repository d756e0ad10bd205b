"""Field sets side by side, such as fits that all started from one field (conditioned) and fits that did not."""

from collections.abc import Sequence

import numpy as np

from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.viz.html import Child, Html, number, table, tag

from .artifacts import Found
from .fields import LIKENESS, likeness, values_of
from .mesh_codec import Models
from .samples import FIELD_RESOLUTION, field_tile, model_tile
from .weights import heat_maps

Set = tuple[Found, FieldSet]
SHOWN_SETS = 4  # with pictures; the table has all


def comparison_section(sets: Sequence[Set], models: Models) -> Html:
    """Figures of each set, and of each the weights of two shapes with the field halfway between them."""
    head = ["field set", "init", "fields", "mean IoU", *LIKENESS]
    return tag(
        "section",
        tag("h2", "Field sets side by side"),
        table(head, [_figures(*one) for one in sets], "Field sets of this page"),
        tag(
            "p",
            "Two shapes of each set. Fits that start from one field (conditioned) have weights that look alike, and "
            "halfway between two of them lies a shape again; those that start at random (unconditioned) have neither: "
            "what a model of weights has to learn is then mostly the order of neurons.",
            class_="note",
        ),
        [_pictures(*one, _pair(sets, one[1]), models) for one in sets[:SHOWN_SETS] if len(one[1]) > 1],
        class_="fields",
    )


def _figures(found: Found, fields: FieldSet) -> list[Child]:
    alike, ious = dict(likeness(fields)), values_of(fields, "iou")
    return [
        found.name,
        str(fields.settings.get("init", "–")),
        f"{len(fields):,}",
        number(float(np.mean(ious)) if ious else None),
        *[alike.get(key, "–") for key in LIKENESS],
    ]


def _pair(sets: Sequence[Set], fields: FieldSet) -> tuple[int, int]:
    """Two fields of a set: those of the first shapes that all sets have, or the first two."""
    shared = [id for id in fields.ids if all(id in other.ids for _, other in sets)]
    first, second = shared[:2] if len(shared) > 1 else fields.ids[:2]
    return fields.ids.index(first), fields.ids.index(second)


def _pictures(found: Found, fields: FieldSet, pair: tuple[int, int], models: Models) -> Html:
    first, second = pair
    ends = [(f"{found.name}: {fields.ids[i]}", field_tile(fields, i, models, f"{found.name}: {fields.ids[i]}"))
            for i in pair]  # fmt: skip
    middle = Field(fields.spec, (fields.weights[first] + fields.weights[second]) / 2)
    shown = [ends[0], (f"{found.name}: halfway between their weights", _halfway(found, middle, models)), ends[1]]
    cards = [
        tag("article", view or tag("div", "no surface", class_="tile empty"), tag("h3", label), class_="card")
        for label, view in shown
        if fields.spec.dims == 3
    ]
    return tag(
        "div",
        tag("h3", f"{found.name}, init {fields.settings.get('init', 'unknown')}"),
        tag("div", cards, class_="cards dense") if cards else None,
        [
            [tag("h4", f"Weights of {fields.ids[i]}"), heat_maps(fields.spec, fields.weights[i].numpy(), "weights")]
            for i in pair
        ],
    )


def _halfway(found: Found, field: Field, models: Models) -> Html | None:
    if field.spec.dims != 3:
        return None
    model = models.add(f"halfway:{found.path.resolve()}", field.mesh(FIELD_RESOLUTION))
    return None if model is None else model_tile(model, f"{found.name}: halfway between two fields")
