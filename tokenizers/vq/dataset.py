"""Training data of the VQ tokenizer: a pool of warped fields.

Fields are only evaluated: at the probes for the encoder, at random points for the loss. So the original meshes are not
needed, and a field on warped coordinates is a new shape. Random solids, known by their distances, may be among them.
"""

from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from nfgen.fields.field_set import FieldSet
from nfgen.runtime.device import CPU, finest, upload
from nfgen.runtime.progress import progress

from .bounding_box import Box
from .config import VQConfig
from .gradients import simplices
from .networks import centres as cell_centres
from .probes import on_grid, probe
from .training_shapes import TrainingShapes
from .warps import Warp

WARPED_AT_ONCE = 32
POOL_COPIES, POOL_LIMIT = 8, 2048  # warped fields kept: 8 of each; 2,048 of 8,000 probes are 33 MB in half precision
POOL_REFRESHED = 4  # of them are replaced each step: a tenth of the step's time, and each is used a few times only
PLANE_WITHIN = 0.3  # of the middle lie planes between two shapes, so that both have a part on their side
NEAR_SHARE, BOX_SHARE = 0.85, 0.1  # of the loss's points: near the surface, in the box; the rest in [-1, 1]^d
SIMPLEX_SHARE = 0.5  # of the points are corners of simplices, if the loss compares gradients
NEAR_VALUE = 0.4  # truncated value of a probe near the surface: within 0.42 truncations
FAR_WEIGHT = 1e-4  # likelihood of probes far from it, so that fields without a surface can be sampled
# At the end of a training, data should be like real shapes: warps become weaker, composed shapes rarer.
SETTLES, SETTLED = 0.7, 0.4  # from this share of the training on; to this share of the warps' strength


class Batch(NamedTuple):
    """Data of one training step."""

    inputs: Float[Tensor, "batch inputs"]
    """The encoder's input of each field."""
    box: Box
    points: Float[Tensor, "batch points dims"]
    """The first of them are the corners of simplices, see `gradients`."""
    corners: int
    targets: Float[Tensor, "batch points"]


