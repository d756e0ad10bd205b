"""Field sets side by side, such as fits that all started from one field (conditioned) and fits that did not."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.viz.html import number

from .artifacts import Found
from .fields import LIKENESS, likeness, values_of
from .markup import render
from .mesh_codec import Models
from .samples import FIELD_RESOLUTION, NO_SURFACE, field_tile, model_tile
from .weights import heat_maps

Set = tuple[Found, FieldSet]
SHOWN_SETS = 4  # with pictures; the table holds all


def comparison_section(sets: Sequence[Set], models: Models) -> Markup:
    """Figures of each set, and the weights of two shapes of each, with the field halfway between them."""
    return render(
        "comparison",
        head=["field set", "init", "fields", "mean IoU", *LIKENESS],
        rows=[_figures(*one) for one in sets],
        sets=[_pictures(*one, _pair(sets, one[1]), models) for one in sets[:SHOWN_SETS] if len(one[1]) > 1],
    )


def _figures(found: Found, fields: FieldSet) -> list[str]:
    alike, ious = dict(likeness(fields)), values_of(fields, "iou")
    return [
        found.name,
        str(fields.settings.get("init", "–")),
        f"{len(fields):,}",
        number(float(np.mean(ious)) if ious else None),
        *[alike.get(key, "–") for key in LIKENESS],
    ]


def _pair(sets: Sequence[Set], fields: FieldSet) -> tuple[int, int]:
    """Two fields of a set: of the first shapes that are in all sets, or the first two."""
    shared = [id for id in fields.ids if all(id in other.ids for _, other in sets)]
    first, second = shared[:2] if len(shared) > 1 else fields.ids[:2]
    return fields.ids.index(first), fields.ids.index(second)


def _pictures(found: Found, fields: FieldSet, pair: tuple[int, int], models: Models) -> dict[str, object]:
    ends = []
    for i in pair:
        label = f"{found.name}: {fields.ids[i]}"
        ends.append((label, field_tile(fields, i, models, label) or NO_SURFACE))
    middle = Field(fields.spec, fields.weights[list(pair)].sum(0) / 2)
    halfway = (f"{found.name}: halfway between their weights", _halfway(found, middle, models) or NO_SURFACE)
    return {
        "name": found.name,
        "init": fields.settings.get("init", "unknown"),
        "cards": [ends[0], halfway, ends[1]] if fields.spec.dims == 3 else [],
        "weights": [(fields.ids[i], heat_maps(fields.spec, fields.weights[i].numpy(), "weights")) for i in pair],
    }


def _halfway(found: Found, field: Field, models: Models) -> Markup | None:
    if field.spec.dims != 3:
        return None
    model = models.add(f"halfway:{found.path.resolve()}", field.mesh(FIELD_RESOLUTION))
    return None if model is None else model_tile(model, f"{found.name}: halfway between two fields")
