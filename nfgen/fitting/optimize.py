"""Fit many fields at once: one optimizer over a batch of flat weights [N, P], each field on its own shape."""

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from nfgen.errors import ConfigError
from nfgen.fields.gradient import losses_and_gradient
from nfgen.fields.mlp import batches, fourier_features
from nfgen.fields.spec import FieldSpec
from nfgen.runtime.device import is_cpu

from .config import FitConfig
from .step import FitOptimizer

CHECK_EVERY = 50  # steps between looks at the loss of each field: a look costs a synchronisation
FIELDS_IN_CACHE = 8  # on a processor: at 1,024 points of 32 neurons one layer of 8 fields is 1 MB

OnStep = Callable[[int, Tensor, Tensor], None]
"""Called with the step, the weights and the losses."""


class Fit(NamedTuple):
    """What fitting gives."""

    weights: Float[Tensor, "fields weights"]
    losses: Float[Tensor, "fields"]
    steps: Int[Tensor, "fields"]
    seconds: float


def field_loss(spec: FieldSpec, outputs: Tensor, values: Tensor, config: FitConfig) -> Tensor:
    """The loss at each point.

    SDF: L1 between truncated distances, t tanh(d / t), in coordinate units (DeepSDF's clamp, made smooth).
    Occupancy and brightness: cross-entropy with the true value in [0, 1]. `config.loss` may ask for another.
    """
    if spec.output == "sdf":
        return (torch.tanh(outputs / config.truncation) - values).abs() * config.truncation
    if config.loss == "tanh-mse":
        return (torch.tanh(outputs) - (2 * values - 1)).square()
    return functional.binary_cross_entropy_with_logits(outputs, values, reduction="none")


def loss_target(spec: FieldSpec, values: Tensor, truncation: float) -> Tensor:
    """True values as `field_loss` wants them: signed distance becomes tanh(d / t) or occupancy; brightness stays."""
    if spec.output == "sdf":
        return torch.tanh(values / truncation)
    return (values < 0).to(values.dtype) if spec.output == "occupancy" else values


def fit_batch(
    spec: FieldSpec,
    points: Float[Tensor, "fields points dims"],
    values: Float[Tensor, "fields points"],
    start: Float[Tensor, "fields weights"],
    config: FitConfig,
    base: Float[Tensor, "weights"] | None = None,
    on_step: OnStep | None = None,
) -> Fit:
    """Fit N fields, each to its own points, on the device that all tensors lie on.

    Args:
        points, values: of each shape, in an order without meaning (a step takes a window of them).
        start: initial weights.
        base: what `config.pull` pulls to.
        on_step: called with (step, weights, losses) before each step and after the last, for pictures of a fit.

    Raises:
        ConfigError: if a loss stops being finite, or `config.loss` is not for such fields.
    """
    if config.loss == "tanh-mse" and spec.output != "occupancy":
        raise ConfigError(f"the loss tanh-mse is for occupancy, not {spec.output}", "leave --loss out")
    started = time.monotonic()
    fields, available = values.shape
    window = min(config.points, available)
    targets = loss_target(spec, values, config.truncation)
    features = fourier_features(spec, points)
    weights = start.clone()
    generator = torch.Generator().manual_seed(config.seed)

    device = weights.device
    losses_so_far = torch.full((fields,), math.inf, device=device)
    result = Fit(start.clone(), losses_so_far, torch.full((fields,), config.steps, device=device), 0.0)
    active = torch.arange(fields, device=device)
    optimizer = FitOptimizer(spec, config, weights)
    smoothed = torch.zeros(fields, device=device)
    for step in range(config.steps):
        offset = int(torch.randint(available - window + 1, (), generator=generator))
        here = slice(offset, offset + window)
        gradient, losses = _gradient(spec, weights, features[:, here], targets[:, here], config, base)
        if on_step is not None:
            on_step(step, weights, losses)
        optimizer.step(weights, gradient, step)
        smoothed = losses if step == 0 else smoothed.lerp(losses, 0.1)
        if (step + 1) % CHECK_EVERY == 0 or step + 1 == config.steps:
            if not torch.isfinite(smoothed).all():
                raise ConfigError("fitting diverged: a loss is not finite", "lower --learning-rate")
            result.weights[active], result.losses[active] = weights, smoothed
            going = smoothed >= config.tolerance
            if not going.all():
                result.steps[active[~going]] = step + 1
                # Copies only when a field stops, so that a plain run never gathers its points.
                active, weights, smoothed = active[going], weights[going], smoothed[going]
                features, targets = features[going], targets[going]
                optimizer.keep(going)
                if len(active) == 0:
                    break
    if on_step is not None:
        on_step(config.steps, weights, smoothed)
    return result._replace(seconds=time.monotonic() - started)


def _gradient(
    spec: FieldSpec, weights: Tensor, features: Tensor, targets: Tensor, config: FitConfig, base: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Gradient [N, P] and fitting losses [N]; a few fields at a time, so that activations stay in the cache."""
    gradient, losses = torch.empty_like(weights), weights.new_empty(len(weights))
    for some in batches(len(weights), FIELDS_IN_CACHE if is_cpu(weights.device) else len(weights)):

        def loss(outputs: Tensor, true: Tensor = targets[some]) -> Tensor:
            return field_loss(spec, outputs, true, config).mean(1)

        losses[some], gradient[some] = losses_and_gradient(spec, weights[some], features[some], loss)
    if base is not None and config.pull:
        gradient.add_(weights - base, alpha=2 * config.pull)
    return gradient, losses
