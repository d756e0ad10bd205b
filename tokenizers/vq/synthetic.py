"""Made-up shapes for a model to learn from first: composites of two fields, and random solids.

A few hundred fields do not tell a model which tokens can follow which. Composites do: part of one field up to a plane,
and part of another one beyond it, both warped, are new shapes whose parts are those of real ones. Random solids and
built-in families, for signed distances in 3-D, show what any shape is like.
"""

import itertools
from collections.abc import Iterator

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
from nfgen.tokens.synthetic import Synthetic

from .bounding_box import Box
from .config import VQConfig
from .dataset import WarpedFields
from .probes import on_grid, probe
from .training import VQNetworks
from .training_shapes import distances
from .warps import Warp

WARP = 0.5
"""Strength of the warps; that of views is 0.4."""
AT_ONCE = 32
SOLIDS = 0.5
"""Share of the shapes that are solids, where these can be used."""

Seen = tuple[Float[Tensor, "shapes probes"], Box, Int[Tensor, "shapes"]]
"""What the encoder takes of some shapes, their truncated values and boxes, and the class of each (-1 = none)."""


class MadeUp:
    """Makes shapes up, and encodes them.

    Args:
        networks: of a tokenizer that probes fields, on a device.
        config: its settings.
        seed: of all random numbers.
    """

    def __init__(self, networks: VQNetworks, config: VQConfig, device: torch.device, seed: int) -> None:
        self.networks, self.config, self.device = networks, config, device
        self.counts = networks.encoder.probe_counts
        self.generator = torch.Generator().manual_seed(seed)

    def shapes(self, fields: FieldSet, count: int) -> Synthetic:
        """Solids, where these can be used, then composites of fields; so many in all."""
        spec = fields.spec
        solids = int(count * SOLIDS) if (spec.dims, spec.output) == (3, "sdf") else 0
        return self._encoded(itertools.chain(self._solids(spec, solids, 1), self._composites(fields, count - solids)))

    def solids(self, spec: FieldSpec, count: int, warps: int) -> Synthetic:
        """Random solids and shapes of built-in families in turn, each in so many warps, as signed distances in 3-D."""
        return self._encoded(self._solids(spec, count, warps))

    @torch.no_grad()
    def _encoded(self, seen: Iterator[Seen]) -> Synthetic:
        tokens, labels = [], []
        for inputs, box, of in seen:
            for some in batches(len(inputs), AT_ONCE):
                latents = self.networks.encoder(inputs[some], box[some].numbers)
                tokens.append(self.networks.tokens(latents, box[some]).cpu())
            labels.append(of)
        return Synthetic(torch.cat(tokens), torch.cat(labels))

    def _composites(self, fields: FieldSet, count: int) -> Iterator[Seen]:
        """Composites of two fields each, of the same class where there are classes."""
        config = self.config.replace(augment=WARP, mix_planes=1.0, solids=0.0)
        while count > 0:
            pool = WarpedFields(fields, self.counts, config, self.generator, self.device)
            labels = fields.labels[pool.index[: pool.size]]
            pool.index[pool.size :] = self._partners(labels, fields.labels)
            pool.fill()
            chosen = torch.randperm(pool.size, generator=self.generator)[:count]
            yield pool.inputs(chosen), pool.boxes[chosen.to(self.device)], labels[chosen]
            count -= len(chosen)

    def _partners(self, wanted: Int[Tensor, "shapes"], labels: Int[Tensor, "fields"]) -> Int[Tensor, "shapes"]:
        """For each class that is wanted a random field of it."""
        found = torch.empty_like(wanted)
        for label in wanted.unique():
            those, places = (labels == label).nonzero()[:, 0], wanted == label
            found[places] = those[torch.randint(len(those), (int(places.sum()),), generator=self.generator)]
        return found

    def _solids(self, spec: FieldSpec, count: int, warps: int) -> Iterator[Seen]:
        with progress(count, "solids", "shape") as bar:
            for some in batches(count, AT_ONCE):
                solids = [(family_solid if i % 2 else random_solid)(i) for i in range(some.start, some.stop)]
                for _ in range(warps):
                    inputs, box = self._warped(spec, solids)
                    yield inputs, box, torch.full((len(solids),), -1, device=CPU)
                bar.update(len(solids))

    def _warped(self, spec: FieldSpec, solids: list[SDF]) -> tuple[Tensor, Box]:
        """What the encoder takes of solids, each in a new warp."""
        warp = Warp.random(len(solids), 3, self.generator, strength=WARP, mirror=self.config.mirrors(3))

        def query(points: Tensor) -> Tensor:
            return distances(solids, warp(points.expand(len(solids), -1, -1)))

        inputs, box = probe(spec, on_grid(query, CPU), self.counts, self.config.truncation)
        return inputs.to(self.device), box.to(self.device)
