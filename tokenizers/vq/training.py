"""Training of the VQ tokenizer: a loss in function space on warped fields."""

import itertools
import math
import time
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from nfgen.fields.spec import Output
from nfgen.runtime.deferred import Deferred
from nfgen.runtime.learning_rate_schedule import cosine_decay
from nfgen.runtime.muon import Muon
from nfgen.runtime.precision import bfloat16_pays
from nfgen.runtime.progress import progress
from nfgen.runtime.signals import uninterrupted

from .bounding_box import Box
from .checkpoint import Checkpoint
from .config import VQConfig
from .dataset import Batch, WarpedFields
from .gradients import gradient_loss
from .grid_field import GridField
from .networks import Decoder, Encoder
from .probes import truncated_value
from .quantizers import Quantizer

WARMUP = 0.03  # share of the steps
CLOCK_STARTS = 0.05  # share of the time limit before which it has no effect, so that short runs are deterministic
SMOOTHING = 0.98  # of the loss that is shown
FINAL_RATE = 0.02  # of the learning rate
SIGN_WEIGHT = 1.0
# Under uncertainty, IoU is largest if points with a probability of at least IoU / (1 + IoU) count as inside: half of
# F = 2 IoU / (1 + IoU) (Lipton et al. 2014, arXiv 1402.1892). A cross-entropy with weight w on the inside has its
# threshold at 1 / (1 + w). So w is about 1 / IoU; with w = 1 thin parts are lost.
INSIDE_WEIGHT = 1.4
SIGN_WIDTH, TARGET_WIDTH = 0.2, 0.1  # of the truncation: widths of the sigmoids of predicted and true distances


class VQNetworks(nn.Module):
    """All learned parts of the tokenizer."""

    def __init__(self, encoder: Encoder, quantizer: Quantizer, decoder: Decoder, field: GridField) -> None:
        super().__init__()
        self.encoder, self.quantizer, self.decoder, self.field = encoder, quantizer, decoder, field

    def tokens(self, latents: Tensor, box: Box) -> Int[Tensor, "fields tokens"]:
        """The sequence of each field: its box, then the codes of its latents."""
        return torch.cat([self.quantizer.codes + box.tokens, self.quantizer(latents).indices.flatten(1)], dim=1)


def train(
    networks: VQNetworks, pool: WarpedFields, config: VQConfig, name: str = "vq", scratch: Path | None = None
) -> None:
    """Train the networks in place on a pool of fields that is not yet filled; resume from the checkpoint in the folder
    `scratch`, if there is one.

    Raises:
        NfgenError: if the loss is no longer finite; the last checkpoint stays.
        KeyboardInterrupt: on Ctrl-C, after a checkpoint.
    """
    steps, rate = config.steps, config.learning_rate
    assert steps is not None  # settled, as is the rate
    assert rate is not None
    optimizers = make_optimizers(networks, rate)
    peaks = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    checkpoint = Checkpoint(scratch, networks, optimizers, pool.tensors(), pool.generator, name)
    resumed = checkpoint.restore()
    if resumed is None:
        pool.fill()
    first, spent = resumed or (0, 0.0)
    reached = first
    started = time.monotonic() - spent
    networks.train()
    shown: dict[str, float] = {}
    figures = Deferred(pool.device)

    def finished(step: int) -> float:
        late = (time.monotonic() - started) / (60 * config.minutes) if config.minutes else 0.0
        return late if late > max(step / steps, CLOCK_STARTS) else step / steps

    # In percent, as either the steps or the time limit ends it.
    with progress(100, f"train {name}", "%", int(100 * finished(first))) as bar:
        try:
            for step in range(first, steps):
                if (done := finished(step)) >= 1:
                    break
                for optimizer, rates in zip(optimizers, peaks, strict=True):
                    for group, rate in zip(optimizer.param_groups, rates, strict=True):
                        group["lr"] = rate * annealed(done)
                if step % config.save_every == 0 and step > first:
                    checkpoint.save(step, time.monotonic() - started)
                with uninterrupted():
                    figures.add(*_step(networks, pool, optimizers, config, done))
                    reached = step + 1
                if figures.due:
                    losses = fetched(figures)
                    if losses is None:
                        raise checkpoint.diverged(step)
                    for loss in losses:
                        shown["loss"] = loss + SMOOTHING * (shown.get("loss", loss) - loss)
                bar.update(int(100 * done) - bar.done, **shown, step=step)
        except KeyboardInterrupt:
            checkpoint.save(reached, time.monotonic() - started)
            raise
        if fetched(figures) is None:
            raise checkpoint.diverged(reached)
        checkpoint.save(reached, time.monotonic() - started)
        bar.update(100 - bar.done, **shown)
    networks.eval()


