"""Made-up shapes for a model to learn from first: composites of two fields, and random solids.

A few hundred fields do not tell a model which tokens can follow which. Composites do: part of one field up to a plane,
and part of another one beyond it, both warped, are new shapes whose parts are those of real ones. Random solids and
built-in families, for signed distances in 3-D, show what any shape is like.
"""

import itertools
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nfgen.fields.field_set import FieldSet
from nfgen.fields.mlp import batches
from nfgen.fields.spec import FieldSpec
from nfgen.runtime.device import CPU
from nfgen.runtime.progress import progress
from nfgen.shapes.synthetic import SDF
from nfgen.shapes.synthetic.random_solids import family_solid, random_solid

from .bounding_box import Box
from .config import VQConfig
from .dataset import WarpedFields
from .probes import on_grid, probe
from .training import VQNetworks
from .warps import Warp

WARP = 0.5
"""Strength of the warps; that of views is 0.4."""
AT_ONCE = 32
SOLIDS = 0.5
"""Share of the shapes that are solids, where these can be used."""

Inputs = Float[Tensor, "shapes probes"]


def made_up(
    networks: VQNetworks, spec: FieldSpec, config: VQConfig, fields: FieldSet, count: int, seed: int,
    device: torch.device,
) -> tuple[Int[Tensor, "shapes tokens"], Int[Tensor, "shapes"]]:  # fmt: skip
    """Tokens of made-up shapes, and their classes (-1 = none): solids, where these can be used, then composites.

    Args:
        networks: of a tokenizer that probes fields, on a device.
        spec: of the fields that it was fitted on.
        fields: those that composites are made of.
        count: how many shapes.
        seed: of all random numbers.
    """
    generator, counts = torch.Generator().manual_seed(seed), networks.encoder.probe_counts
    of_solids = int(count * SOLIDS) if (spec.dims, spec.output) == (3, "sdf") else 0
    every = itertools.chain(
        _solids(spec, counts, config, of_solids, generator, device),
        _composites(fields, counts, config, count - of_solids, generator, device),
    )
    tokens, labels = [], []
    with torch.no_grad():
        for inputs, box, of in every:
            for some in batches(len(inputs), AT_ONCE):
                codes = networks.quantizer(networks.encoder(inputs[some], box[some].numbers)).indices.flatten(1)
                tokens.append(torch.cat([networks.quantizer.codes + box[some].tokens, codes], dim=1).cpu())
            labels.append(of)
    return torch.cat(tokens), torch.cat(labels)


def _composites(
    fields: FieldSet,
    counts: tuple[int, ...],
    config: VQConfig,
    count: int,
    generator: torch.Generator,
    device: torch.device,
) -> Iterator[tuple[Inputs, Box, Int[Tensor, "shapes"]]]:
    """Composites of two fields each, of the same class where there are classes.

    Args:
        counts: probes along each axis.
        count: how many.

    Yields:
        Truncated values at the probes, boxes, and the class of each (-1 = none), some shapes at a time.
    """
    config = config.replace(augment=WARP, mix_planes=1.0, solids=0.0)
    while count > 0:
        pool = WarpedFields(fields, counts, config, generator, device)
        labels = fields.labels[pool.index[: pool.size].cpu()]
        pool.index[pool.size :] = _partners(labels, fields.labels, generator).to(device)
        pool.fill()
        chosen = torch.randperm(pool.size, generator=generator)[:count]
        yield pool.inputs(chosen.to(device)), pool.boxes[chosen.to(device)], labels[chosen]
        count -= len(chosen)


def _partners(
    wanted: Int[Tensor, "shapes"], labels: Int[Tensor, "fields"], generator: torch.Generator
) -> Int[Tensor, "shapes"]:
    """For each class that is wanted a random field of it."""
    found = torch.empty_like(wanted)
    for label in wanted.unique():
        those, places = (labels == label).nonzero()[:, 0], wanted == label
        found[places] = those[torch.randint(len(those), (int(places.sum()),), generator=generator)]
    return found


def _solids(
    spec: FieldSpec,
    counts: tuple[int, ...],
    config: VQConfig,
    count: int,
    generator: torch.Generator,
    device: torch.device,
) -> Iterator[tuple[Inputs, Box, Int[Tensor, "shapes"]]]:
    """Warped random solids and shapes of built-in families in turn; what it yields is as in `_composites`."""
    with progress(count, "solids", "shape") as bar:
        for some in batches(count, AT_ONCE):
            numbers = range(some.start, some.stop)
            shapes = [(family_solid if number % 2 else random_solid)(number) for number in numbers]
            warp = Warp.random(len(shapes), 3, generator, strength=WARP, mirror=config.mirrors(3))
            inputs, box = probe(spec, on_grid(partial(_values, shapes, warp), CPU), counts, config.truncation)
            yield inputs.to(device), box.to(device), torch.full((len(shapes),), -1, device=CPU)
            bar.update(len(shapes))


def _values(shapes: Sequence[SDF], warp: Warp, points: Tensor) -> Float[Tensor, "shapes points"]:
    places = warp(points.expand(len(shapes), -1, -1)).numpy()
    return torch.from_numpy(np.stack([shape(at) for shape, at in zip(shapes, places, strict=True)])).to(points)
