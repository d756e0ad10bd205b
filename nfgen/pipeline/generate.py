"""A run to new fields, meshes and pictures."""

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from nfgen.errors import NfgenError
from nfgen.fields.field import Field
from nfgen.io import artifact, files, resuming
from nfgen.models.generation.generate import sample
from nfgen.runtime.device import COMPUTED_ON, announce, describe, is_cpu, without_device
from nfgen.runtime.executor import Engine, create_engine, in_order
from nfgen.runtime.progress import progress

from .balance import COUNTS, Balance
from .config import GenerateConfig
from .finish import check_finish
from .meshed_sample import AcceptanceRules, MeshedSample, Taking, make_sample
from .run import Run, read_prefix
from .sample_journal import JOURNAL, Journal
from .sample_set import KIND, Sample, write_list
from .sampling_choice import open_run

DRAWN = "drawn-{}.safetensors"
"""Tokens that are not yet all meshed, from the index of the first."""
DRAWN_AT_ONCE = 256


def generate(
    run: Run | str | Path,
    out: str | Path,
    config: GenerateConfig | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    engine: Engine | str = "local",
    **settings: Any,
) -> list[Sample]:
    """Generate new fields, and write of each its mesh (or image), the field and a picture.

    Args:
        run: a run, or the folder of one.
        out: folder to write.
        config: how many, of which class, and how tokens are drawn, accepted and meshed; `settings` are single ones of
            it, such as `n=4, temperature=0.9, require_surface=True, format="obj"`.
        resume: go on with the samples that an interrupted call left.
        engine: where tokens are drawn and fields are meshed, see `create_engine`.

    Raises:
        ConfigError: if a class, prefix or number is wrong.
        NfgenError: if too few samples are as required.
    """
    config, engine = GenerateConfig.given(config, settings), create_engine(engine)
    run_path = "" if isinstance(run, Run) else str(run)
    run, config = open_run(run, config)
    device = run.device
    announce(device)
    prefix = None if config.prefix is None else read_prefix(run, config.prefix, config.prefix_length)
    require_possible(run, config)
    with artifact.writing(out, KIND, resume=resume, overwrite=overwrite, resumable=[JOURNAL]) as folder:
        resuming.agree_on_plan(folder, "generation", _plan(run_path, run, config, prefix))
        journal = Journal(folder)
        rules = AcceptanceRules.of(config.acceptance, config.n, len(run.train_ids))
        balance = Balance.asked(run, config)
        each = partial(engine.map, accelerated=not is_cpu(device))
        draws = _draw(folder, config.n, partial(each, partial(drawn, run, config, prefix, balance)))
        made = partial(make_sample, run, rules, config.meshing)
        _write_samples(folder, journal, draws, lambda tokens: in_order(each(made, tokens)), config, rules)
        about = {
            "run": run_path,
            "settings": config.to_json(),
            COMPUTED_ON: describe(device),
            "frame": None if run.frame is None else run.frame.to_json(),
            "up": run.up,
            "empty": journal.empties,
            "dropped": journal.dropped,
            "draws": journal.draws(),
        }
        write_list(folder, journal.samples, about)
        for used in (folder / JOURNAL, folder / resuming.PLAN, *folder.glob(DRAWN.format("*"))):
            used.unlink(missing_ok=True)
    return journal.samples


def require_possible(run: Run, config: GenerateConfig) -> None:
    """Say what cannot be done before anything is drawn.

    Raises:
        ConfigError: no class of that name, a package that is missing, an offset of fields that have none, or
            `balanced` of a run that did not count its draws.
    """
    run.class_index(config.label)
    check_finish(config.meshing, config.meshing.format)
    Balance.asked(run, config)
    if config.meshing.offset:
        spec = run.tokenizer.decoded_spec
        Field(spec, torch.zeros(spec.size)).offset(config.meshing.offset)


