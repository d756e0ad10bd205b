"""How fits went: the first fields of a set at some of their steps, as pictures, losses and weights."""

import numpy as np

from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.fitting.snapshots import Snapshots
from nfgen.pipeline.sample_set import image_picture
from nfgen.viz.charts import Series, line_chart
from nfgen.viz.html import Child, Html, figure, number, tag
from nfgen.viz.render import render_mesh

from .artifacts import Found
from .data_uris import heat_map_uri, jpeg_uri

PICTURES = 7  # of a fit, in a row
SIZE = 144  # pixels of one
RESOLUTION = 48  # cells a side: enough for so small a picture
SMOOTHED = 0.1  # share of a new loss in the running mean: a step sees few points
FULL_COLOUR = 0.99  # quantile of magnitudes


def progress_of_fits(found: Found, fields: FieldSet) -> Child:
    """Pictures over the steps, losses, and weights over the steps; nothing if the fit kept no snapshots.

    Raises:
        ArtifactError: if the snapshots are damaged.
        ValueError: if they are not of these fields.
    """
    snapshots = Snapshots.load(found.path)
    if snapshots is None:
        return None
    count = snapshots.weights.shape[1]
    if snapshots.weights.shape[2] != fields.spec.size or count > len(fields):
        raise ValueError("its snapshots are of other fields")
    return [
        tag("h3", "How the first fits went"),
        [_row(snapshots, fields, i) for i in range(count)],
        tag("div", _losses(snapshots, fields), _weights(snapshots, fields), class_="charts"),
    ]


def _row(snapshots: Snapshots, fields: FieldSet, index: int) -> Html:
    total = len(snapshots.steps)
    shown = sorted({round(place) for place in np.linspace(0, total - 1, min(PICTURES, total))})
    pictures = []
    for place in shown:
        step = int(snapshots.steps[place])
        field = Field(fields.spec, snapshots.weights[place, index])
        alt = f"{fields.ids[index]} after {step} steps"
        image = tag("img", src=jpeg_uri(_picture(field)), alt=alt, loading="lazy", class_="paper")
        pictures.append(figure(image, f"step {number(step)}"))
    return tag("div", pictures, class_="way fit")


def _picture(field: Field) -> np.ndarray:
    return image_picture(field, SIZE) if field.spec.dims == 2 else render_mesh(field.mesh(RESOLUTION), SIZE)


def _losses(snapshots: Snapshots, fields: FieldSet) -> Html:
    steps = [float(step) for step in range(1, len(snapshots.losses) + 1)]
    series = [
        Series(fields.ids[i], steps, _smoothed(snapshots.losses[:, i].tolist()))
        for i in range(snapshots.losses.shape[1])
    ]
    return line_chart(series, "Loss of a fit over its steps", "step", "loss")


def _smoothed(values: list[float]) -> list[float]:
    found: list[float] = []
    for value in values:
        found.append(found[-1] + SMOOTHED * (value - found[-1]) if found else value)
    return found


def _weights(snapshots: Snapshots, fields: FieldSet) -> Html:
    """What a fit changes in the weights: one row a snapshot, the first of which is where it started."""
    moved = (snapshots.weights[:, 0] - snapshots.weights[0, 0]).numpy()
    limit = float(np.quantile(np.abs(moved[-1]), FULL_COLOUR)) or 1.0
    steps = ", ".join(number(int(step)) for step in snapshots.steps)
    label = f"How far each weight of {fields.ids[0]} has moved from its start, one row after each of the steps {steps}"
    height = f"height:{14 * len(moved)}px"
    image = tag("img", src=heat_map_uri(moved, limit), alt=label, class_="pixels wide", style=height)
    return figure(image, f"{label}. Full colour at ±{limit:.3g}.")
