"""Shapes to a field set: sample, choose where fits start, fit batch by batch, keep every finished shard."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from . import artifact
from .configuration import Configuration, require
from .errors import ArtifactError, ConfigError, NfgenError
from .field import Field, initial_weights
from .field_set import KIND, FieldSet, read_shard, shard_exists, write_index, write_shard
from .fitting import FitConfig, fit_batch
from .progress import progress
from .round_trip import judge_fields
from .shapes import ShapeRef, find_shapes, sample_shapes
from .shapes.augment import augmented
from .shapes.sampling import Sampled
from .spec import PRESETS, FieldSpec

INITS = ("random", "first", "shared")
SAMPLED_AT_ONCE = 512  # shapes whose samples are in memory together: about 130 MB at the defaults
SHARED_SHAPES = 200  # the shared base is fitted to the pooled points of so many shapes; more change it little
SHARED_STEPS_POINTS = 8  # a step of the shared base takes so many times the points of one shape
PLAN = "plan.json"


@dataclass(frozen=True)
class SampleConfig(Configuration):
    """Which points of a shape a fit sees, and by which it is judged."""

    near: int = 12288
    """Points about the surface."""
    uniform: int = 4096
    """Points in [-1, 1]^d."""
    near_checks: int = 1024
    """Points about the surface that only judge."""
    uniform_checks: int = 2048
    """Points in [-1, 1]^d that only judge: IoU is taken over them."""
    normalize: Literal["each", "none"] = "each"
    """Meshes: `each` is put into [-1, 1]^3 by its bounding box, `none` is there already."""
    augment: int = 0
    """Further fields of each shape, mirrored and scaled by up to 10 % along each axis."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("near", "uniform", "near_checks", "augment"):
            require(getattr(self, key) >= 0, key, "must not be negative", getattr(self, key))
        require(self.near + self.uniform > 0, "near", "and uniform must not both be 0", 0)
        require(self.uniform_checks > 0, "uniform_checks", "must be positive", self.uniform_checks)


class Points(NamedTuple):
    """Samples of N shapes as tensors: to fit, and to judge by."""

    points: Float[Tensor, "fields points dims"]
    values: Float[Tensor, "fields points"]
    check_points: Float[Tensor, "fields checks dims"]
    check_values: Float[Tensor, "fields checks"]


def fit_fields(
    sources: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    spec: FieldSpec | str = "talk",
    init: str | Path = "shared",
    config: FitConfig | None = None,
    samples: SampleConfig | None = None,
    limit: int | None = None,
    strict: bool = False,
    workers: int | None = None,
    cache: Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    on_step: Callable[[int, Tensor, Tensor], None] | None = None,
) -> FieldSet:
    """Fit one field to each shape and write the field set.

    Args:
        sources: files, folders or globs of meshes, voxel grids or images.
        out: folder to write.
        spec: architecture, or the name of a preset.
        init: `random` (unconditioned: each its own), `first` (conditioned: all from the first shape's field, the
            talk's method), `shared` (all from one field fitted to the pooled points of many shapes), or the path of a
            field or field set whose weights or base to start from.
        limit: use only the first so many shapes.
        strict: raise at the first unusable shape instead of skipping it.
        cache: folder that keeps samples for the next fit.
        resume: go on with the shards that an interrupted fit left.
        on_step: see `fit_batch`; called for the fields, not for the base.

    Raises:
        NfgenError: if no shape was usable, or the arguments do not go together.
    """
    spec = _find_spec(spec)
    config, samples = config or FitConfig(), samples or SampleConfig()
    refs = find_shapes(
        sources, kind="brightness" if spec.output == "brightness" else "sdf", normalize=samples.normalize
    )[:limit]
    wrong = next((ref for ref in refs if ref.dims != spec.dims), None)
    if wrong is not None:
        raise ConfigError(
            f"{wrong.id} is {wrong.dims}-D, the field is {spec.dims}-D",
            f"choose a spec of {wrong.dims} dims: {', '.join(k for k, s in PRESETS.items() if s.dims == wrong.dims)}",
        )
    refs = augmented(refs, samples.augment, config.seed)
    classes = tuple(sorted({ref.label for ref in refs if ref.label is not None}))
    plan: dict[str, Any] = {
        "spec": spec.to_json(),
        "init": str(init),
        "fit": config.to_json(),
        "samples": samples.to_json(),
        "shapes": [ref.id for ref in refs],
    }
    with artifact.writing(out, KIND, resume=resume, overwrite=overwrite, resumable=["shard-*.json"]) as folder:
        _agree_on_plan(folder, plan)
        job = _Job(spec, str(init), config, samples, classes, folder, strict, workers, cache)
        base = _base(job, refs)
        shards = [refs[start : start + config.batch] for start in range(0, len(refs), config.batch)]
        _fit_shards(job, shards, base, on_step)
        parts = [read_shard(folder, i, spec) for i in range(len(shards))]
        fields = FieldSet.joined(
            parts,
            spec=spec,
            classes=classes,
            base=base,
            uniform_checks=samples.uniform_checks,
            settings={key: plan[key] for key in ("init", "fit", "samples")},
        )
        if len(fields) == 0:
            reasons = "; ".join(entry["reason"] for entry in fields.skipped[:3])
            raise NfgenError(f"none of the {len(refs)} shapes was usable: {reasons}", "look at the shapes named")
        write_index(folder, fields, len(shards))
        (folder / PLAN).unlink()
    return fields


