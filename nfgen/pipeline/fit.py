"""Shapes to a field set: sample, choose where fits start, fit batch by batch, keep every finished shard."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nfgen.errors import ConfigError
from nfgen.fields.accuracy import field_accuracy
from nfgen.fields.field_set import BASE, KIND, FieldSet, shard_exists, write_index, write_shard, write_sources
from nfgen.fields.spec import PRESETS, FieldSpec
from nfgen.fitting.config import FitConfig
from nfgen.fitting.in_memory import fields_at_once, fit_in_memory
from nfgen.fitting.init import INITS, find_base
from nfgen.fitting.job import FitJob, none_usable
from nfgen.fitting.merge import PARTS, pack
from nfgen.fitting.optimize import OnStep
from nfgen.fitting.snapshots import SnapshotRecorder
from nfgen.io import artifact, files, resuming
from nfgen.runtime.device import COMPUTED_ON, choose_device, describe, find_device, is_cpu, without_device
from nfgen.runtime.executor import Engine, create_engine
from nfgen.runtime.progress import progress
from nfgen.shapes import ShapeRef, find_shapes
from nfgen.shapes.augment import augmented
from nfgen.shapes.base import Kind
from nfgen.shapes.sample_many import Sampled

FINGERPRINT = 16  # letters: enough to tell two files of a name apart
SAMPLED_AT_ONCE = 512  # shapes whose samples are in memory together: about 130 MB at the defaults


def fit(
    sources: str | Path | Sequence[str | Path],
    out: str | Path,
    config: FitConfig | None = None,
    *,
    strict: bool = False,
    workers: int | None = None,
    cache: Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    snapshots: int = 0,
    on_step: OnStep | None = None,
    engine: Engine | str = "local",
    **settings: Any,
) -> FieldSet:
    """Fit one field to each shape and write the field set.

    Args:
        sources: files, folders or globs of meshes, voxel grids or images.
        out: folder to write.
        config: how to fit; `settings` are single ones of it, such as `steps=100, near=2000`.
        strict: raise at the first unusable shape instead of skipping it.
        cache: folder that keeps samples for the next fit.
        resume: go on with the shards that an interrupted fit left.
        snapshots: how many times to keep the weights of the first fields on their way, for a report; 0 = never.
        on_step: see `fit_batch`; called for the fields, not for the base, and only by the local engine.
        engine: where shapes are sampled and fitted, `config.batch_size` of them a task; see `create_engine`. The base
            is fitted here.

    Raises:
        NfgenError: if no shape was usable, or the arguments do not go together.
    """
    config, engine = FitConfig.given(config, settings), create_engine(engine)
    if on_step is not None and not engine.here:
        raise ConfigError("on_step is called by the local engine only", "leave it out, or fit with engine local")
    spec, refs = list_shapes(sources, config)
    config = config.replace(spec=spec)
    classes = tuple(sorted({ref.label for ref in refs if ref.label is not None}))
    device = choose_device(config.device)
    plan = without_device(config.to_json()) | {
        "shapes": contents_of(refs),
        "start": None
        if config.init in INITS or not Path(config.init).exists()
        else files.content_digest(Path(config.init)),
    }
    resumable = [f"{PARTS}/shard-*.json", BASE, artifact.CONFIG]
    with artifact.writing(out, KIND, resume=resume, overwrite=overwrite, resumable=resumable) as folder:
        if not (folder / artifact.CONFIG).exists():
            resuming.agree_on_plan(folder, "fit", plan)
            (folder / PARTS).mkdir(exist_ok=True)
            job = FitJob(spec, config, classes, folder, strict, workers, cache)
            base = find_base(job, refs)
            shards = [refs[start : start + config.batch_size] for start in range(0, len(refs), config.batch_size)]
            # A resumed fit kept those of its first shard when it began.
            recorded = snapshots > 0 and not shard_exists(folder / PARTS, 0)
            recorder = SnapshotRecorder(folder, config.steps, snapshots) if recorded else None
            if recorder is not None and not engine.here:
                _fit_shards(job, shards[:1], base, recorder, create_engine("local"))
                recorder = None
            _fit_shards(job, shards, base, _each([recorder, on_step]), engine)
            fields = replace(
                pack(folder, len(shards), spec),
                classes=classes,
                base=base,
                uniform_eval=config.samples.uniform_eval,
                settings=config.to_json() | {COMPUTED_ON: describe(device)},
            )
            if len(fields) == 0:
                raise none_usable(fields.skipped)
            write_sources(folder, _absolute(sources))
            write_index(folder, fields)
        # What only an interrupted fit needs.
        shutil.rmtree(folder / PARTS, ignore_errors=True)
        (folder / resuming.PLAN).unlink(missing_ok=True)
    return FieldSet.load(out)


def contents_of(refs: Sequence[ShapeRef]) -> dict[str, str]:
    """Of each shape a fingerprint of its file, and of what lies beside it for it."""
    seen: dict[Path, str] = {}
    for ref in refs:
        if ref.path not in seen and ref.path.is_file():
            buffers = sorted(ref.path.parent.glob("*.bin")) if ref.path.suffix.lower() == ".gltf" else []
            seen[ref.path] = files.content_digest(ref.path, *buffers)[:FINGERPRINT]
    return {ref.id: f"{seen.get(ref.path, '')} {ref.label or ''}".strip() for ref in refs}


def list_shapes(sources: str | Path | Sequence[str | Path], config: FitConfig) -> tuple[FieldSpec, list[ShapeRef]]:
    """The spec, and the shapes to fit, augmented copies included.

    Raises:
        ConfigError: if there is no such spec, or it is for shapes of other dimensions.
    """
    spec = _find_spec(config.spec)
    kind: Kind = "brightness" if spec.output == "brightness" else "sdf"
    refs = find_shapes(sources, kind=kind, normalize=config.samples.normalize, reading=config.reading)[: config.limit]
    wrong = next((ref for ref in refs if ref.dims != spec.dims), None)
    if wrong is not None:
        raise ConfigError(
            f"{wrong.id} is {wrong.dims}-D, the field is {spec.dims}-D",
            f"choose a spec of {wrong.dims} dims: {', '.join(k for k, s in PRESETS.items() if s.dims == wrong.dims)}",
        )
    return spec, augmented(refs, config.samples.copies, config.seed)


def _fit_shards(
    job: FitJob, shards: list[list[ShapeRef]], base: Tensor | None, on_step: OnStep | None, engine: Engine
) -> None:
    """Fit the shards that are not there yet, and write each as a part."""
    missing = [i for i in range(len(shards)) if not shard_exists(job.folder / PARTS, i)]
    device = find_device(job.config.device)
    together = fields_at_once(job.spec, job.config, device) // job.config.batch_size if engine.here else 1
    groups = [missing[start : start + together] for start in range(0, len(missing), together)]
    tasks: Iterator[list[list[ShapeRef]]] = ([shards[i] for i in group] for group in groups)
    if engine.here:
        tasks = _sampled_ahead(job, [[shards[i] for i in group] for group in groups])
    else:
        # The processes are the parallelism; samples of the base would be sent to all of them.
        job = replace(job, workers=1, kept={})
    with progress(sum(len(shards[i]) for i in missing), "fit", "shape") as bar:
        fits = partial(fit_shards, job, base, on_step)
        for place, parts in engine.map(fits, tasks, accelerated=not is_cpu(device)):
            for number, part in zip(groups[place], parts, strict=True):
                write_shard(job.folder / PARTS, number, part)
                bar.update(len(shards[number]), **_means(part))


def _sampled_ahead(job: FitJob, groups: list[list[list[ShapeRef]]]) -> Iterator[list[list[ShapeRef]]]:
    """The groups of shards one by one; the shapes of several are sampled together, over processes."""
    at_once = max(1, SAMPLED_AT_ONCE // sum(map(len, groups[0]))) if groups else 1
    for start in range(0, len(groups), at_once):
        some = groups[start : start + at_once]
        job.prepare([ref for group in some for shard in group for ref in shard])
        yield from some


def fit_shards(
    job: FitJob, base: Tensor | None, on_step: OnStep | None, shards: list[list[ShapeRef]]
) -> list[FieldSet]:
    """Sample the shapes of shards and fit a field to each that can be used, all at once."""
    found = [job.sample(refs) for refs in shards]
    fitted = _fitted(job, [one for sampled, _ in found for one in sampled], base, on_step)
    parts, end = [], 0
    for sampled, skipped in found:
        start, end = end, end + len(sampled)
        parts.append(replace(fitted.select(torch.arange(start, end)), skipped=tuple(skipped)))
    return parts


def _means(part: FieldSet) -> dict[str, float]:
    return {key: float(np.mean([entry[key] for entry in part.report])) for key in ("loss", "iou")} if len(part) else {}


def _fitted(job: FitJob, sampled: list[Sampled], base: Tensor | None, on_step: OnStep | None) -> FieldSet:
    spec, index = job.spec, {name: i for i, name in enumerate(job.classes)}
    empty = FieldSet(spec, torch.empty(0, spec.size), (), torch.empty(0, dtype=torch.long))
    if not sampled:
        return empty
    points = job.points(sampled)
    device = find_device(job.config.device)
    start = job.start([one.ref for one in sampled], base).to(device)
    pulled = None if base is None else base.to(device)
    fit = fit_in_memory(spec, points.points.to(device), points.values.to(device), start, job.config, pulled, on_step)
    placed = torch.tensor([one.transform.to_row() for one in sampled], dtype=torch.float64)
    fields = replace(
        empty,
        weights=fit.weights.cpu(),
        ids=tuple(one.ref.id for one in sampled),
        labels=torch.tensor([-1 if one.ref.label is None else index[one.ref.label] for one in sampled]),
        transforms=placed,
        eval_points=points.eval_points,
        eval_values=points.eval_values,
        uniform_eval=job.config.samples.uniform_eval,
    )
    ious, distances = field_accuracy(spec, fit.weights, fields)
    report = [
        {
            "id": id,
            "iou": iou,
            "sdf_l1": None if l1 != l1 else l1,
            "loss": loss,
            "steps": steps,
            "seconds": fit.seconds / len(sampled),
        }
        | ({"lost": one.lost} if one.lost else {})
        | ({"notes": list(one.notes)} if one.notes else {})
        for one, id, iou, l1, loss, steps in zip(
            sampled, fields.ids, ious.tolist(), distances.tolist(), fit.losses.tolist(), fit.steps.tolist(), strict=True
        )
    ]
    return replace(fields, report=tuple(report))


def _each(listeners: Sequence[OnStep | None]) -> OnStep | None:
    """One listener that tells all; None if there is none, which costs nothing."""
    present = [listener for listener in listeners if listener is not None]

    def tell(step: int, weights: Tensor, losses: Tensor) -> None:
        for listener in present:
            listener(step, weights, losses)

    return tell if present else None


def _absolute(sources: str | Path | Sequence[str | Path]) -> list[str]:
    """Where shapes lie, so that a report can show them beside their fields."""
    given = [sources] if isinstance(sources, str | Path) else sources
    return [str(Path.cwd() / Path(source).expanduser()) for source in given]


def _find_spec(spec: FieldSpec | str) -> FieldSpec:
    if isinstance(spec, FieldSpec):
        return spec
    if spec not in PRESETS:
        raise ConfigError(f"there is no field spec {spec!r}", f"known are: {', '.join(PRESETS)}")
    return PRESETS[spec]
