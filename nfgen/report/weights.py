"""Pictures of weights: heat maps of each layer, and of many fields at once."""

import numpy as np
import torch
from markupsafe import Markup
from numpy.typing import NDArray

from nfgen.fields.field_set import FieldSet
from nfgen.fields.mlp import unflatten
from nfgen.fields.spec import FieldSpec

from .data_uris import full_colour, heat_map_uri
from .markup import PixelMap, render

STACKED = 32  # fields in the picture of all weights
CELL = 5  # screen pixels of one weight, if there is room
WIDEST = 320  # screen pixels of a layer's picture


def weights_of(fields: FieldSet) -> Markup | None:
    """Weights and deltas of the first field layer by layer, and those of the first fields row by row."""
    if len(fields) == 0:
        return None
    some = fields.deltas[:STACKED].numpy()
    what = "Deltas" if fields.base is not None else "Weights"
    label = (
        f"{what} of the first {len(some)} fields, one per row, in the order of the flat vector: "
        "vertical stripes are common to the fields."
    )
    limit = full_colour(some)
    return render(
        "weights",
        id=fields.ids[0],
        weights=heat_maps(fields.spec, fields.weights[0].numpy(), "weights"),
        deltas=None if fields.base is None else heat_maps(fields.spec, fields.deltas[0].numpy(), "deltas"),
        stacked=PixelMap(heat_map_uri(some, limit), label, 8 * len(some)),
        limit=limit,
    )


def heat_maps(spec: FieldSpec, weights: NDArray[np.float32], what: str) -> Markup:
    """A picture of each matrix and bias of a field, w_0, b_0, w_1, …"""
    maps = []
    for i, (matrix, bias) in enumerate(unflatten(spec, torch.as_tensor(weights)[None])):
        maps.append(_heat_map(matrix[0].numpy(), f"w_{i}"))
        if bias is not None:
            maps.append(_heat_map(bias[0].numpy()[:, None], f"b_{i}"))
    return render("heat_maps", maps=maps, what=what)


def _heat_map(values: NDArray[np.float32], name: str) -> dict[str, object]:
    rows, columns = values.shape
    cell = min(CELL, WIDEST / max(rows, columns))
    width, height = max(8, round(columns * cell)), max(8, round(rows * cell))
    limit = full_colour(values)
    shown = {"src": heat_map_uri(values, limit), "name": name, "limit": limit}
    return {**shown, "rows": rows, "columns": columns, "width": width, "height": height}