@dataclass(frozen=True)
class _Job:
    spec: FieldSpec
    init: str
    config: FitConfig
    samples: SampleConfig
    classes: tuple[str, ...]
    folder: Path
    strict: bool
    workers: int | None
    cache: Path | None
    kept: dict[str, Sampled] = field(default_factory=dict)
    """Samples that the base was fitted to: their shapes are fitted next."""

    def sample(self, refs: list[ShapeRef]) -> tuple[list[Sampled], list[dict[str, str]]]:
        s = self.samples
        missing = [ref for ref in refs if ref.id not in self.kept]
        done, skipped = sample_shapes(
            missing,
            s.near + s.near_checks,
            s.uniform + s.uniform_checks,
            self.config.seed,
            self.workers,
            self.strict,
            self.cache,
        )
        by_id = {one.ref.id: one for one in done} | {
            ref.id: self.kept.pop(ref.id) for ref in refs if ref.id in self.kept
        }
        return (
            [by_id[ref.id] for ref in refs if ref.id in by_id],
            [{"id": skip.id, "reason": skip.reason} for skip in skipped],
        )

    def points(self, sampled: Sequence[Sampled]) -> Points:
        """Split samples into those to fit and those to judge by, the former shuffled alike for all shapes."""
        s = self.samples
        points = torch.from_numpy(np.stack([one.samples.points for one in sampled]))
        values = torch.from_numpy(np.stack([one.samples.values for one in sampled]))
        near_end = s.near + s.near_checks
        fitted = torch.cat([torch.arange(s.near), torch.arange(near_end, near_end + s.uniform)])
        fitted = fitted[torch.randperm(len(fitted), generator=torch.Generator().manual_seed(self.config.seed))]
        checks = torch.cat([torch.arange(near_end + s.uniform, points.shape[1]), torch.arange(s.near, near_end)])
        return Points(points[:, fitted], values[:, fitted], points[:, checks], values[:, checks])

    def start(self, refs: Sequence[ShapeRef], base: Tensor | None) -> Tensor:
        """Initial weights [N, P]; random ones depend on the seed and the shape's id alone."""
        if base is not None:
            return base.expand(len(refs), -1).clone()
        seeds = [int.from_bytes(_digest(self.config.seed, ref.id)[:7], "big") for ref in refs]
        return torch.cat([initial_weights(self.spec, 1, torch.Generator().manual_seed(seed)) for seed in seeds])


