"""Field sets: how well the fits match, how alike their weights are, and what these look like, layer by layer."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from nfgen.field import Field, unflatten
from nfgen.field_set import FieldSet
from nfgen.spec import FieldSpec

from .artifacts import Found
from .charts import histogram
from .html import Child, Html, details, facts, figure, number, table, tag
from .models import Models
from .pictures import heat_map_uri
from .samples import field_tile, model_tile

STACKED = 32  # fields in the picture of all weights
SHOWN = 4  # fits of each sort
CELL = 5  # screen pixels of one weight, where there is room
WIDEST = 320  # screen pixels of a layer's picture
COMPARED = 128  # fields whose weights are compared, each with each
FULL_COLOUR = 0.99  # quantile of magnitudes: single large weights do not fade the rest


def fields_section(found: Found, fields: FieldSet, models: Models) -> Html:
    """Quality of the fits and pictures of the weights."""
    spec = fields.spec
    return tag(
        "section",
        tag("h2", found.title("Fields")),
        facts(
            [
                (
                    "fields",
                    f"{len(fields):,}" + (f", {len(fields.skipped):,} shapes skipped" if fields.skipped else ""),
                ),
                ("architecture", architecture(spec)),
                ("init", str(fields.settings.get("init", "–"))),
                ("classes", ", ".join(fields.classes) or None),
                *_likeness(fields),
            ]
        ),
        _quality(fields),
        _fits(fields, models),
        _skipped(fields),
        _weights(fields),
        class_="fields",
    )


def field_section(found: Found, models: Models) -> Html:
    """One field of its own."""
    field = Field.load(found.path)
    mesh = field.mesh() if field.spec.dims == 3 and field.spec.output != "brightness" else None
    model = None if mesh is None else models.add(f"file:{found.path}", mesh)
    return tag(
        "section",
        tag("h2", found.title("Field")),
        facts([("architecture", architecture(field.spec))]),
        tag("div", tag("article", model_tile(model, found.name), class_="card"), class_="cards") if model else None,
        heat_maps(field.spec, field.weights.numpy(), "weights"),
        class_="fields",
    )


def comparison_section(sets: Sequence[tuple[Found, FieldSet]]) -> Html:
    """Field sets side by side, such as conditioned beside unconditioned."""
    rows: list[list[Child]] = []
    for found, fields in sets:
        likeness = dict(_likeness(fields))
        ious = _values(fields, "iou")
        rows.append(
            [
                found.name,
                str(fields.settings.get("init", "–")),
                f"{len(fields):,}",
                number(float(np.mean(ious)) if ious else None),
                *[likeness.get(key, "–") for key in LIKENESS],
            ]
        )
    head = ["field set", "init", "fields", "mean IoU", *LIKENESS]
    return tag("section", tag("h2", "Field sets side by side"), table(head, rows, "Field sets of this page"))


def architecture(spec: FieldSpec) -> str:
    """A spec in words."""
    hidden = " → ".join(map(str, spec.hidden))
    layers = f"{spec.features} inputs → {hidden} → 1 {spec.output}"
    return f"{spec.dims}-D, {layers}, {spec.activation}, {spec.size:,} weights"


LIKENESS = ("cosine of two fields' weights", "cosine of two fields' deltas")


def _likeness(fields: FieldSet) -> list[tuple[str, str]]:
    """Mean cosine between the weights of two fields, and between their deltas from the base."""
    kinds = [fields.weights] if fields.base is None else [fields.weights, fields.deltas]
    found = []
    for name, vectors in zip(LIKENESS, kinds, strict=False):
        some = torch.nn.functional.normalize(vectors[:COMPARED].float(), dim=1)
        n = len(some)
        if n > 1:
            # Of all n * n products the n of a field with itself are 1, if the field is not all zero.
            total = float((some @ some.T).sum() - (some * some).sum())
            found.append((name, f"{total / (n * (n - 1)):.2f}"))
    return found


def _values(fields: FieldSet, key: str) -> list[float]:
    return [float(entry[key]) for entry in fields.report if isinstance(entry.get(key), int | float)]


def _quality(fields: FieldSet) -> Child:
    ious, errors = _values(fields, "iou"), _values(fields, "sdf_l1")
    if not ious:
        return tag("p", "There is no report of the fits' quality.", class_="note")
    low = min(0.5, np.floor(min(ious) * 10) / 10)
    charts = [
        histogram(
            ious,
            f"Quality of the fits: mean IoU {np.mean(ious):.3f}",
            "IoU with the true shape",
            low=float(low),
            high=1.0,
            y_label="fields",
            marked=float(np.mean(ious)),
        )
    ]
    if errors:
        charts.append(
            histogram(
                errors,
                f"Error of the distance: mean {np.mean(errors):.2g}",
                "mean absolute error, coordinate units",
                low=0.0,
                high=max(errors) * 1.02 or 1.0,
                y_label="fields",
                marked=float(np.mean(errors)),
            )
        )
    return tag("div", charts, class_="charts")


def _fits(fields: FieldSet, models: Models) -> Child:
    """Models of the worst and of middling fits."""
    ious = _values(fields, "iou")
    if len(ious) != len(fields) or not ious:
        return None
    order = np.argsort(ious, kind="stable").tolist()
    middle = max(SHOWN, len(order) // 2 - SHOWN // 2)
    chosen = [("worst", i) for i in order[:SHOWN]] + [("middling", i) for i in order[middle : middle + SHOWN]]
    cards = []
    for sort, i in chosen:
        label = f"{fields.ids[i]}, a {sort} fit" if sort == "middling" else f"{fields.ids[i]}, among the worst fits"
        view = field_tile(fields, i, models, label) or tag("div", "no surface", class_="tile empty")
        about = tag("p", f"{sort}, IoU {ious[i]:.3f}")
        cards.append(tag("article", view, tag("h3", fields.ids[i]), about, class_="card"))
    return [tag("h3", "The worst fits, and middling ones"), tag("div", cards, class_="cards dense")]


def _skipped(fields: FieldSet) -> Html | None:
    if not fields.skipped:
        return None
    rows = [[str(entry.get("id", "")), str(entry.get("reason", ""))] for entry in fields.skipped]
    shown = table(["shape", "reason"], rows, "Shapes that were skipped")
    return details(f"{len(rows):,} shapes could not be used", shown)


def _weights(fields: FieldSet) -> Child:
    if len(fields) == 0:
        return None
    shown = [
        tag("h3", f"Weights of {fields.ids[0]}, layer by layer"),
        tag("p", "A row is a neuron. Warm is positive, cool negative; w are matrices, b biases.", class_="note"),
        heat_maps(fields.spec, fields.weights[0].numpy(), "weights"),
    ]
    if fields.base is not None:
        shown.append(tag("h4", "Deltas: the same minus the base"))
        shown.append(heat_maps(fields.spec, fields.deltas[0].numpy(), "deltas"))
    some = fields.deltas[:STACKED].numpy()
    what = "Deltas" if fields.base is not None else "Weights"
    label = (
        f"{what} of the first {len(some)} fields, one a row, in the order of the flat vector: "
        "upright stripes are what the fields have in common."
    )
    limit = _limit(some)
    height = f"height:{8 * len(some)}px"
    image = tag("img", src=heat_map_uri(some, limit), alt=label, class_="pixels wide", style=height)
    return [*shown, figure(image, f"{label} Full colour at ±{limit:.3g}.")]


def heat_maps(spec: FieldSpec, weights: NDArray[np.float32], what: str) -> Html:
    """A picture of each matrix and bias of a field, w_0, b_0, w_1, …"""
    maps = []
    for i, (matrix, bias) in enumerate(unflatten(spec, torch.as_tensor(weights)[None])):
        maps.append(_heat_map(matrix[0].numpy(), f"w_{i}", what))
        if bias is not None:
            maps.append(_heat_map(bias[0].numpy()[:, None], f"b_{i}", what))
    return tag("div", maps, class_="layers")


def _heat_map(values: NDArray[np.float32], name: str, what: str) -> Html:
    rows, columns = values.shape
    cell = min(CELL, WIDEST / max(rows, columns))
    width, height = max(8, round(columns * cell)), max(8, round(rows * cell))
    limit = _limit(values)
    size = f"{rows} × {columns}"
    alt = f"Heat map of the {what} {name}, {size}, up to ±{limit:.2g}"
    image = tag(
        "img", src=heat_map_uri(values, limit), alt=alt, style=f"width:{width}px;height:{height}px", class_="pixels"
    )
    return figure(image, [tag("b", name), tag("br"), size, tag("br"), f"±{limit:.2g}"])


def _limit(values: NDArray[np.float32]) -> float:
    return float(np.quantile(np.abs(values), FULL_COLOUR)) if values.size else 1.0
