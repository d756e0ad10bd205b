"""A field set: how well the fits match, and how alike their weights are."""

import numpy as np
import torch

from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.fields.spec import FieldSpec
from nfgen.shapes.sheets import NOTICED
from nfgen.viz.charts import histogram
from nfgen.viz.html import Child, Html, details, facts, table, tag

from .artifacts import Found
from .fits import progress_of_fits
from .mesh_codec import Models
from .samples import field_tile, model_tile
from .true_shapes import TrueShapes
from .weights import heat_maps, weights_of

SHOWN = 4  # fits of each sort
COMPARED = 128  # fields whose weights are compared, each with each


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
                *likeness(fields),
            ]
        ),
        _quality(fields),
        _fits(fields, models),
        progress_of_fits(found, fields),
        _skipped(fields),
        weights_of(fields),
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


def architecture(spec: FieldSpec) -> str:
    """A spec in words."""
    hidden = " → ".join(map(str, spec.hidden))
    layers = f"{spec.features} inputs → {hidden} → 1 {spec.output}"
    activation = " → ".join(spec.activations) if isinstance(spec.activation, tuple) else spec.activation
    return f"{spec.dims}-D, {layers}, {activation}, {spec.size:,} weights"


LIKENESS = ("cosine of two fields' weights", "cosine of two fields' deltas")


def likeness(fields: FieldSet) -> list[tuple[str, str]]:
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


def values_of(fields: FieldSet, key: str) -> list[float]:
    return [float(entry[key]) for entry in fields.report if isinstance(entry.get(key), int | float)]


def _quality(fields: FieldSet) -> Child:
    ious, errors = values_of(fields, "iou"), values_of(fields, "sdf_l1")
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
    """Models of the worst and of middling fits, and of shapes that lost surface, each beside the shape's own mesh."""
    ious = values_of(fields, "iou")
    if len(ious) != len(fields) or not ious:
        return None
    order = np.argsort(ious, kind="stable").tolist()
    middle = max(SHOWN, len(order) // 2 - SHOWN // 2)
    lost = [float(entry.get("lost", 0)) for entry in fields.report]
    most_lost = [i for i in np.argsort(lost, kind="stable")[::-1][:SHOWN].tolist() if lost[i] > NOTICED]
    groups = {"worst": order[:SHOWN], "middling": order[middle : middle + SHOWN], "open": most_lost}
    true = TrueShapes(fields)
    shown: set[int] = set()
    cards = []
    for sort, chosen in groups.items():
        for i in chosen:
            if i not in shown:
                shown.add(i)
                cards.append(_fit_card(fields, i, models, true, sort, ious[i], lost[i]))
    title = "The worst fits, and middling ones" + (", and open shapes" if most_lost else "")
    return [tag("h3", title), _open_surface(lost), tag("div", cards, class_="cards dense")]


def _fit_card(
    fields: FieldSet, index: int, models: Models, true: TrueShapes, sort: str, iou: float, lost: float
) -> Html:
    name = fields.ids[index]
    label = {"worst": f"{name}, among the worst fits", "middling": f"{name}, a middling fit"}.get(sort, f"{name}, open")
    beside = true.model(index, models)
    view = field_tile(fields, index, models, label, beside=beside) or tag("div", "no surface", class_="tile empty")
    own = None
    if beside is not None:
        tile = model_tile(beside, f"the mesh of {name}", class_="small")
        own = tag("div", tile, tag("p", "its file"), class_="nearest")
    open_share = f", {lost:.0%} of its surface open and lost" if lost > NOTICED else ""
    return tag("article", view, tag("h3", name), tag("p", f"{sort}, IoU {iou:.3f}{open_share}"), own, class_="card")


def _open_surface(lost: list[float]) -> Html | None:
    count = sum(share > NOTICED for share in lost)
    if not count:
        return None
    which = "One shape" if count == 1 else f"{count:,} shapes"
    text = f"{which} lost more than {NOTICED:.0%} of the surface, which encloses nothing; IoU does not see that."
    return tag("p", text, class_="note")


def _skipped(fields: FieldSet) -> Html | None:
    if not fields.skipped:
        return None
    rows = [[str(entry.get("id", "")), str(entry.get("reason", ""))] for entry in fields.skipped]
    shown = table(["shape", "reason"], rows, "Shapes that were skipped")
    return details(f"{len(rows):,} shapes could not be used", shown)
