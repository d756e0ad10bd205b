"""Shapes of one's own, changed by a run: parts drawn anew, a part completed, between two shapes, or put together."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from nfgen.config import require
from nfgen.errors import ConfigError
from nfgen.fitting.config import FitConfig
from nfgen.io import artifact
from nfgen.models.generation.generate import require_any_order, sample
from nfgen.runtime.device import COMPUTED_ON, announce, describe
from nfgen.runtime.progress import progress
from nfgen.tokenizers.vq import editing
from nfgen.tokenizers.vq.tokenizer import VQTokenizer

from .config import OF_EDITS, AcceptanceConfig, EditConfig, GenerateConfig, How
from .edit_source import read_source
from .finish import check_finish
from .meshed_sample import AcceptanceRules, make_sample
from .run import Run
from .sample_set import KIND, Sample, write_list
from .sampling_choice import open_run

DRAWN: tuple[How, ...] = ("vary", "complete")
"""What takes a prior; the others take a tokenizer alone."""


def edit(
    how: How,
    run: Run | str | Path,
    sources: str | Path | Sequence[str | Path],
    out: str | Path,
    config: EditConfig | None = None,
    *,
    overwrite: bool = False,
    **settings: Any,
) -> list[Sample]:
    """Change shapes in the tokens of a run, and write samples as `generate` does.

    `vary` draws a share of a shape's cells again, `complete` keeps some cells and draws the rest; both need a gpt that
    was trained with `random_order`. `interpolate` goes from one shape to another in the latents of the tokenizer, `mix`
    takes the cells on one side of a plane from the first and on the other from the second.

    Args:
        how: vary, complete, interpolate or mix.
        run: a run whose tokenizer is `vq` or `graph`, or the folder of one.
        sources: one shape for vary and complete, two for the others, see `read_source`.
        out: folder to write.
        config: how many and how; `settings` are single ones of it, such as `n=4, share=0.5`.

    Raises:
        ConfigError: if the run cannot do it, a setting is of another way of editing, or a source is none.
        NfgenError: if a shape cannot be used.
    """
    config = EditConfig.given(config, settings)
    given = [sources] if isinstance(sources, str | Path) else list(sources)
    require_fitting(how, len(given), config)
    run_path = "" if isinstance(run, Run) else str(run)
    run, drawing = open_run(run, config.of_generation)
    require_editable(how, run)
    check_finish(config.meshing, config.meshing.format)
    announce(run.device)
    with artifact.writing(out, KIND, overwrite=overwrite) as folder:
        fitting = FitConfig(steps=config.fit_steps, device=config.device, seed=config.seed)
        read = [read_source(run, source, fitting) for source in given]
        tokens = edited_tokens(how, run, read, config, drawing)
        samples = _written(run, tokens, config, folder)
        about = {
            "run": run_path,
            "settings": drawing.replace(n=len(samples)).to_json(),
            "edit": {"how": how, "sources": [str(source) for source in given], **_own(how, config)},
            COMPUTED_ON: describe(run.device),
            "frame": None if run.frame is None else run.frame.to_json(),
            "up": run.up,
            "empty": sum(one.empty for one in samples),
        }
        write_list(folder, samples, about)
    return samples


def edited_tokens(
    how: How, run: Run, shapes: Sequence[Int[Tensor, "tokens"]], config: EditConfig, drawing: GenerateConfig
) -> Int[Tensor, "samples tokens"]:
    """The tokens of the samples that `edit` makes of the tokens of shapes.

    Args:
        config: that `require_fitting` has let through.
        drawing: all settings of generation, what was not set as the run chose.

    Raises:
        ConfigError: if the run cannot do it, or nothing of the shape would be kept.
    """
    tokenizer, first, second = require_editable(how, run), shapes[0], shapes[-1]
    if how in DRAWN:
        kept = _kept(how, tokenizer, first, config)
        return _drawn(run, torch.where(kept, first, -1), drawing)
    if how == "interpolate":
        return editing.interpolate(tokenizer, first, second, torch.linspace(0, 1, config.n))
    axis = "xyz".index(config.axis)
    planes = editing.middle_planes(tokenizer, first, axis, config.n) if config.plane is None else [config.plane]
    return torch.stack([editing.mix(tokenizer, first, second, axis, plane) for plane in planes])


def require_editable(how: How, run: Run) -> VQTokenizer:
    """The tokenizer of a run that can edit so.

    Raises:
        ConfigError: it cannot.
    """
    tokenizer = run.tokenizer
    if not isinstance(tokenizer, VQTokenizer):
        raise ConfigError(f"tokens of {tokenizer.name} have no places in space", "edit by a run of vq or graph tokens")
    if how in DRAWN:
        require_any_order(run.model)
    return tokenizer


def require_fitting(how: How, count: int, config: EditConfig) -> None:
    """Refuse settings that would be ignored, and another number of shapes than it takes.

    Raises:
        ConfigError: says which.
    """
    if how not in OF_EDITS:
        raise ConfigError(f"there is no way of editing {how!r}", f"known are: {', '.join(OF_EDITS)}")
    said = config.said()
    for other, names in OF_EDITS.items():
        wrong = [name for name in names if name in said and name not in OF_EDITS[how]]
        if wrong:
            raise ConfigError(f"{wrong[0]} is a setting of {other}, not of {how}", "leave it out")
    if how not in DRAWN:
        drawing = {*type(config.sampling).model_fields, "label", "checkpoint", "batch_size"} & said.keys()
        if drawing:
            raise ConfigError(f"{how} draws nothing, and has no {min(drawing)}", "leave it out")
    wanted = 1 if how in DRAWN else 2
    if count != wanted:
        raise ConfigError(f"{how} takes {wanted} shape{'s' * (wanted > 1)}, not {count}", "name as many")
    if how == "complete" and (config.region is None) == (config.cells is None):
        raise ConfigError("complete needs what is to be kept", "give a region or cells, one of them")
    if config.region is not None:
        require(len(config.region) in (4, 6), "region", "must be two corners, of 2 or 3 numbers each", config.region)


def _own(how: How, config: EditConfig) -> dict[str, Any]:
    values = config.to_json()
    return {name: values[name] for name in (*OF_EDITS[how], "fit_steps")}


def _kept(
    how: How, tokenizer: VQTokenizer, tokens: Int[Tensor, "tokens"], config: EditConfig
) -> Bool[Tensor, "samples tokens"]:
    """Which tokens each sample keeps."""
    number, dims = tokenizer.networks.encoder.cells.number, tokenizer.spec.dims
    if how == "vary":
        drawn = max(1, round(config.share * number))
        # Numbers of each sample's generator that drawing its tokens does not reach.
        streams = [np.random.Philox(key=np.array([config.seed, i], np.uint64)).jumped() for i in range(config.n)]
        orders = [np.random.Generator(stream).permutation(number) for stream in streams]
        cells = torch.from_numpy(np.stack(orders)) >= drawn
    elif config.cells is not None:
        wrong = [cell for cell in config.cells if cell >= number]
        require(not wrong, "cells", f"must be below the {number} of this tokenizer", wrong)
        cells = torch.zeros(number, dtype=torch.bool)
        cells[list(config.cells)] = True
    else:
        corners = torch.tensor(config.region)
        require(len(corners) == 2 * dims, "region", f"must be two corners of {dims} numbers", config.region)
        centres = editing.cell_centres(tokenizer, tokens)
        cells = ((centres >= corners[:dims]) & (centres <= corners[dims:])).all(dim=-1).any(dim=-1)
        if not cells.any():
            box = f"{centres.amin((0, 1)).tolist()} to {centres.amax((0, 1)).tolist()}"
            raise ConfigError("no cell has its centre in the region", f"those of this shape lie from {box}")
    kept = editing.tokens_of_cells(tokenizer, cells.expand(config.n, -1)).clone()
    kept[:, :dims] = config.keep_box
    return kept


def _drawn(run: Run, given: Int[Tensor, "samples tokens"], drawing: GenerateConfig) -> Tensor:
    return sample(
        run.model,
        len(given),
        drawing.sampling,
        seed=drawing.seed,
        label=run.class_index(drawing.label),
        given=given,
        batch_size=drawing.batch_size,
        reference_model=run.reference_model,
    )


def _written(run: Run, tokens: Tensor, config: EditConfig, folder: Path) -> list[Sample]:
    samples, rules = [], AcceptanceRules.of(AcceptanceConfig(), len(tokens), len(run.train_ids))
    with progress(len(tokens), "mesh", "sample") as bar:
        for index, one in enumerate(tokens):
            made = make_sample(run, rules, config.meshing, one)
            samples.append(made.write(folder, index, one, config.seed, index, config.label))
            bar.update(1)
    return samples
