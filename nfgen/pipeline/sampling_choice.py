"""How a run is sampled where the user does not say it: chosen at the end of its training, kept in its `config.json`."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nfgen.io import artifact
from nfgen.io.files import parse_json
from nfgen.io.shipped import here
from nfgen.metrics import largest_share
from nfgen.models.registry import weights_file
from nfgen.models.training.checkpoint import LOG
from nfgen.tokenizers.base import Tokenizer
from nfgen.tokens.decoding import decode_fields

from .config import GenerateConfig
from .run import KIND, Run

SAMPLING = "sampling"
"""Key of a run's config."""
PLAIN = {"temperature": 1.0, "balanced": True}
MEMORISED = 1.1  # the last held-out loss beside the lowest one: beyond, the last weights write what they know by heart
BODY, CRUMBS = 0.95, 0.05
"""Samples that hold less than the one in one body are drawn again; what hangs beside it holds less than the other."""
MOSTLY, LOOKED_AT, CELLS, FEWEST = 0.9, 16, 48, 50


def choose_sampling(folder: Path, model: str, tokenizer: Tokenizer, tokens: Tensor) -> dict[str, Any]:
    """Settings of `GenerateConfig` by name, for a run whose training ended.

    Measured on 439 chairs, on a split of them (`benchmarks/LOG.md`): the last weights draw better shapes than those of
    the lowest held-out loss, as long as they have not learned by heart; what they draw too often is drawn again, which
    does more for coverage than a contrast or another temperature. Where the fields have one body, so are shapes in
    pieces, and crumbs are left out of meshes.

    Args:
        folder: of the run, with its log.
        tokens: [N, length] of the fields that were learned from.
    """
    if model != "gpt":
        return {}
    losses = [entry["val_loss"] for line in (folder / LOG).read_text().splitlines() if (entry := parse_json(line))]
    known = [loss for loss in losses if loss is not None]
    memorised = bool(known) and known[-1] > MEMORISED * min(known)
    chosen: dict[str, Any] = PLAIN | {"checkpoint": "best" if memorised else "last"}
    if len(tokens) >= FEWEST and tokenizer.decoded_spec.dims == 3:
        some = torch.linspace(0, len(tokens) - 1, LOOKED_AT).long()
        shares = [largest_share(field.mesh(CELLS)) for field in decode_fields(tokenizer, tokens[some])]
        if sum(share is not None and share >= BODY for share in shares) >= MOSTLY * len(shares):
            chosen |= {"require_body": BODY, "crumbs": CRUMBS}
    return chosen


def open_run(run: Run | str | Path, config: GenerateConfig) -> tuple[Run, GenerateConfig]:
    """The run with the weights that are asked for, and all settings: what was not set is as the run chose.

    Args:
        run: a run, its folder, or the name of one that ships with nfgen.

    Raises:
        ArtifactError: if it is no run, or damaged.
        ConfigError: if a run is given whose other weights are asked for.
    """
    if isinstance(run, Run):
        run.require_checkpoint(config)
        return run, with_choice(config, run.config, [run.checkpoint])
    run = here(run)
    full = with_choice(config, artifact.read_config(run, KIND), checkpoints(run))
    return Run.load(run, full.checkpoint, full.device), full


def checkpoints(run: Path) -> list[str]:
    """Which weights the folder of a run has."""
    return [name for name in ("best", "last") if weights_file(run, name).exists()]


def with_choice(config: GenerateConfig, stored: dict[str, Any], available: list[str]) -> GenerateConfig:
    """All settings: what was not set is as the run chose.

    Args:
        stored: the run's config.
        available: its checkpoints.
    """
    said = config.said()
    chosen = stored.get(SAMPLING)
    settings = (chosen if isinstance(chosen, dict) else {}) | said
    if "checkpoint" not in said and settings.get("checkpoint") not in available:
        settings["checkpoint"] = available[0]
    if settings["checkpoint"] == "best" and "contrastive_weight" not in said:
        settings.pop("contrastive_weight", None)  # with itself there is nothing to contrast
    return GenerateConfig().with_settings(settings)
