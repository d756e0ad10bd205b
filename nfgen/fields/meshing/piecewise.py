"""A field by regions of space, in each of which a local field is much smaller."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nfgen.fields.mlp import evaluate_features, fourier_features
from nfgen.fields.spec import FieldSpec

from .bounds import Bounds, bound_field
from .grid_index import all_places, cubes, raster
from .pruning import restrict

REGIONS = 8  # along an axis, at most
BOXES_IN_ROW, POINTS_IN_ROW = 64, 256  # handled together with one copy of a region's weights
BOXES_AT_ONCE, POINTS_AT_ONCE = 2048, 4096  # few enough for the processor's cache


class RegionalField:
    """Values and bounds of a field, from its restriction to each region where that pays, else from itself.

    Args:
        spec: of the whole field.
        weights: of the whole field.
        centres: of the regions, boxes that together cover all that is asked.
        radius: their half-widths.
    """

    def __init__(
        self,
        spec: FieldSpec,
        weights: Float[Tensor, "weights"],
        centres: Float[Tensor, "regions dims"],
        radius: Float[Tensor, "dims"],
    ) -> None:
        self.spec, self.weights = restrict(spec, weights, centres, radius) or (spec, weights[None])

    def bounds(
        self, centres: Float[Tensor, "boxes dims"], radius: Float[Tensor, "dims"], regions: Int[Tensor, "boxes"]
    ) -> Bounds:
        """Bounds of the field's values in boxes that each lie in one region."""
        count, dims = centres.shape
        bounds = Bounds(torch.empty(count), torch.empty(count, dims), torch.empty(count))
        for weights, items in self._rows(regions, BOXES_IN_ROW, BOXES_AT_ONCE):
            for whole, part in zip(bounds, bound_field(self.spec, weights, centres[items], radius), strict=True):
                whole[items] = part
        return bounds

    def values(self, features: Callable[[Tensor], Tensor], regions: Int[Tensor, "points"]) -> Float[Tensor, "points"]:
        """The field at points, each in its region, from a function that gives the features of points by their index."""
        values = torch.empty(len(regions))
        for weights, items in self._rows(regions, POINTS_IN_ROW, POINTS_AT_ONCE):
            values[items] = evaluate_features(self.spec, weights, features(items))
        return values

    def _rows(
        self, regions: Tensor, row: int, at_once: int
    ) -> list[tuple[Float[Tensor, "rows weights"], Int[Tensor, "rows row"]]]:
        """Weights, and for each the indices of items in its region; the last item is repeated to fill its row."""
        if len(self.weights) == 1:
            return [(self.weights, items[None]) for items in torch.arange(len(regions)).split(at_once)]
        order = regions.argsort(stable=True)
        counts = torch.bincount(regions, minlength=len(self.weights))
        rows = (counts + row - 1) // row
        of_row = torch.arange(len(counts)).repeat_interleave(rows)
        number = torch.arange(len(of_row)) - (rows.cumsum(0) - rows)[of_row]
        place = torch.minimum(number[:, None] * row + torch.arange(row), counts[of_row, None] - 1)
        items = order[(counts.cumsum(0) - counts)[of_row, None] + place]
        size = at_once // row
        return [(self.weights[some], part) for some, part in zip(of_row.split(size), items.split(size), strict=True)]


class RegionalGrid:
    """A `RegionalField` by the places of a grid: its regions are cubes of blocks.

    Args:
        spec: of the field.
        weights: of the field.
        resolution: cells along each axis.
        size: cells along the largest blocks that will be asked for; no block crosses a region's border.
    """

    def __init__(self, spec: FieldSpec, weights: Float[Tensor, "weights"], resolution: int, size: int) -> None:
        self.spec, self.resolution = spec, resolution
        self.region_size = size * math.ceil(math.ceil(resolution / size) / REGIONS)
        self.along = math.ceil(resolution / self.region_size)
        self.field = RegionalField(spec, weights, *cubes(all_places(self.along), self.region_size * 2 / resolution))

    def bounds(self, blocks: Int[Tensor, "boxes 3"], size: int) -> Bounds:
        """Bounds of the field's values in blocks of `size` cells a side, by their places among such blocks."""
        regions = torch.div(blocks * size, self.region_size, rounding_mode="floor")
        return self.field.bounds(*cubes(blocks, size * 2 / self.resolution), raster(regions, self.along))

    def values(self, corners: Int[Tensor, "points 3"]) -> Float[Tensor, "points"]:
        """The field at corners of cells, by their places."""
        regions = raster((corners // self.region_size).clamp_(max=self.along - 1), self.along)
        # A feature depends on one coordinate, so that those of the grid's lines are all there are.
        of_line = fourier_features(self.spec, torch.linspace(-1, 1, self.resolution + 1)[:, None])
        return self.field.values(lambda items: of_line[corners[items]].mT.flatten(-2), regions)