class WarpedFields:
    """A pool of warped fields with their probe values, a few of which are replaced each step.

    Some are composed of two, one on each side of a plane. As the seat of one chair may continue as the back of another,
    the content of each cell has to be learned by itself. Plane i divides row i; row `size` + i of `index` and `warps`
    is the field beyond it.

    What is drawn, rows, indices and planes lie on the CPU, as they decide what is computed; warps, values and boxes lie
    on the device.

    Args:
        fields: the fields to warp.
        counts: probes along each axis.
        config: strength of warps, share of composed shapes, batch size.
        generator: of all randomness, on the CPU, so that a seed gives the same data on any device.
        device: of the pool.
    """

    def __init__(
        self,
        fields: FieldSet,
        counts: tuple[int, ...],
        config: VQConfig,
        generator: torch.Generator,
        device: torch.device = CPU,
    ) -> None:
        self.spec, self.shapes = fields.spec, TrainingShapes(fields, config.solids, device)
        self.counts, self.config, self.generator, self.device = counts, config, generator, device
        self.probes = cell_centres(counts, device)
        self.augment, self.mix_planes = config.augment, config.mix_planes
        dims = fields.spec.dims
        count = self.shapes.count
        self.size = size = max(config.batch_size, min(POOL_COPIES * count, POOL_LIMIT))
        # Of few shapes each is in the pool; the first ones of many would all be fields.
        first = torch.arange(size, device=CPU) % count if count <= POOL_LIMIT else self._random(count, size)
        self.index = torch.cat([first, self._random(count, size)])
        self.warps = self._random_warps(2 * size)
        self.planes = self._random_planes(size)
        self.values = torch.empty(size, len(self.probes), dtype=torch.float16, device=device)
        self.boxes = Box(torch.empty(size, dims, device=device), torch.empty(size, dims, device=device))

    def fill(self) -> None:
        """Evaluate the whole pool for the first time."""
        with progress(self.size, "warp", "fields") as bar:
            for start in range(0, self.size, WARPED_AT_ONCE):
                rows = torch.arange(start, min(start + WARPED_AT_ONCE, self.size), device=CPU)
                self._evaluate(rows)
                bar.update(len(rows))

    def tensors(self) -> dict[str, Tensor]:
        """All state that changes, for a checkpoint."""
        own = {"index": self.index, "planes": self.planes, "values": self.values}
        return own | vars(self.boxes) | vars(self.warps)

    def refresh(self, done: float = 0.0) -> None:
        """Replace a few rows by new warps of random fields; `done` is the finished share of the training."""
        unsettled = min(1.0, (1 - done) / (1 - SETTLES))
        self.augment = self.config.augment * (SETTLED + (1 - SETTLED) * unsettled)
        self.mix_planes = self.config.mix_planes * unsettled
        rows = self._random(self.size, POOL_REFRESHED)
        both = torch.cat([rows, self.size + rows])
        self.index[both] = self._random(self.shapes.count, 2 * POOL_REFRESHED)
        self.warps[self._there(both)] = self._random_warps(2 * POOL_REFRESHED)
        self.planes[rows] = self._random_planes(POOL_REFRESHED)
        self._evaluate(rows)

    def draw(self) -> Batch:
        """A random batch."""
        rows = self._random(self.size, self.config.batch_size)
        here = self._there(rows)
        values, box = self.values[here].float(), self.boxes[here]
        points, corners = self._points(values, box)
        return Batch(self.inputs(rows), box, points, corners, self.query(rows, points))

    def inputs(self, rows: Int[Tensor, "chosen"]) -> Float[Tensor, "chosen inputs"]:
        """The encoder's input of some rows: their truncated values at the probes."""
        return self.values[self._there(rows)].float()

    def _there(self, tensor: Tensor) -> Tensor:
        return upload(tensor, self.device)

    def _points(
        self, values: Float[Tensor, "batch probes"], box: Box
    ) -> tuple[Float[Tensor, "batch points dims"], int]:
        """Points of the loss, and how many of the first are corners of simplices."""
        count, dims = self.config.points, self.probes.shape[1]
        centres = int(count * SIMPLEX_SHARE / (dims + 1)) if self.config.learns_gradients(self.spec) else 0
        corners = centres * (dims + 1)
        inner, anywhere = int(count * BOX_SHARE), int(count * (1 - NEAR_SHARE - BOX_SHARE))
        near = count - corners - inner - anywhere + centres
        likelihood = ((values.abs() < NEAR_VALUE) + FAR_WEIGHT).to(finest(self.device)).cumsum(1)
        # Not `multinomial`: each device draws in its own way.
        uniform = torch.rand(len(values), near, dtype=torch.float64, generator=self.generator)
        sought = self._there(uniform.to(likelihood.dtype)) * likelihood[:, -1:]
        chosen = self.probes[torch.searchsorted(likelihood, sought).clamp_(max=len(self.probes) - 1)]
        spacing = 1 - self.probes.amax(0)  # half a spacing lies between the last probe and the side of the box
        chosen = chosen + 2 * spacing * self._there(self._uniform(*chosen.shape))
        placed = box.to_space(torch.cat([chosen, self._there(self._uniform(len(values), inner, dims))], dim=1))
        around, far = simplices(placed[:, :centres]), self._there(self._uniform(len(values), anywhere, dims))
        return torch.cat([around, placed[:, centres:], far], dim=1), corners

    def _evaluate(self, rows: Int[Tensor, "chosen"]) -> None:
        spec, truncation = self.spec, self.config.truncation
        there = self._there(rows)
        values, self.boxes[there] = probe(
            spec, on_grid(partial(self.query, rows), self.device), self.counts, truncation
        )
        self.values[there] = values.half()

    def query(self, rows: Int[Tensor, "chosen"], points: Tensor) -> Float[Tensor, "chosen points"]:
        """Values of some rows at points [points, dims] or at each one's own [chosen, points, dims]."""

        def one_side(parts: Tensor, at: Tensor) -> Tensor:
            # An inference tensor can neither be changed nor be used in training.
            return self.shapes.query(self.index[parts], self.warps[self._there(parts)])(at).clone()

        values = one_side(rows, points)
        mixed = torch.isfinite(self.planes[rows, -1]).nonzero()[:, 0]
        if len(mixed):
            planes, there = self._there(self.planes[rows[mixed]]), self._there(mixed)
            points = points.expand(len(rows), -1, -1)[there]
            beyond = torch.einsum("npd,nd->np", points, planes[:, :-1]) > planes[:, -1:]
            values[there] = torch.where(beyond, one_side(self.size + rows[mixed], points), values[there])
        return values

    def _random(self, limit: int, count: int) -> Int[Tensor, "count"]:
        return torch.randint(limit, (count,), generator=self.generator)

    def _uniform(self, *shape: int) -> Float[Tensor, "*shape"]:
        return torch.rand(shape, generator=self.generator) * 2 - 1

    def _random_warps(self, count: int) -> Warp:
        dims = self.spec.dims
        warps = Warp.random(count, dims, self.generator, strength=self.augment, mirror=self.config.mirrors(dims))
        return warps.to(self.device)

    def _random_planes(self, count: int) -> Float[Tensor, "count numbers"]:
        """Normals and offsets of planes perpendicular to an axis; rows that are not composed have an infinite offset.

        No plane is perpendicular to the mirrored axis, so symmetric shapes stay symmetric.
        """
        dims = self.spec.dims
        first = int(self.config.mirrors(dims))
        normal = functional.one_hot(first + self._random(dims - first, count), dims).float()
        towards = torch.where(self._uniform(count, 1) < 0, -1.0, 1.0)
        whole = torch.rand(count, 1, generator=self.generator) >= self.mix_planes
        offset = (PLANE_WITHIN * self._uniform(count, 1)).masked_fill(whole, torch.inf)
        return torch.cat([towards * normal, offset], dim=1)
