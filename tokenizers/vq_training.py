"""Training of the VQ tokenizer: a loss in function space on warped fields.

Fields are only ever evaluated: at the probes for the encoder, at fresh points for the loss. So the original meshes are
not needed, and a warp of the coordinates is as good as a new shape.
"""

import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from nfgen.field import evaluate_in_chunks
from nfgen.field_set import FieldSet
from nfgen.interrupts import uninterrupted
from nfgen.progress import progress
from nfgen.spec import FieldSpec, Output

from .augmentation import Warp
from .bottleneck import Bottleneck
from .box import Box, extent
from .local_field import LocalField
from .vq_check_point import CheckPoint
from .vq_config import VQConfig
from .vq_networks import Decoder, Encoder, raster

WARPED_AT_ONCE = 32
POOL_COPIES, POOL_LIMIT = 8, 2048  # warped fields kept: 8 of each; 2,048 of 8,000 probes are 33 MB in half precision
POOL_REFRESHED = 4  # of them made anew each step: a tenth of the step's time, and none is ever seen often
CUT_WITHIN = 0.3  # of the middle, of two shapes that are put together: then there is something on either side
NEAR_SHARE, BOX_SHARE = 0.7, 0.2  # of the points of the loss near the surface, anywhere in the box; others anywhere
COARSE = {2: 32, 3: 14}  # probes along each axis that find the box
NEAR_SIGNAL = 0.6  # |signal| of a probe that counts as near the surface: within 0.7 truncations
FAR_WEIGHT = 1e-4  # so that a field without a surface can be drawn from, too
WARMUP = 0.03  # share of the steps
CLOCK_STARTS = 0.05  # share of the time limit before which it does not count, so that a short run is the same each time
FINAL_RATE = 0.02  # of the learning rate
SIGN_WEIGHT = 1.0
SIGN_WIDTH, TARGET_WIDTH = 0.2, 0.1  # of the truncation: how sharply predicted and true distances decide the side


class VQNetworks(nn.Module):
    """Everything of the tokenizer that is learned."""

    def __init__(self, encoder: Encoder, bottleneck: Bottleneck, decoder: Decoder, field: LocalField) -> None:
        super().__init__()
        self.encoder, self.bottleneck, self.decoder, self.field = encoder, bottleneck, decoder, field


def signal(output: Output, values: Tensor, truncation: float) -> Tensor:
    """What a field says, in [-1, 1] and positive outside, whatever its kind: tanh(distance / truncation), or
    1 - 2 sigmoid(logit)."""
    return torch.tanh(values / truncation) if output == "sdf" else -torch.tanh(values / 2)


class Batch(NamedTuple):
    """What one step learns from."""

    read: Float[Tensor, "batch read"]
    """What the encoder reads of each field."""
    box: Box
    points: Float[Tensor, "batch points dims"]
    targets: Float[Tensor, "batch points"]


Sight = Callable[[Tensor], Tensor]
"""What N fields are worth, [N, n], at the same points [n, dims] or at each one's own [N, n, dims]."""


def sight(spec: FieldSpec, weights: Float[Tensor, "fields weights"], warp: Warp | None = None) -> Sight:
    """Fields, seen through warps if there are some."""

    def see(points: Tensor) -> Tensor:
        return evaluate_in_chunks(spec, weights, points if warp is None else warp(points.expand(len(weights), -1, -1)))

    return see


def find_box(spec: FieldSpec, see: Sight) -> Box:
    """Boxes of the shapes of fields of a spec."""
    counts = (COARSE[spec.dims],) * spec.dims
    coarse = (raster(counts) + 0.5) / torch.tensor(counts) * 2 - 1
    sign = 1 if spec.output == "sdf" else -1
    return Box.enclosing(*extent(sign * see(coarse), coarse, counts, distances=spec.output == "sdf"))


def probe(
    spec: FieldSpec, see: Sight, probes: Float[Tensor, "probes dims"], truncation: float
) -> tuple[Float[Tensor, "fields probes"], Box]:
    """Signals of fields at probes in their boxes, and the boxes: all that a probe encoder sees of them."""
    box = find_box(spec, see)
    return signal(spec.output, see(box.place(probes)), truncation), box