def _fit_shards(
    job: _Job, shards: list[list[ShapeRef]], base: Tensor | None, on_step: Callable[[int, Tensor, Tensor], None] | None
) -> None:
    missing = [i for i in range(len(shards)) if not shard_exists(job.folder, i)]
    at_once = max(1, SAMPLED_AT_ONCE // job.config.batch)
    for some in (missing[start : start + at_once] for start in range(0, len(missing), at_once)):
        sampled, skipped = job.sample([ref for i in some for ref in shards[i]])
        by_id = {one.ref.id: one for one in sampled}
        with progress(len(sampled), "fit", "field") as bar:
            for i in some:
                ids = {ref.id for ref in shards[i]}
                usable = [by_id[ref.id] for ref in shards[i] if ref.id in by_id]
                part = _fit_shard(job, usable, base, on_step)
                part = replace(part, skipped=tuple(skip for skip in skipped if skip["id"] in ids))
                write_shard(job.folder, i, part)
                bar.update(len(usable), **_means(part))


def _means(part: FieldSet) -> dict[str, float]:
    return {key: float(np.mean([entry[key] for entry in part.report])) for key in ("loss", "iou")} if len(part) else {}


def _fit_shard(
    job: _Job, sampled: list[Sampled], base: Tensor | None, on_step: Callable[[int, Tensor, Tensor], None] | None
) -> FieldSet:
    spec, index = job.spec, {name: i for i, name in enumerate(job.classes)}
    empty = FieldSet(spec, torch.empty(0, spec.size), (), torch.empty(0, dtype=torch.long))
    if not sampled:
        return empty
    points = job.points(sampled)
    fit = fit_batch(
        spec, points.points, points.values, job.start([one.ref for one in sampled], base), job.config, base, on_step
    )
    centres = torch.tensor([[*one.transform.center, one.transform.scale] for one in sampled], dtype=torch.float64)
    fields = replace(
        empty,
        weights=fit.weights,
        ids=tuple(one.ref.id for one in sampled),
        labels=torch.tensor([-1 if one.ref.label is None else index[one.ref.label] for one in sampled]),
        transforms=centres,
        check_points=points.check_points,
        check_values=points.check_values,
        uniform_checks=job.samples.uniform_checks,
    )
    ious, distances = judge_fields(spec, fit.weights, fields)
    report = [
        {
            "id": id,
            "iou": iou,
            "sdf_l1": None if l1 != l1 else l1,
            "loss": loss,
            "steps": steps,
            "seconds": fit.seconds / len(sampled),
        }
        for id, iou, l1, loss, steps in zip(
            fields.ids, ious.tolist(), distances.tolist(), fit.losses.tolist(), fit.steps.tolist(), strict=True
        )
    ]
    return replace(fields, report=tuple(report))


def _base(job: _Job, refs: list[ShapeRef]) -> Tensor | None:
    """Where all fits start, or None if each starts at random; kept in the folder for a resumed fit."""
    if job.init == "random":
        return None
    kept = job.folder / "base.safetensors"
    if not kept.exists():
        base = _fitted_base(job, refs) if job.init in INITS else _read_base(job.init, job.spec)
        artifact.write_tensors(kept, {"weights": base})
    return artifact.read_tensors(kept)["weights"]


def _fitted_base(job: _Job, refs: list[ShapeRef]) -> Tensor:
    # A first shape that is unusable must not end the fit, so look on until one is found.
    wanted = 1 if job.init == "first" else min(SHARED_SHAPES, len(refs))
    sampled: list[Sampled] = []
    position = 0
    while len(sampled) < wanted and position < len(refs):
        sampled += job.sample(refs[position : position + wanted - len(sampled)])[0]
        position += wanted
    if not sampled:
        raise NfgenError(f"none of the {len(refs)} shapes was usable", "look at the shapes named")
    job.kept.update({one.ref.id: one for one in sampled})
    points = job.points(sampled)
    pooled, values = points.points.flatten(0, 1)[None], points.values.flatten()[None]
    config = job.config
    if job.init == "shared":
        config = replace(config, points=config.points * SHARED_STEPS_POINTS)
    order = torch.randperm(values.shape[1], generator=torch.Generator().manual_seed(config.seed))
    start = initial_weights(job.spec, 1, torch.Generator().manual_seed(config.seed))
    return fit_batch(job.spec, pooled[:, order], values[:, order], start, config).weights[0]


def _read_base(path: str, spec: FieldSpec) -> Tensor:
    if Path(path).is_dir():
        fields = FieldSet.load(path)
        found = Field(fields.spec, fields.weights[0] if fields.base is None else fields.base)
    elif Path(path).is_file():
        found = Field.load(path)
    else:
        raise ConfigError(f"there is no init {path!r}", f"known are {', '.join(INITS)}, or the path of a field")
    if found.spec != spec:
        raise ConfigError(f"the field at {path} has another spec than the fit", "give --spec the spec of that field")
    return found.weights


def _agree_on_plan(folder: Path, plan: dict[str, Any]) -> None:
    """A resumed fit must be the same fit: otherwise finished and new shards would not belong together."""
    if not (folder / PLAN).exists():
        artifact.write_json(folder / PLAN, plan)
        return
    before = artifact.read_json(folder / PLAN)
    changed = [key for key in plan if plan[key] != before.get(key)]
    if changed:
        raise ArtifactError(
            f"the fit to resume had other {' and '.join(changed)}",
            "repeat its arguments, or start anew without --resume",
        )


def sort_settings(settings: dict[str, Any]) -> tuple[FitConfig, SampleConfig]:
    """Tell settings of the fit and of the samples apart by their names.

    Raises:
        ConfigError: if neither has such a setting, or a value is wrong.
    """
    owners: tuple[type[Configuration], ...] = (FitConfig, SampleConfig)
    unknown = [key for key in settings if not any(key in owner.__dataclass_fields__ for owner in owners)]
    if unknown:
        known = ", ".join(key for owner in owners for key in owner.__dataclass_fields__)
        raise ConfigError(f"there is no setting {unknown[0]!r}", f"known are: {known}")
    chosen = [{key: value for key, value in settings.items() if key in owner.__dataclass_fields__} for owner in owners]
    return FitConfig.from_json(chosen[0]), SampleConfig.from_json(chosen[1])


def _find_spec(spec: FieldSpec | str) -> FieldSpec:
    if isinstance(spec, FieldSpec):
        return spec
    if spec not in PRESETS:
        raise ConfigError(f"there is no field spec {spec!r}", f"known are: {', '.join(PRESETS)}")
    return PRESETS[spec]


def _digest(seed: int, id: str) -> bytes:
    return hashlib.sha256(f"{seed}:{id}".encode()).digest()
