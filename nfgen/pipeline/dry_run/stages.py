"""What `tokenize`, `train` and `generate` would take: each is tried on a few fields, for a few steps."""

import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from nfgen.fields.field_set import FieldSet
from nfgen.io import artifact
from nfgen.io.pictures import read_rgb
from nfgen.models.generation.generate import fitting_batch, sample
from nfgen.pipeline.config import GenerateConfig, TrainConfig
from nfgen.pipeline.finish import finish
from nfgen.pipeline.generate import require_possible
from nfgen.pipeline.initial_model import new_model
from nfgen.pipeline.run import Run, probe_values, read_prefix
from nfgen.pipeline.sample_set import surface_or_none, write_sample
from nfgen.pipeline.sampling_choice import open_run
from nfgen.pipeline.tokenize import chosen_synthetic, chosen_views, tokenize
from nfgen.pipeline.train import require_fitting_tokens, with_steps
from nfgen.pipeline.training_monitor import CELLS, SAMPLES
from nfgen.runtime.device import find_device, free_memory, is_cpu
from nfgen.runtime.device import peak_memory as device_peak_memory
from nfgen.runtime.machine import peak_memory
from nfgen.tokenizers import registry as tokenizers
from nfgen.tokenizers.config import TokenizeConfig
from nfgen.tokens.decoding import decode_fields
from nfgen.tokens.token_set import TOKENIZER, TokenSet
from nfgen.viz.contact_sheet import contact_sheet, save_png
from nfgen.viz.render import render_mesh

from .estimate import PROBE_STEPS, Plan, silent, timed
from .model_cost import middle_tokens, sampling_cost, training_cost

FIELDS = 8, 24
"""Numbers of fields that a tokenizer is tried on: the difference is what a field costs."""
SHORT = 1.0  # seconds: sequences that take less are generated for real
WRITTEN = 2  # samples that are meshed and written


def plan_tokenize(
    fields: FieldSet | str | Path, tokenizer: str | None = None, config: TokenizeConfig | None = None, **settings: Any
) -> Plan:
    """What `tokenize` with these arguments would take.

    Raises:
        ConfigError: as `tokenize` does.
    """
    fields = fields if isinstance(fields, FieldSet) else FieldSet.load(fields)
    config = TokenizeConfig.given(config, settings | ({"tokenizer": tokenizer} if tokenizer else {}))
    with silent(), tempfile.TemporaryDirectory() as folder:
        device = find_device(config.device)
        free = free_memory(device)
        seconds, tokens = _try_tokenizer(fields, Path(folder), config)
    return Plan(_counts(tokens, len(fields)), {"tokenizer": seconds}, peak_memory(), device_peak_memory(device), free)


