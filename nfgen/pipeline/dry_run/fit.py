"""What a fit would take: a few shapes are sampled and fitted for a few steps, and nothing is kept."""

import tempfile
from pathlib import Path
from typing import Any

import torch

from nfgen.fields.accuracy import field_accuracy
from nfgen.fields.field_set import FieldSet
from nfgen.fitting.config import FitConfig
from nfgen.fitting.in_memory import fields_at_once
from nfgen.fitting.init import SHARED_SHAPES, SHARED_STEPS_POINTS
from nfgen.fitting.job import FitJob, none_usable
from nfgen.fitting.optimize import fit_batch
from nfgen.pipeline.fit import SAMPLED_AT_ONCE, list_shapes
from nfgen.runtime.device import find_device, free_memory, synchronize
from nfgen.runtime.device import peak_memory as device_peak_memory
from nfgen.runtime.machine import peak_memory, processors
from nfgen.shapes import ShapeRef
from nfgen.shapes.guarded import is_plain
from nfgen.shapes.sample_many import Sampled

from .estimate import Plan, per_turn, silent, timed

PROBED = 6  # shapes that are sampled: spread over all, as large ones may stand together
WORKER_START = 4.0  # seconds until a new process has imported what sampling needs


def plan_fit(sources: Any, config: FitConfig | None = None, *, workers: int | None = None, **settings: Any) -> Plan:
    """What `fit` with these arguments would take; `tolerance` can only make it shorter.

    Raises:
        NfgenError: if none of the probed shapes is usable.
        ConfigError: as `fit` does.
    """
    config = FitConfig.given(config, settings)
    spec, refs = list_shapes(sources, config)
    device = find_device(config.device)
    free = free_memory(device)
    chosen = [refs[i * len(refs) // min(PROBED, len(refs))] for i in range(min(PROBED, len(refs)))]
    with silent(), tempfile.TemporaryDirectory() as folder:
        job = FitJob(spec, config, (), Path(folder), False, 1, None)
        found, unusable = job.sample(chosen[:1])  # pays for the imports
        timed_ones = chosen[1:] or chosen
        sampling = _seconds_a_shape(job, timed_ones, found, unusable) * len(refs)
        if not found:
            raise none_usable(unusable)
        at_once = min(fields_at_once(spec, config, device), len(refs))
        points = job.points([found[i % len(found)] for i in range(at_once)])
        inputs, values = points.points.to(device), points.values.to(device)
        start = torch.zeros(at_once, spec.size, device=device)

        def fit(steps: int) -> None:
            fit_batch(spec, inputs, values, start, config.replace(steps=steps))
            synchronize(device)

        once, turn = per_turn(fit)
        shards = len(refs) / at_once
        seconds = {"sampling": _over_processes(sampling, len(refs), workers)}
        if config.init in ("first", "shared"):
            times, count = (SHARED_STEPS_POINTS, min(SHARED_SHAPES, len(refs))) if config.init == "shared" else (1, 1)
            of_base = config.replace(points=config.points * times)
            several = job.points([found[i % len(found)] for i in range(count)])
            all_points, all_values = several.points.flatten(0, 1)[None], several.values.flatten()[None]
            all_points, all_values = all_points.to(device), all_values.to(device)

            def base(steps: int) -> None:
                fit_batch(spec, all_points, all_values, start[:1], of_base.replace(steps=steps))
                synchronize(device)

            base_once, base_turn = per_turn(base)
            seconds["base"] = base_once + config.steps * base_turn
        seconds["fitting"] = shards * (once + config.steps * turn)
        judged = FieldSet(
            spec,
            start,
            tuple(map(str, range(at_once))),
            torch.full((at_once,), -1),
            eval_points=points.eval_points,
            eval_values=points.eval_values,
            uniform_eval=config.samples.uniform_eval,
        )
        seconds["judging"] = shards * timed(lambda: field_accuracy(spec, start, judged))
    bytes_a_shape = 4 * (spec.dims + 1) * sum(points.points.shape[1:2] + points.eval_points.shape[1:2])
    waiting = max(0, min(SAMPLED_AT_ONCE, len(refs)) - at_once) * bytes_a_shape
    counts = {"shapes": len(refs), "weights a field": spec.size}
    return Plan(counts, seconds, peak_memory() + waiting, device_peak_memory(device), free)


def _seconds_a_shape(job: FitJob, refs: list[ShapeRef], found: list[Sampled], unusable: list[dict[str, str]]) -> float:
    """Sample shapes, put them and those that are unusable into lists, and give the time of one."""

    def sample() -> None:
        usable, skipped = job.sample(refs)
        found.extend(usable)
        unusable.extend(skipped)

    several = timed(sample)
    if len(refs) == 1 or all(is_plain(ref) for ref in refs):
        return several / len(refs)
    # They are read in another process, whose start is paid once.
    return max(several - timed(lambda: job.sample(refs[:1])), 0.0) / (len(refs) - 1)


def _over_processes(seconds: float, shapes: int, workers: int | None) -> float:
    """Sampling by one process takes so long; by several, less, but they must start first."""
    available = processors()
    processes = min(workers or available, shapes)
    return min(seconds, seconds / processes + WORKER_START) if processes > 1 else seconds
