"""What the VQ tokenizer learns from: a pool of warped fields.

Fields are only ever evaluated: at the probes for the encoder, at fresh points for the loss. So the original meshes are
not needed, and a warp of the coordinates is as good as a new shape.
"""

from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from nfgen.fields.field_set import FieldSet
from nfgen.runtime.progress import progress

from .bounding_box import Box
from .config import VQConfig
from .gradients import simplices
from .networks import centres
from .probes import on_grid, probe, sight
from .warps import Warp

WARPED_AT_ONCE = 32
POOL_COPIES, POOL_LIMIT = 8, 2048  # warped fields kept: 8 of each; 2,048 of 8,000 probes are 33 MB in half precision
POOL_REFRESHED = 4  # of them made anew each step: a tenth of the step's time, and none is ever seen often
CUT_WITHIN = 0.3  # of the middle, of two shapes that are put together: then there is something on either side
NEAR_SHARE, BOX_SHARE = 0.85, 0.1  # of the points of the loss near the surface, anywhere in the box; others anywhere
SIMPLEX_SHARE = 0.5  # of all points are the corners of simplices, where distances have gradients to be learned
NEAR_SIGNAL = 0.4  # |signal| of a probe that counts as near the surface: within 0.42 truncations
FAR_WEIGHT = 1e-4  # so that a field without a surface can be drawn from, too
# At the end of a training shapes had better be as they will be met: warps become milder, fewer shapes are cut.
SETTLES, SETTLED = 0.7, 0.4  # from this share of the training on; to this share of the warps' strength, and no cuts


class Batch(NamedTuple):
    """What one step learns from."""

    read: Float[Tensor, "batch read"]
    """What the encoder reads of each field."""
    box: Box
    points: Float[Tensor, "batch points dims"]
    """The first of them are the corners of simplices, see `gradients`."""
    corners: int
    targets: Float[Tensor, "batch points"]