def plan_train(source: str | Path, config: TrainConfig | None = None, **settings: Any) -> Plan:
    """What `train` with these arguments would take, if no patience ends it earlier. Where the held-out loss of a few
    hundred fields ends it, nobody knows when: then it is assumed that they are passed over as often as if none were.

    Raises:
        ConfigError: as `train` does.
    """
    config = TrainConfig.given(config, settings)
    device = find_device(config.device)
    free = free_memory(device)
    seconds: dict[str, float] = {}
    with silent(), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if artifact.kind_of(source) == "fields":
            fields = FieldSet.load(source)
            seconds["tokenizer"], tokens = _try_tokenizer(fields, folder, config.of_tokenizer)
            count, tokens_folder = len(fields), folder / "tokens"
        else:
            tokens, tokens_folder = TokenSet.load(source), Path(source)
            require_fitting_tokens(tokens_folder, config)
            count = len(tokens)
        fitted = tokenizers.load(tokens_folder / TOKENIZER)
        model, model_settings, init = new_model(config, fitted)
        rows = torch.arange(count) % len(tokens)
        known = int((~tokens.heldout[rows]).sum())
        has = {"heldout": False, "views": tokens.views is not None, "made_up": tokens.synthetic is not None}
        config = with_steps(config, model, known, **has, tuned=init is not None)
        cost = training_cost(
            model,
            model_settings,
            tokens.vocabulary,
            tokens.tokens[rows] if tokens.vocabulary.continuous else tokens.tokens[rows].long(),
            tokens.labels[rows],
            tokens.heldout[rows],
            config,
        )
        seconds["training"] = cost.total(config)
        some = tokens.tokens[: FIELDS[0]]
        decoded = decode_fields(fitted, some)
        ended = timed(lambda: probe_values(decode_fields(fitted, some))) / len(some) * count
        steps = seconds["training"] / cost.step if config.last_step is None else config.last_step
        if config.sample_every and steps >= config.sample_every:
            drawing = sampling_cost(cost.model, SAMPLES)
            if decoded[0].spec.dims == 3:
                drawing += SAMPLES * timed(lambda: render_mesh(decoded[0].mesh(CELLS)))
            seconds["pictures"] = drawing * (steps // config.sample_every)
        seconds["training fields"] = ended
    counts = {"model": model, "parameters": cost.model.parameter_count, **_counts(tokens, count)}
    return Plan(counts, seconds, peak_memory(), device_peak_memory(device), free)


def plan_generate(run: Run | str | Path, config: GenerateConfig | None = None, **settings: Any) -> Plan:
    """What `generate` with these arguments would take, if no sample is drawn again.

    Raises:
        ConfigError: as `generate` does.
    """
    run, config = open_run(run, GenerateConfig.given(config, settings))
    require_possible(run, config)
    vocabulary, n, sampling = run.model.vocabulary, config.n, config.sampling
    device = next(run.model.parameters()).device
    free = free_memory(device)
    with silent(), tempfile.TemporaryDirectory() as name:
        seconds = {"tokens": sampling_cost(run.model, n, config.batch_size, sampling)}
        few = min(n, WRITTEN)
        quick = sampling_cost(run.model, few) < SHORT
        drawn = sample(
            run.model,
            few if quick else 0,
            sampling,
            label=run.class_index(config.label),
            prefix=None if config.prefix is None else read_prefix(run, config.prefix, config.prefix_length),
            reference_model=run.reference_model,
        )
        tokens = drawn if quick else middle_tokens(vocabulary, few)
        fields: list[Any] = []
        pictures: list[Any] = []

        def decode() -> None:
            fields.extend(decode_fields(run.tokenizer, tokens))
            run.nearest(fields)

        def write() -> None:
            for index, field in enumerate(fields):
                mesh = surface_or_none(field, config.meshing.resolution) if field.spec.dims == 3 else None
                made = None if mesh is None else finish(field, mesh, config.meshing, config.meshing.format)
                write_sample(Path(name), f"probe-{index}", field, made, run.frame, config.meshing.format, up=run.up)

        def sheet() -> None:
            save_png(Path(name) / "sheet.png", contact_sheet(pictures))

        seconds["decoding"] = timed(decode) / few * n
        seconds["meshes and pictures"] = timed(write) / few * n
        pictures += [read_rgb(file) for file in sorted(Path(name).glob("probe-?.png"))]
        seconds["contact sheet"] = timed(sheet) / few * n
    counts = {"samples": n, "parameters": run.model.parameter_count, "tokens a sample": vocabulary.length}
    cache = (
        sampling.passes * min(n, config.batch_size or fitting_batch(run.model, sampling)) * run.model.bytes_per_sample
    )
    if is_cpu(device):
        return Plan(counts, seconds, peak_memory() + cache)
    weights = sum(weight.nbytes for weight in run.model.parameters())
    # One batch has been drawn, of the right size, unless sequences are so long that few rows were enough.
    on_device = max(device_peak_memory(device) or 0, weights + cache)
    return Plan(counts, seconds, peak_memory(), on_device, free)


def _try_tokenizer(fields: FieldSet, folder: Path, config: TokenizeConfig) -> tuple[float, TokenSet]:
    """Seconds that tokenising all fields would take, and the tokens of a few, left in `folder / "tokens"`."""
    tokenizer = tokenizers.create(config.tokenizer, **config.tokenizer_settings)
    tokenizer.settle(fields.spec)
    chosen = tokenizer.config
    config = config.replace(views=chosen_views(config, len(fields)))
    a_field_made_up = chosen_synthetic(config, fields, tokenizer) / len(fields)
    few, more = (min(count, len(fields)) for count in FIELDS)
    steps, minutes = getattr(chosen, "steps", None), getattr(chosen, "minutes", None)
    looped = isinstance(steps, int)

    def seconds(count: int, turns: int, out: str, *, bare: bool = False) -> float:
        short = {"steps": turns} if looped else {}
        some = fields.select(torch.arange(count))
        started = time.perf_counter()
        shorter = config.replace(
            tokenizer_settings=config.tokenizer_settings | short,
            synthetic=0 if bare else round(count * a_field_made_up),
            views=0 if bare else config.views,
        )
        tokenize(some, folder / out, config=shorter)
        return time.perf_counter() - started

    seconds(few, PROBE_STEPS[0], "first")  # pays for memory and threads
    at_few = seconds(few, PROBE_STEPS[0], "few")
    at_more = seconds(more, PROBE_STEPS[0], "tokens")
    a_field = max(at_more - at_few, 0.0) / (more - few) if more > few else 0.0
    total = at_more + (len(fields) - more) * a_field
    if looped:
        # Without copies and made-up shapes, whose times differ by more than some steps take.
        shorter, longer = (seconds(more, turns, f"{turns}", bare=True) for turns in PROBE_STEPS)
        a_step = max(longer - shorter, 0.0) / (PROBE_STEPS[1] - PROBE_STEPS[0])
        loop = a_step * (int(steps or 0) - PROBE_STEPS[0])
        total += loop if minutes is None else min(loop, 60 * float(minutes))
    return total, TokenSet.load(folder / "tokens")


def _counts(tokens: TokenSet, fields: int) -> dict[str, int | str]:
    vocabulary = tokens.vocabulary
    kinds = f"{vocabulary.codes:,}" if vocabulary.codes else f"{vocabulary.width} numbers each"
    return {"fields": fields, "tokens a field": vocabulary.length, "codes": kinds, "tokens": fields * vocabulary.length}
