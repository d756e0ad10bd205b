"""The settings of a fit: which points of a shape it sees, and how it goes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nfgen.errors import NfgenError
from nfgen.fields.mlp import initial_weights
from nfgen.fields.spec import FieldSpec
from nfgen.shapes import ShapeRef, sample_shapes
from nfgen.shapes.over_processes import Skipped
from nfgen.shapes.sample_many import Sampled

from .config import FitConfig


class Points(NamedTuple):
    """Samples of N shapes as tensors: to fit, and to judge by."""

    points: Float[Tensor, "fields points dims"]
    values: Float[Tensor, "fields points"]
    eval_points: Float[Tensor, "fields judged dims"]
    eval_values: Float[Tensor, "fields judged"]


@dataclass(frozen=True)
class FitJob:
    """What all shards of one fit have in common."""

    spec: FieldSpec
    config: FitConfig
    classes: tuple[str, ...]
    folder: Path
    strict: bool
    workers: int | None
    cache: Path | None
    kept: dict[str, Sampled | Skipped] = field(default_factory=dict)
    """What became of shapes that are fitted soon: those of the base, and some that were sampled together."""

    def prepare(self, refs: Sequence[ShapeRef]) -> None:
        """Sample shapes, over processes, and keep what became of them until they are asked for."""
        s = self.config.samples
        missing = [ref for ref in refs if ref.id not in self.kept]
        if missing:
            done, skipped = sample_shapes(
                missing,
                s.near + s.near_eval,
                s.uniform + s.uniform_eval,
                self.config.seed,
                self.workers,
                self.strict,
                self.cache,
            )
            self.kept.update({one.ref.id: one for one in done} | {one.id: one for one in skipped})

    def sample(self, refs: Sequence[ShapeRef]) -> tuple[list[Sampled], list[dict[str, str]]]:
        """The samples of shapes, and which shapes could not be used."""
        self.prepare(refs)
        found = [self.kept[ref.id] for ref in refs]
        for ref in refs:
            self.kept.pop(ref.id, None)
        return (
            [one for one in found if isinstance(one, Sampled)],
            [{"id": one.id, "reason": one.reason} for one in found if isinstance(one, Skipped)],
        )

    def points(self, sampled: Sequence[Sampled]) -> Points:
        """Split samples into those to fit and those to judge by, the former shuffled alike for all shapes."""
        s = self.config.samples
        points = torch.from_numpy(np.stack([one.samples.points for one in sampled]))
        values = torch.from_numpy(np.stack([one.samples.values for one in sampled]))
        near_end = s.near + s.near_eval
        fitted = torch.cat([torch.arange(s.near), torch.arange(near_end, near_end + s.uniform)])
        fitted = fitted[torch.randperm(len(fitted), generator=torch.Generator().manual_seed(self.config.seed))]
        judging = torch.cat([torch.arange(near_end + s.uniform, points.shape[1]), torch.arange(s.near, near_end)])
        return Points(points[:, fitted], values[:, fitted], points[:, judging], values[:, judging])

    def start(self, refs: Sequence[ShapeRef], base: Tensor | None) -> Tensor:
        """Initial weights [N, P]; random ones depend on the seed and the shape's id alone."""
        if base is not None:
            return base.expand(len(refs), -1).clone()
        seeds = [int.from_bytes(_digest(self.config.seed, ref.id)[:7], "big") for ref in refs]
        return torch.cat([initial_weights(self.spec, 1, torch.Generator().manual_seed(seed)) for seed in seeds])


def _digest(seed: int, id: str) -> bytes:
    return hashlib.sha256(f"{seed}:{id}".encode()).digest()


def none_usable(skipped: Sequence[dict[str, str]]) -> NfgenError:
    """The error that no shape of a fit could be used, with the reasons of the first ones."""
    reasons = "; ".join(f"{entry['id']}: {entry['reason']}" for entry in skipped[:3])
    return NfgenError(f"none of the {len(skipped)} shapes was usable: {reasons}", "look at the shapes named")
