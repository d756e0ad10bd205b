"""Fits of a batch that does not fit into memory: half of it at a time."""

import logging

import torch

from nfgen.errors import NfgenError
from nfgen.fields.spec import FieldSpec

from .config import FitConfig
from .optimize import Fit, OnStep, fit_batch

log = logging.getLogger("nfgen")


def fit_in_memory(
    spec: FieldSpec,
    points: torch.Tensor,
    values: torch.Tensor,
    start: torch.Tensor,
    config: FitConfig,
    base: torch.Tensor | None = None,
    on_step: OnStep | None = None,
) -> Fit:
    """`fit_batch`; where memory runs out, the first and the second half of the fields after each other.

    Fields of a batch do not depend on each other. `on_step` is called for the first half only.

    Raises:
        ConfigError: as `fit_batch`.
        NfgenError: if memory does not suffice for one field.
    """
    try:
        return fit_batch(spec, points, values, start, config, base, on_step)
    except torch.OutOfMemoryError:
        if len(start) == 1:
            raise NfgenError(
                f"a single field does not fit into the memory of {start.device}", "lower --points"
            ) from None
    middle = len(start) // 2
    log.warning("out of memory with %d fields at once: %d are fitted at once", len(start), len(start) - middle)
    first, second = (
        fit_in_memory(spec, points[half], values[half], start[half], config, base, listener)
        for half, listener in ((slice(middle), on_step), (slice(middle, None), None))
    )
    return Fit(
        weights=torch.cat([first.weights, second.weights]),
        losses=torch.cat([first.losses, second.losses]),
        steps=torch.cat([first.steps, second.steps]),
        seconds=first.seconds + second.seconds,
    )
