"""From what a user has set on the page to samples on the shelf, and the command that makes them again."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from torch import Tensor

from nfgen.errors import ConfigError
from nfgen.pipeline.config import GenerateConfig
from nfgen.pipeline.draw import draw
from nfgen.pipeline.mesh_config import MeshingConfig
from nfgen.pipeline.meshed_sample import DecodedSample
from nfgen.pipeline.run import Run

from .neighbours import Neighbours
from .recipe import Recipe
from .runs import Offer, Runs
from .shelf import Shelf
from .things import Drawn

WHOLE = 0.95  # share of the volume in the largest body, as runs themselves choose


class Wish(NamedTuple):
    """What a user has set."""

    run: str
    label: str | None
    n: int
    temperature: float
    contrast: float
    distinct: bool
    whole: bool
    resolution: int
    seed: int


class Drawing:
    """Draws what users wish.

    Args:
        most: samples of one draw at most.
    """

    def __init__(self, runs: Runs, shelf: Shelf, most: int) -> None:
        self._runs, self._shelf, self._most = runs, shelf, most
        self._neighbours = Neighbours(shelf)

    def config(self, wish: Wish, vary: Drawn | None = None, share: float = 0.5) -> GenerateConfig:
        """The settings of a wish; what is as the run chose is not said.

        Args:
            vary: a sample whose first tokens are kept.
            share: of its tokens.

        Raises:
            ConfigError: a setting is out of range.
        """
        offer = self._runs[wish.run]
        before = offer.defaults
        if not 0 < wish.n <= self._most:
            raise ConfigError(f"{wish.n} samples at once are not possible", f"ask for 1 to {self._most}")
        settings: dict[str, object] = {"n": wish.n, "seed": wish.seed}
        if wish.label is not None:
            settings["label"] = wish.label
        if wish.temperature != before.sampling.temperature:
            settings["temperature"] = wish.temperature
        if offer.contrast and wish.contrast != before.sampling.contrastive_weight:
            settings["contrastive_weight"] = wish.contrast
        if wish.distinct != before.acceptance.distinct:
            settings["distinct"] = wish.distinct
        if wish.whole != (before.acceptance.require_body > 0):
            settings["require_body"] = WHOLE if wish.whole else 0.0
        if wish.resolution != before.meshing.resolution:
            settings["resolution"] = wish.resolution
        if vary is not None and vary.tokens is not None:
            kept = min(max(1, round(share * len(vary.tokens))), len(vary.tokens) - 1)
            settings["prefix"] = ",".join(map(str, vary.tokens[:kept]))
        return GenerateConfig().with_settings(settings)

    def recipe(self, wish: Wish, config: GenerateConfig) -> Recipe:
        """The command that makes the same samples."""
        options = ["--class" if word == "--label" else word for word in config.as_options()]
        return Recipe(("nfgen", "generate", self._runs[wish.run].word), tuple(options))

    def samples(self, wish: Wish, config: GenerateConfig, recipe: Recipe) -> Iterator[str]:
        """Keys of the samples, each as soon as it is meshed.

        Raises:
            NfgenError: a setting is wrong, or too few samples are as required.
        """
        offer = self._runs[wish.run]
        full = self._runs.complete(offer, config)
        run = self._runs.load(offer, full)
        for number, one in enumerate(draw(run, full)):
            yield self.shelve(
                offer, run, full.meshing, recipe, number,
                tokens=one.tokens, decoded=one.decoded, nearest=one.nearest, label=full.label,
                origin=f"seed {full.seed}, number {one.index}",
            )  # fmt: skip

    def shelve(
        self,
        offer: Offer,
        run: Run,
        meshing: MeshingConfig,
        recipe: Recipe,
        number: int,
        *,
        tokens: Tensor,
        decoded: DecodedSample,
        nearest: dict[str, Any],
        label: str | None,
        origin: str,
    ) -> str:
        """Put a sample on the shelf, and its nearest training shape beside it; returns its key."""
        return self._shelf.put(
            Drawn(
                name=f"sample-{number:04d}",
                field=decoded.field,
                mesh=decoded.mesh,
                frame=run.frame,
                up=run.up,
                meshing=meshing,
                run=offer.name,
                recipe=recipe,
                number=number,
                origin=origin,
                tokens=tuple(tokens.tolist()) if offer.prefixes else None,
                label=label,
                nearest=nearest,
                beside=self._neighbours.key(offer.path, run.train_ids, str(nearest["id"])),
            )
        )

    def drawn(self, key: str) -> Drawn:
        """A sample that was drawn before.

        Raises:
            ConfigError: it is no longer in memory.
        """
        thing = self._shelf.get(key)
        if not isinstance(thing, Drawn):
            raise ConfigError("this sample is no longer in memory", "draw it again by its seed")
        return thing
