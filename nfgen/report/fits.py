"""Progress of the first fits of a set: pictures, losses and weights over the steps."""

import numpy as np
from markupsafe import Markup

from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.fitting.snapshots import Snapshots
from nfgen.pipeline.sample_set import image_picture
from nfgen.viz.charts import Series, line_chart
from nfgen.viz.html import number
from nfgen.viz.render import render_mesh

from .artifacts import Found
from .data_uris import full_colour, heat_map_uri, jpeg_uri
from .markup import PixelMap, render

PICTURES = 7  # per fit, in a row
SIZE = 144  # pixels of one
RESOLUTION = 48  # cells per side; enough for small pictures
SMOOTHED = 0.1  # weight of a new loss in the running mean, as a step uses few points


def progress_of_fits(found: Found, fields: FieldSet) -> Markup | None:
    """Pictures, losses and weights over the steps; None if the fit kept no snapshots.

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
    weights, limit = _weights(snapshots, fields)
    rows = [_row(snapshots, fields, i) for i in range(count)]
    return render("fits", rows=rows, losses=_losses(snapshots, fields), weights=weights, limit=limit)


def _row(snapshots: Snapshots, fields: FieldSet, index: int) -> list[tuple[int, str, str]]:
    """Step, id and picture of a field at some of its snapshots."""
    total = len(snapshots.steps)
    shown = sorted({round(place) for place in np.linspace(0, total - 1, min(PICTURES, total))})
    return [
        (int(snapshots.steps[i]), fields.ids[index], _picture(Field(fields.spec, snapshots.weights[i, index])))
        for i in shown
    ]


def _picture(field: Field) -> str:
    two = field.spec.dims == 2
    return jpeg_uri(image_picture(field, SIZE) if two else render_mesh(field.mesh(RESOLUTION), SIZE))


def _losses(snapshots: Snapshots, fields: FieldSet) -> Markup:
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


def _weights(snapshots: Snapshots, fields: FieldSet) -> tuple[PixelMap, float]:
    """Changes of the weights of the first fit, one row per snapshot, and the magnitude of full colour."""
    moved = (snapshots.weights[:, 0] - snapshots.weights[0, 0]).numpy()
    limit = full_colour(moved[-1]) or 1.0
    steps = ", ".join(number(int(step)) for step in snapshots.steps)
    label = f"Change of each weight of {fields.ids[0]} since the start, one row after each of the steps {steps}"
    return PixelMap(heat_map_uri(moved, limit), label, 14 * len(moved)), limit
