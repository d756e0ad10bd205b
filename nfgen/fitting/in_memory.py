"""Fits of as many fields at once as a device has memory for."""

import torch

from nfgen.fields.spec import FieldSpec
from nfgen.runtime.device import CPU, free_memory, is_cpu
from nfgen.runtime.halving import in_halves

from .config import FitConfig
from .optimize import Fit, OnStep, fit_batch

MOST_FIELDS = 4096  # at once: a step of so many occupies any accelerator
SHARE = 4  # of the free memory one part: what the processes beside this one need is not known
ACTIVATIONS = 4  # numbers kept for each neuron and point of a step: two of the layer, two of its gradient


def bytes_a_field(spec: FieldSpec, config: FitConfig) -> int:
    """Memory of the fit of one field: the Fourier features of its points, and the activations of a step."""
    points, features = config.samples.near + config.samples.uniform, spec.layers[0].inputs
    return 4 * (points * (features + spec.dims + 2) + config.points * ACTIVATIONS * (features + sum(spec.hidden)))


def fields_at_once(spec: FieldSpec, config: FitConfig, device: torch.device = CPU) -> int:
    """How many fields are fitted at once: `batch_size` on a processor, where more are no faster; on an accelerator a
    multiple of it that a part of the free memory holds."""
    free = None if is_cpu(device) else free_memory(device)
    if free is None:
        return config.batch_size
    most = min(MOST_FIELDS, free // SHARE // bytes_a_field(spec, config))
    return max(1, most // config.batch_size) * config.batch_size


def fit_in_memory(
    spec: FieldSpec,
    points: torch.Tensor,
    values: torch.Tensor,
    start: torch.Tensor,
    config: FitConfig,
    base: torch.Tensor | None = None,
    on_step: OnStep | None = None,
) -> Fit:
    """`fit_batch`; where memory runs out, of half the fields at a time.

    Fields of a batch do not depend on each other. `on_step` is called for the first part only.

    Raises:
        ConfigError: as `fit_batch`.
        NfgenError: if memory does not suffice for one field.
    """

    def fit(here: slice) -> Fit:
        listener = on_step if here.start == 0 else None
        return fit_batch(spec, points[here], values[here], start[here], config, base, listener)

    parts = [part for _, part in in_halves(fit, len(start), len(start), "fields", "lower --points")]
    weights, losses, steps, seconds = zip(*parts, strict=True)
    return Fit(torch.cat(weights), torch.cat(losses), torch.cat(steps), sum(seconds))
