"""What weights look like: heat maps of each layer, and of many fields at once."""

import numpy as np
import torch
from numpy.typing import NDArray

from nfgen.fields.field_set import FieldSet
from nfgen.fields.mlp import unflatten
from nfgen.fields.spec import FieldSpec
from nfgen.viz.html import Child, Html, figure, tag

from .data_uris import heat_map_uri

STACKED = 32  # fields in the picture of all weights
CELL = 5  # screen pixels of one weight, where there is room
WIDEST = 320  # screen pixels of a layer's picture
FULL_COLOUR = 0.99  # quantile of magnitudes: single large weights do not fade the rest


def weights_of(fields: FieldSet) -> Child:
    """Weights and deltas of the first field layer by layer, and those of the first fields row by row."""
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
