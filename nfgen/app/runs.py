"""The runs that the app offers: their names, what can be set for each, and the weights of a few."""

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from nfgen.errors import ConfigError
from nfgen.io import artifact, hub
from nfgen.io.shipped import here
from nfgen.pipeline.config import GenerateConfig
from nfgen.pipeline.run import KIND, Run
from nfgen.pipeline.sampling_choice import checkpoints, with_choice

LOADED = 4  # runs in memory; the least recently used goes first


class Offer(NamedTuple):
    """One run, and what can be set when it is drawn from."""

    name: str
    """By which users choose it; no two runs have the same."""
    path: Path
    word: str
    """What the command line calls it."""
    classes: tuple[str, ...]
    defaults: GenerateConfig
    """As the run chose."""
    contrast: bool
    """It has weights to contrast with."""
    prefixes: bool
    """A sample can be varied: its first tokens can be kept."""
    dims: int
    about: str
    """What it learned from, in a line."""


class Runs:
    """All runs of the app.

    Args:
        sources: folders, names of runs that ship, or addresses as `hf://owner/name`.
        device: on which they compute.
        show_paths: whether commands name the folders as they were given, or only their last part.

    Raises:
        ArtifactError: one is no run, or is damaged.
        ConfigError: there is none.
    """

    def __init__(self, sources: Sequence[str | Path], device: str, *, show_paths: bool) -> None:
        self._device = device
        self._loaded = OrderedDict[tuple[Path, str], Run]()
        self._lock = Lock()
        self._offers: dict[str, Offer] = {}
        for source in sources:
            address = hub.is_address(source)
            path = hub.fetch(str(source)) if address else here(source)
            last = Path(str(source)).name or path.resolve().name
            self.add(path, last, str(source) if address or show_paths else last)
        if not sources:
            raise ConfigError("there is no run to show", "name one: nfgen app RUN")

    @property
    def names(self) -> list[str]:
        """Of all runs, in their order."""
        return list(self._offers)

    def __getitem__(self, name: str) -> Offer:
        if name not in self._offers:
            raise ConfigError(f"there is no run {name!r}", f"known are: {', '.join(self._offers)}")
        return self._offers[name]

    def add(self, path: Path, name: str, word: str) -> str:
        """Offer one more run.

        Returns:
            Its name, with a number where another run has it already.
        """
        stored = artifact.read_config(path, KIND)
        defaults = with_choice(GenerateConfig(), stored, checkpoints(path))
        run = self._load(path, defaults.checkpoint)
        name = next(one for one in (name, *(f"{name} {i}" for i in range(2, 10_000))) if one not in self._offers)
        described = run.model.describe()["model"]
        dims = run.tokenizer.decoded_spec.dims
        self._offers[name] = Offer(
            name,
            path,
            word,
            tuple(run.model.vocabulary.classes),
            defaults,
            run.reference_model is not None and described == "gpt",
            described == "gpt" and not run.model.vocabulary.continuous,
            dims,
            f"Learned from {len(run.train_ids):,} {'images' if dims == 2 else 'shapes'}. "
            f"{described}, {run.model.vocabulary.length} tokens a shape.",
        )
        return name

    def complete(self, offer: Offer, config: GenerateConfig) -> GenerateConfig:
        """All settings of a draw: what was not set is as the run chose."""
        return with_choice(config, artifact.read_config(offer.path, KIND), checkpoints(offer.path))

    def load(self, offer: Offer, config: GenerateConfig) -> Run:
        """The run with the weights that complete settings ask for."""
        return self._load(offer.path, config.checkpoint)

    def _load(self, path: Path, checkpoint: str) -> Run:
        key = (path, checkpoint)
        with self._lock:
            if key not in self._loaded:
                self._loaded[key] = Run.load(path, checkpoint, self._device)
            self._loaded.move_to_end(key)
            if len(self._loaded) > LOADED:
                self._loaded.popitem(last=False)
            return self._loaded[key]