class WarpedFields:
    """A pool of warped fields with their probe values, a few of which are replaced each step.

    Some are put together from two, one on either side of a plane: where the seat of a chair may go on as the back of
    any other, what is in a cell has to be learned by itself. Row i is cut by plane i; row `size` + i of `index` and
    `warps` is what lies beyond.
    """

    def __init__(
        self, fields: FieldSet, probes: Float[Tensor, "probes dims"], config: VQConfig, generator: torch.Generator
    ) -> None:
        self.fields, self.probes, self.config, self.generator = fields, probes, config, generator
        self.size = size = max(config.batch, min(POOL_COPIES * len(fields), POOL_LIMIT))
        dims = fields.spec.dims
        self.index = torch.cat([torch.arange(size) % len(fields), self._random(len(fields), size)])
        self.warps = self._random_warps(2 * size)
        self.planes = self._random_planes(size)
        self.values = torch.empty(size, len(probes), dtype=torch.float16)
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

    def refresh(self) -> None:
        """Replace a few by new warps of fields drawn at random."""
        rows = self._random(self.size, POOL_REFRESHED)
        both = torch.cat([rows, self.size + rows])
        self.index[both] = self._random(len(self.fields), 2 * POOL_REFRESHED)
        self.warps[both] = self._random_warps(2 * POOL_REFRESHED)
        self.planes[rows] = self._random_planes(POOL_REFRESHED)
        self._evaluate(rows)

    def draw(self) -> Batch:
        """What the encoder reads, boxes, points, and the fields' outputs there."""
        rows = self._random(self.size, self.config.batch)
        values, box = self.values[rows].float(), self.boxes[rows]
        points = self._points(values, box)
        return Batch(self.read(rows), box, points, self.see(rows, points))

    def read(self, rows: Int[Tensor, "chosen"]) -> Float[Tensor, "chosen read"]:
        """What the encoder reads of some of the pool: their signals at the probes."""
        return self.values[rows].float()

    def _points(self, values: Float[Tensor, "batch probes"], box: Box) -> Float[Tensor, "batch points dims"]:
        count, dims = self.config.points, self.probes.shape[1]
        near, inner = int(count * NEAR_SHARE), int(count * BOX_SHARE)
        likelihood = (values.abs() < NEAR_SIGNAL) + FAR_WEIGHT
        chosen = self.probes[torch.multinomial(likelihood, near, replacement=True, generator=self.generator)]
        spacing = 1 - self.probes.amax(0)  # half a spacing lies between the last probe and the side of the box
        chosen = chosen + 2 * spacing * self._uniform(*chosen.shape)
        placed = box.place(torch.cat([chosen, self._uniform(len(values), inner, dims)], dim=1))
        return torch.cat([placed, self._uniform(len(values), count - near - inner, dims)], dim=1)

    def _evaluate(self, rows: Int[Tensor, "chosen"]) -> None:
        spec, truncation = self.fields.spec, self.config.truncation
        values, self.boxes[rows] = probe(spec, partial(self.see, rows), self.probes, truncation)
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
        dims, config = self.fields.spec.dims, self.config
        return Warp.random(count, dims, self.generator, strength=config.augment, mirror=config.mirrors(dims))

    def _random_planes(self, count: int) -> Float[Tensor, "count numbers"]:
        """Normals and offsets of planes across an axis, in a share of the rows; no plane where the offset is infinite.

        The mirrored axis is left out: shapes that are symmetric stay so.
        """
        dims, config = self.fields.spec.dims, self.config
        first = int(config.mirrors(dims))
        normal = functional.one_hot(first + self._random(dims - first, count), dims).float()
        towards = torch.where(self._uniform(count, 1) < 0, -1.0, 1.0)
        whole = torch.rand(count, 1, generator=self.generator) >= config.cut
        offset = (CUT_WITHIN * self._uniform(count, 1)).masked_fill(whole, torch.inf)
        return torch.cat([towards * normal, offset], dim=1)


