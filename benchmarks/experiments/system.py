"""A system: a tokenizer and a model on one set of fields, trained within the budget, sampled, and judged."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np
import trimesh
from judging import Judge
from lab import Kept, Lab
from PIL import Image

from nfgen import Run, TokenSet, TrainConfig, tokenize, train
from nfgen.models import registry as models
from nfgen.models.generation.generate import sample
from nfgen.models.presets import preset
from nfgen.models.training.trainer import train as train_model
from nfgen.tokenizers import registry as tokenizers
from nfgen.tokens.decoding import decode_fields
from nfgen.viz.contact_sheet import Picture, contact_sheet, save_png
from nfgen.viz.render import render_mesh

PICTURE_SIZE = 112
SCORES = (("1_nna", 1), ("cov", 1), ("mmd", 2))
"""Scores of a table and their digits, as percent or times 100."""


models_option = click.option(
    "--models/--no-models", default=True, help="Train and sample a model on each, or measure round trips alone."
)


@dataclass(frozen=True)
class System:
    """What is compared."""

    name: str
    tokenizer: str
    settings: dict[str, Any] = field(default_factory=dict)
    """Of the tokenizer."""
    model: str | None = None
    """None = the one that the tokenizer's vocabulary asks for."""
    model_settings: dict[str, Any] = field(default_factory=dict)
    """Besides those that all models share."""
    views: int = 0
    """Augmented token sequences a field."""

    @property
    def missing(self) -> str | None:
        """What this installation lacks of it."""
        if self.tokenizer not in tokenizers.names():
            return f"no tokenizer {self.tokenizer}"
        return None if self.model is None or self.model in models.names() else f"no model {self.model}"


def tokens_of(lab: Lab, system: System, fields: Path) -> Kept:
    """The tokens of a system."""
    about = {"name": system.name, "fields": fields.name, **asdict(system)}
    del about["model"], about["model_settings"]

    def make(path: Path) -> None:
        tokenize(fields, path, system.tokenizer, seed=lab.seed, views=system.views, **system.settings)

    return lab.kept("tokens", about, make)


def measure(lab: Lab, system: System, fields: Path, judge: Judge | None) -> dict[str, Any]:
    """All figures of a system, and the path of a picture of its first samples; without a judge no model is trained."""
    tokens = tokens_of(lab, system, fields)
    sizes = lab.sizes
    trip = {
        "system": system.name,
        "tokenizer_seconds": tokens.seconds,
        "round_trip": TokenSet.load(tokens.path).report,
    }
    if judge is None:
        return trip
    settings = sizes.model | system.model_settings
    about = {
        "name": system.name, "model": system.model, "tokens": tokens.path.name, "settings": settings,
        "batch": sizes.batch, "budget": sizes.budget,
    }  # fmt: skip

    def learn(path: Path) -> None:
        steps = steps_within(lab, tokens.path, system.model, settings)
        # Ten looks at the held-out loss: the best weights are kept, as small data is soon learned by heart.
        config = _config(lab, steps, max(1, steps // 10))
        train(tokens.path, path, model=system.model, model_settings=settings, config=config)

    run = lab.kept("run", about, learn)
    picture = run.path.with_suffix(".png")

    def judged() -> dict[str, Any]:
        loaded = Run.load(run.path)
        started = time.process_time()
        decoded = decode_fields(loaded.tokenizer, sample(loaded.model, lab.sizes.samples, seed=lab.seed))
        meshes = [one.mesh(lab.sizes.resolution) for one in decoded]
        seconds = (time.process_time() - started) / len(decoded)
        save_pictures(picture, meshes[: sizes.pictured])
        return {
            "parameters": loaded.model.parameter_count,
            "steps": loaded.result["steps"],
            "val_loss": loaded.result["val_loss"],
            "model_bits": loaded.result["bits_per_field"],
            "distinct": len(np.unique(np.stack([one.weights.numpy() for one in decoded]), axis=0)),
            "seconds_a_sample": seconds,
            **judge.score(meshes),
        }

    return {
        **trip,
        "model_seconds": run.seconds,
        "picture": str(picture),
        **lab.figures("scores", [about, sizes.samples, sizes.unseen, sizes.resolution, sizes.cloud], judged),
    }


def steps_within(lab: Lab, tokens: Path, model: str | None, settings: dict[str, Any]) -> int:
    """Steps that fill the budget of processor seconds, by the median of a few after the first.

    Steps instead of a limit of minutes: these are of the clock, and on a busy machine they would not be equal.
    """
    if not lab.sizes.budget:
        return 4
    found = TokenSet.load(tokens)
    name, stamps = model or models.model_for(found.vocabulary), []
    config = _config(lab, 4, 4).replace(sample_every=1)
    with tempfile.TemporaryDirectory() as folder:
        train_model(
            name, preset(name, "tiny", **settings), found.vocabulary, found.tokens, found.labels, found.heldout,
            folder, config, on_sample=lambda model, step: stamps.append(time.process_time()),
        )  # fmt: skip
    return max(4, round(lab.sizes.budget / max(1e-3, float(np.median(np.diff(stamps))))))


def _config(lab: Lab, steps: int, evaluate_every: int) -> TrainConfig:
    return TrainConfig(
        steps=steps, batch_size=lab.sizes.batch, evaluate_every=evaluate_every, sample_every=0, seed=lab.seed
    )


def save_pictures(path: Path, meshes: Sequence[trimesh.Trimesh]) -> None:
    """Write pictures of meshes side by side."""
    save_png(path, contact_sheet([render_mesh(mesh, PICTURE_SIZE) for mesh in meshes], len(meshes)))


def take_pictures(found: dict[str, dict[str, Any]]) -> list[tuple[str, list[Picture]]]:
    """The pictures of systems, by name; their places are taken out of the figures, as they mean nothing elsewhere."""
    return [(name, _cut(one.pop("picture"))) for name, one in found.items()]


def _cut(path: str) -> list[Picture]:
    """The pictures of a contact sheet of one row."""
    sheet = np.asarray(Image.open(path).convert("RGB"))
    return [sheet[:, left : left + PICTURE_SIZE] for left in range(0, sheet.shape[1], PICTURE_SIZE)]
