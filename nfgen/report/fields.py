"""A field set: quality of the fits, and similarity of their weights."""

import numpy as np
import torch
from markupsafe import Markup

from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.fields.spec import FieldSpec
from nfgen.shapes.sheets import NOTICED
from nfgen.viz.charts import histogram

from .artifacts import Found
from .fits import progress_of_fits
from .markup import render
from .mesh_codec import Models
from .samples import NO_SURFACE, field_tile, model_tile
from .true_shapes import TrueShapes
from .weights import heat_maps, weights_of

SHOWN = 4  # fits of each kind
COMPARED = 128  # fields whose weights are compared pairwise


def fields_section(found: Found, fields: FieldSet, models: Models) -> Markup:
    """Quality of the fits and pictures of the weights."""
    skipped = f", {len(fields.skipped):,} shapes skipped" if fields.skipped else ""
    return render(
        "fields",
        title=found.title("Fields"),
        figures=[
            ("fields", f"{len(fields):,}{skipped}"),
            ("architecture", architecture(fields.spec)),
            ("init", str(fields.settings.get("init", "–"))),
            ("classes", ", ".join(fields.classes) or None),
            *likeness(fields),
        ],
        charts=_quality(fields),
        fits=_fits(fields, models),
        progress=progress_of_fits(found, fields),
        skipped=[(str(entry.get("id", "")), str(entry.get("reason", ""))) for entry in fields.skipped],
        weights=weights_of(fields),
    )


def field_section(found: Found, models: Models) -> Markup:
    """A single field."""
    field = Field.load(found.path)
    mesh = field.mesh() if field.spec.dims == 3 and field.spec.output != "brightness" else None
    model = None if mesh is None else models.add(f"file:{found.path}", mesh)
    return render(
        "field",
        title=found.title("Field"),
        architecture=architecture(field.spec),
        tile=model_tile(model, found.name) if model else None,
        heat_maps=heat_maps(field.spec, field.weights.numpy(), "weights"),
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
            # Without the n products of a field with itself.
            total = float((some @ some.T).sum() - (some * some).sum())
            found.append((name, f"{total / (n * (n - 1)):.2f}"))
    return found


def values_of(fields: FieldSet, key: str) -> list[float]:
    return [float(entry[key]) for entry in fields.report if isinstance(entry.get(key), int | float)]


def _quality(fields: FieldSet) -> list[Markup]:
    """Histograms of the fits' IoU and error; none if there is no report of them."""
    ious, errors = values_of(fields, "iou"), values_of(fields, "sdf_l1")
    if not ious:
        return []
    mean = float(np.mean(ious))
    low = min(0.5, float(np.floor(min(ious) * 10)) / 10)
    title, label = f"Quality of the fits: mean IoU {mean:.3f}", "IoU with the true shape"
    charts = [histogram(ious, title, label, low=low, high=1.0, y_label="fields", marked=mean)]
    if errors:
        mean, high = float(np.mean(errors)), max(errors) * 1.02 or 1.0
        title, label = f"Error of the distance: mean {mean:.2g}", "mean absolute error, coordinate units"
        charts.append(histogram(errors, title, label, low=0.0, high=high, y_label="fields", marked=mean))
    return charts


def _fits(fields: FieldSet, models: Models) -> dict[str, object] | None:
    """Models of the worst fits, of fits around the median, and of shapes that lost surface, each with its own mesh."""
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
    for kind, chosen in groups.items():
        for i in chosen:
            if i not in shown:
                shown.add(i)
                cards.append(_fit_card(fields, i, models, true, kind, ious[i], lost[i]))
    return {"cards": cards, "open": bool(most_lost), "lost": sum(share > NOTICED for share in lost), "noticed": NOTICED}


def _fit_card(
    fields: FieldSet, index: int, models: Models, true: TrueShapes, kind: str, iou: float, lost: float
) -> dict[str, object]:
    name = fields.ids[index]
    label = {"worst": f"{name}, among the worst fits", "middling": f"{name}, a middling fit"}.get(kind, f"{name}, open")
    beside = true.model(index, models)
    return {
        "tile": field_tile(fields, index, models, label, beside=beside) or NO_SURFACE,
        "id": name,
        "kind": kind,
        "iou": iou,
        "lost": lost,
        "own": None if beside is None else model_tile(beside, f"the mesh of {name}", class_="small"),
    }
