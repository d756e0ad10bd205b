"""From kept samples to edited ones on the shelf, by the functions of `nfgen edit`, and the commands for the same."""

from collections.abc import Iterator
from typing import NamedTuple

import torch

from nfgen.errors import ConfigError
from nfgen.pipeline.config import AcceptanceConfig, EditConfig, How
from nfgen.pipeline.edit import DRAWN, edited_tokens, require_fitting
from nfgen.pipeline.edit_source import tokens_of_sample
from nfgen.pipeline.meshed_sample import AcceptanceRules, decode_sample
from nfgen.pipeline.run import Run

from .drawing import Drawing
from .recipe import Recipe, Source
from .runs import Runs
from .things import Drawn

MADE: dict[How, str] = {"vary": "varied", "complete": "completed", "interpolate": "between two", "mix": "mixed"}
"""What samples of each way are called."""


class Change(NamedTuple):
    """What a user has set; what the way does not take is left out."""

    how: How
    shapes: tuple[str, ...]
    """Keys of samples: two, of which a way may need the first alone."""
    n: int
    seed: int
    temperature: float | None
    """None = as the run chose."""
    share: float
    region: tuple[float, ...]
    axis: str
    resolution: int


class Editing:
    """Edits what users wish.

    Args:
        drawing: which drew what is edited.
        most: samples of one edit at most.
    """

    def __init__(self, runs: Runs, drawing: Drawing, most: int) -> None:
        self._runs, self._drawing, self._most = runs, drawing, most

    def shapes(self, change: Change) -> list[Drawn]:
        """The samples that are edited.

        Raises:
            ConfigError: one is not chosen, or no longer in memory.
        """
        keys = change.shapes[: 1 if change.how in DRAWN else 2]
        if not all(keys):
            raise ConfigError("there is no shape to edit", "keep samples on the tab Draw, and choose one here")
        return [self._drawing.drawn(key) for key in keys]

    def config(self, change: Change) -> EditConfig:
        """The settings of `nfgen edit`.

        Raises:
            ConfigError: one is out of range, or the shapes are not as many as the way takes.
        """
        shapes = self.shapes(change)
        if not 0 < change.n <= self._most:
            raise ConfigError(f"{change.n} samples at once are not possible", f"ask for 1 to {self._most}")
        settings: dict[str, object] = {"n": change.n}
        if change.how in DRAWN:
            settings["seed"] = change.seed
            if change.temperature is not None:
                settings["temperature"] = change.temperature
            if shapes[0].label is not None:
                settings["label"] = shapes[0].label
        if change.how == "vary":
            settings["share"] = change.share
        elif change.how == "complete":
            settings["region"] = change.region
        elif change.how == "mix":
            settings["axis"] = change.axis
        if change.resolution != EditConfig().meshing.resolution:
            settings["resolution"] = change.resolution
        config = EditConfig().with_settings(settings)
        require_fitting(change.how, len(shapes), config)
        return config

    def recipe(self, change: Change, config: EditConfig) -> Recipe:
        """The commands that make the same samples."""
        shapes = self.shapes(change)
        options = ["--class" if word == "--label" else word for word in config.as_options()]
        return Recipe(
            ("nfgen", "edit", change.how, self._runs[shapes[0].run].word),
            tuple(options),
            tuple(Source(one.recipe, one.number) for one in shapes),
        )

    def samples(self, change: Change, config: EditConfig, recipe: Recipe) -> Iterator[str]:
        """Keys of the samples, each as soon as it is meshed.

        Raises:
            ConfigError: the run cannot do it, or nothing of the shape would be kept.
        """
        shapes = self.shapes(change)
        offer = self._runs[shapes[0].run]
        full = self._runs.complete(offer, config.of_generation)
        run = self._runs.load(offer, full)
        given = [_tokens(run, one) for one in shapes]
        rules = AcceptanceRules.of(AcceptanceConfig(), config.n, len(run.train_ids))
        for number, tokens in enumerate(edited_tokens(change.how, run, given, config, full)):
            decoded = decode_sample(run, rules, config.meshing, tokens)
            nearest = run.nearest([decoded.field])[0]
            yield self._drawing.shelve(
                offer, run, config.meshing, recipe, number,
                tokens=tokens, decoded=decoded, nearest=nearest, label=config.label,
                origin=MADE[change.how] + (f", seed {config.seed}" if change.how in DRAWN else ""),
            )  # fmt: skip


def _tokens(run: Run, one: Drawn) -> torch.Tensor:
    return tokens_of_sample(run, one.field, torch.tensor(one.tokens or ()))