def _plan(run_path: str, run: Run, config: GenerateConfig, prefix: Tensor | None) -> dict[str, Any]:
    """What a generation to resume must have had in common: its settings, but not the device, and what it reads."""
    contrasted = [run.reference_model] if run.reference_model and config.sampling.contrastive_weight else []
    return without_device(config.to_json()) | {
        "run": run_path,
        "frame": None if run.frame is None else run.frame.to_json(),
        "up of files": run.up,
        "tokenizer": files.digest(run.tokenizer.tensors()),
        "training fields": [files.digest({"probes": run.train_probes}), files.json_digest(run.train_ids)],
        "weights": [files.digest(dict(model.state_dict())) for model in (run.model, *contrasted)],
        "prefix": None if prefix is None else prefix.tolist(),
        "nearest counts": run.config.get(COUNTS),
    }


def _write_samples(
    folder: Path,
    journal: Journal,
    drawn: Iterator[tuple[int, Tensor]],
    make: Callable[[Iterator[Tensor]], Iterator[MeshedSample]],
    config: GenerateConfig,
    rules: AcceptanceRules,
) -> None:
    """Write samples until the journal has n of them; those that it has already are passed over."""
    n = config.n
    if len(journal.samples) >= n:
        return
    drawn = itertools.dropwhile(lambda one: one[0] < journal.seen, drawn)
    taking = Taking(rules, n, (sample.nearest["id"] for sample in journal.samples if sample.nearest))
    if not rules.surface and rules.alike is None:
        drawn = itertools.islice(drawn, n - len(journal.samples))  # an engine that works ahead need not go beyond
    # The same sequences twice: once to be made, elsewhere perhaps, and once for whoever writes what was made of them.
    drawn, known = itertools.tee(drawn)
    with progress(n, "mesh", "sample") as bar:
        bar.update(len(journal.samples))
        for (index, tokens), one in zip(known, make(tokens for _, tokens in drawn), strict=False):
            known_by = None if one.nearest is None else str(one.nearest["id"])
            why = taking.refusal(accepted=one.accepted, empty=one.empty, nearest=known_by)
            if why is not None:
                journal.add(index, None, empty=one.empty, body=one.body, why=why)
                try:
                    taking.require_hope(len(journal.samples), index)
                except NfgenError:
                    journal.remove()
                    raise
                continue
            sample_ = one.write(folder, len(journal.samples), tokens, config.seed, index, config.label)
            journal.add(index, sample_, empty=one.empty, body=one.body)
            bar.update(1, empty=journal.empties, dropped=journal.dropped)
            if len(journal.samples) == n:
                return


def _draw(
    folder: Path, n: int, draw: Callable[[Iterator[tuple[int, int]]], Iterator[tuple[int, tuple[Tensor, Tensor]]]]
) -> Iterator[tuple[int, Tensor]]:
    """Indices and tokens of draws without end, those that are kept; draw i is the same however many are drawn.

    Tokens are kept in the folder: a resumed call meshes them and need not draw them again.
    """
    count = min(n, DRAWN_AT_ONCE)
    firsts = range(0, n, count)
    while True:
        missing = [first for first in firsts if not (folder / DRAWN.format(first)).exists()]
        drawn = draw((first, count) for first in missing)
        for first in firsts:
            while not (folder / DRAWN.format(first)).exists():
                place, (tokens, kept) = next(drawn)
                files.write_tensors(folder / DRAWN.format(missing[place]), {"tokens": tokens, "kept": kept})
            stored = files.read_tensors(folder / DRAWN.format(first))
            yield from ((first + i, stored["tokens"][i]) for i in stored["kept"].nonzero()[:, 0].tolist())
        firsts = range(firsts[-1] + count, firsts[-1] + count + n, count)


def drawn(
    run: Run, config: GenerateConfig, prefix: Tensor | None, balance: Balance | None, task: tuple[int, int]
) -> tuple[Tensor, Bool[Tensor, "draws"]]:
    """Tokens of the draws from the index of the first, and which of them are kept, before any is meshed."""
    first, count = task
    tokens = sample(
        run.model,
        count,
        config.sampling,
        seed=config.seed,
        first=first,
        label=run.class_index(config.label),
        prefix=prefix,
        batch_size=config.batch_size,
        reference_model=run.reference_model,
    )
    if balance is None:
        return tokens, torch.ones(count, dtype=torch.bool)
    return tokens, balance.choose(run.tokenizer, tokens, config.seed, first)
