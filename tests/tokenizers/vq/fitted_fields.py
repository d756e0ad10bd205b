"""Fields fitted to boxes (3-D) and discs (2-D), and small settings for them."""

from typing import Any

import torch
from torch import Tensor

from nfgen.fields.field_set import FieldSet
from nfgen.fields.mlp import initial_weights
from nfgen.fields.spec import FieldSpec
from nfgen.fitting.config import FitConfig
from nfgen.fitting.optimize import fit_batch
from nfgen.tokenizers.vq.networks import Cells

SPEC = FieldSpec(frequencies=1, hidden=(16, 16))
KINDS = ("fsq", "vq", "rvq", "lfq")
SMALL: dict[str, Any] = {
    "max_tokens": 11,
    "levels": (8, 5),
    "codebook": 16,
    "probes": 4,
    "width": 16,
    "channels": 32,
}
QUICK: dict[str, Any] = {
    **SMALL,
    "decoder_blocks": 1,
    "steps": 120,
    "batch_size": 12,
    "points": 96,
    "learning_rate": 4e-3,
    "augment": 0.3,
}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def uniform(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=generator(seed)) * 2 - 1


def boxes(count: int, points: Tensor, seed: int) -> Tensor:
    """Signed distances of upright boxes at points [count, n, 3]."""
    half = 0.5 + 0.25 * uniform(count, 1, 3, seed=seed)
    outside = points.abs() - half
    return outside.clamp(min=0).norm(dim=-1) + outside.amax(-1).clamp(max=0)


def discs(count: int, points: Tensor, seed: int) -> Tensor:
    """Brightness in [0, 1] of blurred discs at points [count, n, 2]."""
    radius = 0.5 + 0.2 * uniform(count, 1, seed=seed)
    return torch.sigmoid((radius - points.norm(dim=-1)) * 20)


def fitted(spec: FieldSpec, count: int, seed: int) -> FieldSet:
    points = uniform(count, 2048, spec.dims, seed=seed + 1)
    values = (boxes if spec.dims == 3 else discs)(count, points, seed)
    start = initial_weights(spec, 1, torch.Generator().manual_seed(0)).repeat(count, 1)
    weights = fit_batch(spec, points, values, start, FitConfig(steps=100, points=256)).weights
    names = tuple(f"{spec.dims}d-{i}" for i in range(count))
    return FieldSet(spec, weights, names, torch.arange(count) % 2, classes=("even", "odd"))


def some_cells(dims: int) -> Cells:
    return Cells((1, 2, 3)[:dims], mirror=True)
