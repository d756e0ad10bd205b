"""Which draws are kept, so that samples are spread evenly over what a run knows.

A model draws some of what it knows far too often: of 1,000 draws of a model of 351 chairs, one chair in four was never
the nearest one, and others were it ten times. Its samples repeat what is usual and leave out what is rare. So when a
training ends, a set of draws counts how often each training field is the nearest one, and a draw is later kept with a
probability in inverse proportion to that count (rejection sampling). Each decision depends on its draw alone, so
samples stay independent, and near a field they are what the model draws. On a split of 439 chairs this raised coverage
and novelty, and shapes were no worse for it (`benchmarks/LOG.md`).
"""

from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from nfgen.errors import ArtifactError, ConfigError
from nfgen.io import files
from nfgen.models import registry as models
from nfgen.models.generation.config import SamplingConfig
from nfgen.models.generation.generate import sample
from nfgen.tokenizers.base import Tokenizer
from nfgen.tokens.decoding import decode_fields

from .config import GenerateConfig
from .run import TRAIN_PROBES, Run, nearest_known, probe_values

COUNTS = "nearest_counts"
"""Key of a run's config."""
MOST = 512  # training fields that draws are counted by; of more, as many evenly spaced ones
DRAWS, SEED = 3, 1 << 40  # draws for each of them, of a seed that nobody's samples have
TOKENS = 100_000  # in all draws at most, as those of single weights are long
AT_ONCE = 64


def count_nearest(folder: Path, tokenizer: Tokenizer, chosen: dict[str, Any]) -> list[int]:
    """How many draws of a model, whose training ended, are nearest to each of the training fields they are counted by.

    Args:
        folder: of the run, with its weights and probes.
        chosen: how its samples are drawn, as `choose_sampling` says.
    """
    probes, model = files.read_tensors(folder / TRAIN_PROBES)["values"], models.load_model(folder, chosen["checkpoint"])
    known = _counted_by(probes, min(MOST, max(1, TOKENS // (DRAWS * model.vocabulary.length))))
    drawn = sample(model, DRAWS * len(known), SamplingConfig(temperature=chosen["temperature"]), seed=SEED)
    return np.bincount(_nearest(tokenizer, drawn, known), minlength=len(known)).tolist()


class Balance(NamedTuple):
    """How likely a draw is kept, by its nearest training field."""

    kept: Float[NDArray[np.float64], "known"]
    """Probability of each training field's draws."""
    known: Float[Tensor, "known probes"]
    """Their values."""

    @classmethod
    def asked(cls, run: Run, config: GenerateConfig) -> Self | None:
        """How draws by these settings are kept; None if all are, as those from a prefix, which says where they lie.

        Raises:
            ConfigError, ArtifactError: as in `of`.
        """
        return cls.of(run) if config.acceptance.balanced and config.prefix is None else None

    @classmethod
    def of(cls, run: Run) -> Self:
        """That of a run.

        Raises:
            ConfigError: it did not count its draws.
            ArtifactError: the counts are damaged.
        """
        counts = run.config.get(COUNTS)
        if counts is None:
            raise ConfigError(
                "the run does not know how often it draws what is near each training field",
                "train again, or leave --balanced out",
            )
        whole = isinstance(counts, list) and {type(count) for count in counts} == {int} and min(counts) >= 0
        if not whole or len(counts) > len(run.train_ids):
            raise ArtifactError(f"the run's {COUNTS} are damaged", "train it again")
        # Evenly would be so many draws for each field that is ever the nearest one.
        even = sum(counts) / max(1, int(np.count_nonzero(counts)))
        return cls(np.minimum(1.0, even / (np.array(counts) + 1)), _counted_by(run.train_probes, len(counts)))

    def choose(self, tokenizer: Tokenizer, tokens: Tensor, seed: int, first: int) -> Bool[Tensor, "draws"]:
        """Which of the draws from an index on are kept."""
        chances = [np.random.default_rng([seed, first + i]).random() for i in range(len(tokens))]
        return torch.from_numpy(self.kept[_nearest(tokenizer, tokens, self.known)] > np.array(chances))


def _counted_by(probes: Float[Tensor, "fields probes"], most: int) -> Float[Tensor, "known probes"]:
    return probes[torch.linspace(0, len(probes) - 1, min(len(probes), most)).long()]


def _nearest(tokenizer: Tokenizer, tokens: Tensor, known: Tensor) -> Int[NDArray[np.int64], "draws"]:
    """The row of the training field that is most similar to each draw, by their values."""
    parts = [probe_values(decode_fields(tokenizer, part.to(tokenizer.device))) for part in tokens.split(AT_ONCE)]
    rows: NDArray[np.int64] = nearest_known(torch.cat(parts), known)[1].numpy()
    return rows