def _step(
    networks: VQNetworks,
    pool: WarpedFields,
    optimizers: list[torch.optim.Optimizer],
    config: VQConfig,
    done: float,
) -> tuple[Tensor, Tensor]:
    """One step of the optimizers: its loss, and the norm of its gradient, on the device."""
    pool.refresh(done)
    loss = function_loss(networks, pool.draw(), config)
    for optimizer in optimizers:
        optimizer.zero_grad()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(networks.parameters(), 1.0)
    for optimizer in optimizers:
        optimizer.step()
    return loss.detach(), norm


def fetched(figures: Deferred) -> list[float] | None:
    """The losses of the last steps; None if one, or a gradient, is not finite."""
    rows = figures.fetch()
    return [row[0] for row in rows] if all(map(math.isfinite, itertools.chain(*rows))) else None


def function_loss(networks: VQNetworks, batch: Batch, config: VQConfig) -> Float[Tensor, ""]:
    """L1 of truncated values, cross-entropy of inside and outside, error of gradients near the surface, and the
    quantizer's loss."""
    device = batch.points.device
    low = bfloat16_pays(device)
    with torch.autocast(device.type, torch.bfloat16, enabled=low):
        latents = networks.encoder(batch.inputs, batch.box.numbers)
    quantised = networks.quantizer(latents.float())
    with torch.autocast(device.type, torch.bfloat16, enabled=low):
        rows = networks.decoder(quantised.latents, batch.box.numbers)
    # In float32: gradients are small differences of distances.
    distances = networks.field(rows.float(), batch.box, batch.points)
    loss = reconstruction_loss(distances, batch.targets, networks.field.output, config.truncation)
    if batch.corners:
        near, dims = slice(0, batch.corners), batch.points.shape[-1]
        error = gradient_loss(distances[:, near], batch.targets[:, near], dims, config.truncation)
        loss = loss + config.gradient_weight * error
    return loss.mean() + quantised.loss


def reconstruction_loss(
    distances: Float[Tensor, "fields points"],
    targets: Float[Tensor, "fields points"],
    output: Output,
    truncation: float,
) -> Float[Tensor, "fields"]:
    """Loss of decoded distances [N, n] (without the gain) against the values [N, n] of the original fields."""
    error = (torch.tanh(distances / truncation) - truncated_value(output, targets, truncation)).abs().mean(1)
    if output == "sdf":
        logits, truth = -distances / (SIGN_WIDTH * truncation), torch.sigmoid(-targets / (TARGET_WIDTH * truncation))
    else:
        logits, truth = -2 * distances / truncation, torch.sigmoid(targets)
    inside = targets.new_full((), 1.0 if output == "brightness" else INSIDE_WEIGHT)
    sign = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none", pos_weight=inside).mean(1)
    return error + SIGN_WEIGHT * sign


def make_optimizers(networks: VQNetworks, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of encoder and decoder, AdamW for the rest (Jordan et al. 2024,
    https://kellerjordan.github.io/posts/muon): about half the steps of AdamW for the same error."""
    trunk = [networks.encoder.in_proj, networks.encoder.blocks, networks.decoder.blocks, networks.decoder.out_proj]
    matrices = [p for module in trunk for p in module.parameters() if p.ndim == 2]
    taken = {id(p) for p in matrices}
    rest = [p for p in networks.parameters() if id(p) not in taken and p.requires_grad]
    return [
        Muon(matrices, lr=rate, weight_decay=0.05),
        torch.optim.AdamW(rest, lr=rate / 2, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def annealed(done: float) -> float:
    """Learning rate, relative to its peak, at a finished share of the training: linear warm-up, then a cosine."""
    return min(1.0, done / WARMUP + 0.01) * cosine_decay(done, FINAL_RATE)