def train(
    networks: VQNetworks, pool: WarpedFields, config: VQConfig, name: str = "vq", scratch: Path | None = None
) -> None:
    """Train the networks of the tokenizer of that name on a pool of fields not yet filled, in place; go on from the
    check point in the folder `scratch`, if there is one.

    Raises:
        NfgenError: if the loss is no longer finite; the last check point is kept.
        KeyboardInterrupt: on Ctrl-C, after a check point.
    """
    optimizers = make_optimizers(networks, config.learning_rate)
    peaks = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    kept = CheckPoint(scratch, networks, optimizers, pool.tensors(), pool.generator, name)
    resumed = kept.restore()
    if resumed is None:
        pool.fill()
    first, spent = resumed or (0, 0.0)
    reached = first
    started = time.monotonic() - spent
    networks.train()
    shown = 0.0
    # In percent, since either steps or time may end it.
    with progress(100, f"train {name}", "%") as bar:
        try:
            for step in range(first, config.steps):
                late = (time.monotonic() - started) / (60 * config.minutes)
                done = late if late > max(step / config.steps, CLOCK_STARTS) else step / config.steps
                if done >= 1:
                    break
                for optimizer, rates in zip(optimizers, peaks, strict=True):
                    for group, rate in zip(optimizer.param_groups, rates, strict=True):
                        group["lr"] = rate * annealed(done)
                if step % config.save_every == 0 and step > first:
                    kept.save(step, time.monotonic() - started)
                with uninterrupted():
                    loss = _step(networks, pool, optimizers, config)
                    if loss is None:
                        raise kept.diverged(step)
                    reached = step + 1
                shown = loss if step == 0 else 0.98 * shown + 0.02 * loss
                bar.update(int(100 * done) - bar.done, loss=shown, step=step)
        except KeyboardInterrupt:
            kept.save(reached, time.monotonic() - started)
            raise
        kept.save(reached, time.monotonic() - started)
        bar.update(100 - bar.done, loss=shown)
    networks.eval()


def _step(
    networks: VQNetworks, pool: WarpedFields, optimizers: list[torch.optim.Optimizer], config: VQConfig
) -> float | None:
    """One step of the optimizers, and its loss; None, and nothing done to the weights, if that is not finite."""
    pool.refresh()
    loss = function_loss(networks, pool.draw(), config.truncation)
    for optimizer in optimizers:
        optimizer.zero_grad()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(networks.parameters(), 1.0)
    if not (torch.isfinite(norm) and torch.isfinite(loss)):
        return None
    for optimizer in optimizers:
        optimizer.step()
    return loss.item()


def function_loss(networks: VQNetworks, batch: Batch, truncation: float) -> Float[Tensor, ""]:
    """L1 of the signal, cross-entropy of inside and outside, and the bottleneck's own term."""
    # Half-width products run about four times faster on processors that have them.
    with torch.autocast("cpu", torch.bfloat16):
        latents = networks.encoder(batch.read, batch.box.numbers)
    quantised = networks.bottleneck(latents.float())
    with torch.autocast("cpu", torch.bfloat16):
        rows = networks.decoder(quantised.latents, batch.box.numbers)
        distances = networks.field(rows, batch.box, batch.points)
    loss = reconstruction_loss(distances.float(), batch.targets, networks.field.spec.output, truncation)
    return loss.mean() + quantised.loss


def reconstruction_loss(
    distances: Float[Tensor, "fields points"],
    targets: Float[Tensor, "fields points"],
    output: Output,
    truncation: float,
) -> Float[Tensor, "fields"]:
    """Of decoded distances [N, n] (before the gain) against the outputs [N, n] of the original fields."""
    error = (torch.tanh(distances / truncation) - signal(output, targets, truncation)).abs().mean(1)
    if output == "sdf":
        logits, truth = -distances / (SIGN_WIDTH * truncation), torch.sigmoid(-targets / (TARGET_WIDTH * truncation))
    else:
        logits, truth = -2 * distances / truncation, torch.sigmoid(targets)
    sign = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none").mean(1)
    return error + SIGN_WEIGHT * sign


def make_optimizers(networks: VQNetworks, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of encoder and decoder, AdamW for the rest (Jordan et al. 2024,
    https://kellerjordan.github.io/posts/muon): the same error in about half the steps."""
    trunk = [networks.encoder.read, networks.encoder.blocks, networks.decoder.blocks, networks.decoder.write]
    matrices = [p for module in trunk for p in module.parameters() if p.ndim == 2]
    taken = {id(p) for p in matrices}
    rest = [p for p in networks.parameters() if id(p) not in taken and p.requires_grad]
    return [
        torch.optim.Muon(matrices, lr=rate, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=rate / 2, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def annealed(done: float) -> float:
    """Learning rate, relative to its peak, when a share of the training is done: linear warm-up, then a cosine."""
    cosine = FINAL_RATE + (1 - FINAL_RATE) * (1 + math.cos(math.pi * done)) / 2
    return min(1.0, done / WARMUP + 0.01) * cosine