class WarpedFields:
    """A pool of warped fields with their probe values, a few of which are replaced each step.

    Some are put together from two, one on either side of a plane: where the seat of a chair may go on as the back of
    any other, what is in a cell has to be learned by itself. Row i is cut by plane i; row `size` + i of `index` and
    `warps` is what lies beyond.

    Args:
        fields: what is warped.
        counts: of probes along each axis.
        config: how, and how many at a time.
        generator: of all that is random.
    """

    def __init__(self, fields: FieldSet, counts: tuple[int, ...], config: VQConfig, generator: torch.Generator) -> None:
        self.fields, self.counts, self.config, self.generator = fields, counts, config, generator
        self.probes = centres(counts)
        self.augment, self.cut = config.augment, config.cut
        self.size = size = max(config.batch_size, min(POOL_COPIES * len(fields), POOL_LIMIT))
        dims = fields.spec.dims
        self.index = torch.cat([torch.arange(size) % len(fields), self._random(len(fields), size)])
        self.warps = self._random_warps(2 * size)
        self.planes = self._random_planes(size)
        self.values = torch.empty(size, len(self.probes), dtype=torch.float16)
        self.boxes = Box(torch.empty(size, dims), torch.empty(size, dims))

    def fill(self) -> None:
        """Evaluate all of the first warps."""
        with progress(self.size, "warp", "fields") as bar:
            for start in range(0, self.size, WARPED_AT_ONCE):
                rows = torch.arange(start, min(start + WARPED_AT_ONCE, self.size))
                self._evaluate(rows)
                bar.update(len(rows))

    def tensors(self) -> dict[str, Tensor]:
        """All that changes, for a check point."""
        own = {"index": self.index, "planes": self.planes, "values": self.values}
        return own | vars(self.boxes) | vars(self.warps)

    def refresh(self, done: float = 0.0) -> None:
        """Replace a few by new warps of fields drawn at random; `done` is the share of the training that is over."""
        unsettled = min(1.0, (1 - done) / (1 - SETTLES))
        self.augment = self.config.augment * (SETTLED + (1 - SETTLED) * unsettled)
        self.cut = self.config.cut * unsettled
        rows = self._random(self.size, POOL_REFRESHED)
        both = torch.cat([rows, self.size + rows])
        self.index[both] = self._random(len(self.fields), 2 * POOL_REFRESHED)
        self.warps[both] = self._random_warps(2 * POOL_REFRESHED)
        self.planes[rows] = self._random_planes(POOL_REFRESHED)
        self._evaluate(rows)

    def draw(self) -> Batch:
        """What the encoder reads, boxes, points, and the fields' outputs there."""
        rows = self._random(self.size, self.config.batch_size)
        values, box = self.values[rows].float(), self.boxes[rows]
        points, corners = self._points(values, box)
        return Batch(self.read(rows), box, points, corners, self.see(rows, points))

    def read(self, rows: Int[Tensor, "chosen"]) -> Float[Tensor, "chosen read"]:
        """What the encoder reads of some of the pool: their signals at the probes."""
        return self.values[rows].float()

    def _points(
        self, values: Float[Tensor, "batch probes"], box: Box
    ) -> tuple[Float[Tensor, "batch points dims"], int]:
        """Where the loss is taken, and how many of these are the corners of simplices."""
        count, dims = self.config.points, self.probes.shape[1]
        places = int(count * SIMPLEX_SHARE / (dims + 1)) if self.config.learns_gradients(self.fields.spec) else 0
        corners = places * (dims + 1)
        inner, anywhere = int(count * BOX_SHARE), int(count * (1 - NEAR_SHARE - BOX_SHARE))
        near = count - corners - inner - anywhere + places
        likelihood = (values.abs() < NEAR_SIGNAL) + FAR_WEIGHT
        chosen = self.probes[torch.multinomial(likelihood, near, replacement=True, generator=self.generator)]
        spacing = 1 - self.probes.amax(0)  # half a spacing lies between the last probe and the side of the box
        chosen = chosen + 2 * spacing * self._uniform(*chosen.shape)
        placed = box.place(torch.cat([chosen, self._uniform(len(values), inner, dims)], dim=1))
        around = simplices(placed[:, :places])
        return torch.cat([around, placed[:, places:], self._uniform(len(values), anywhere, dims)], dim=1), corners

    def _evaluate(self, rows: Int[Tensor, "chosen"]) -> None:
        spec, truncation = self.fields.spec, self.config.truncation
        values, self.boxes[rows] = probe(spec, on_grid(partial(self.see, rows)), self.counts, truncation)
        self.values[rows] = values.half()

    def see(self, rows: Int[Tensor, "chosen"], points: Tensor) -> Float[Tensor, "chosen points"]:
        """What some of the pool are worth, each on its side of its plane."""

        def one_side(parts: Tensor, at: Tensor) -> Tensor:
            see = sight(self.fields.spec, self.fields.weights[self.index[parts]], self.warps[parts])
            return see(at).clone()  # what inference mode gave can neither be written to nor learned from

        values = one_side(rows, points)
        planes = self.planes[rows]
        cut = torch.isfinite(planes[:, -1])
        if cut.any():
            points = points.expand(len(rows), -1, -1)[cut]
            beyond = torch.einsum("npd,nd->np", points, planes[cut, :-1]) > planes[cut, -1:]
            values[cut] = torch.where(beyond, one_side(self.size + rows[cut], points), values[cut])
        return values

    def _random(self, limit: int, count: int) -> Int[Tensor, "count"]:
        return torch.randint(limit, (count,), generator=self.generator)

    def _uniform(self, *shape: int) -> Float[Tensor, "*shape"]:
        return torch.rand(shape, generator=self.generator) * 2 - 1

    def _random_warps(self, count: int) -> Warp:
        dims = self.fields.spec.dims
        return Warp.random(count, dims, self.generator, strength=self.augment, mirror=self.config.mirrors(dims))

    def _random_planes(self, count: int) -> Float[Tensor, "count numbers"]:
        """Normals and offsets of planes across an axis, in a share of the rows; no plane where the offset is infinite.

        The mirrored axis is left out: shapes that are symmetric stay so.
        """
        dims = self.fields.spec.dims
        first = int(self.config.mirrors(dims))
        normal = functional.one_hot(first + self._random(dims - first, count), dims).float()
        towards = torch.where(self._uniform(count, 1) < 0, -1.0, 1.0)
        whole = torch.rand(count, 1, generator=self.generator) >= self.cut
        offset = (CUT_WITHIN * self._uniform(count, 1)).masked_fill(whole, torch.inf)
        return torch.cat([towards * normal, offset], dim=1)
