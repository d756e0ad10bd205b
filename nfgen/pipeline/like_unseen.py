"""Which draws are kept, so that samples are as far from the training fields as unseen fields are.

A model that learned for long draws too much near what it knows. What held-out fields tell is how far from their nearest
training field fields of this kind should be: their distances, cut at the quantiles, give ranges that hold as many of
them each. A draw is then kept with a probability in proportion to the share of unseen fields in its range over the
share of draws there (rejection sampling). Each decision depends on its draw alone, so samples stay independent; within
a range they are what the model draws. On a split of 439 chairs with 88 held-out ones this raised novelty and coverage;
with 44 it asked for too much, and shapes were worse for it (`benchmarks/LOG.md`).
"""

from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nfgen.errors import ArtifactError, ConfigError
from nfgen.io import files
from nfgen.tokenizers.base import Tokenizer
from nfgen.tokens.decoding import decode_fields

from .run import Run, nearest_known, probe_values

UNSEEN = "unseen_ranges"
"""Key of a run's config."""
FEWEST, ENOUGH = 20, 1000  # held-out fields: fewer tell too little, more are not looked at
RANGES = 4
DRAWS, SEED = 256, 1 << 40  # by which the model's own distances are known: of a seed that nobody's samples have
MOST = 4.0
"""No range is taken more often than so many times what the model draws there: fewer draws are rejected then."""
AT_ONCE = 64


def unseen_ranges(tokenizer: Tokenizer, heldout: Tensor, train_probes: Path) -> list[float] | None:
    """The distances that divide held-out fields into ranges of as many each, rising; None if there are too few.

    Args:
        heldout: [H, length], tokens of the fields that were not learned from.
        train_probes: file of the probe values of those that were.
    """
    if len(heldout) < FEWEST:
        return None
    some = torch.linspace(0, len(heldout) - 1, min(len(heldout), ENOUGH)).long()
    known = files.read_tensors(train_probes)["values"]
    distances = _distances(tokenizer, heldout[some], known).double()
    return torch.quantile(distances, torch.linspace(0, 1, RANGES + 1).double()[1:-1]).tolist()


class LikeUnseen(NamedTuple):
    """How likely a draw is kept, by its distance to the nearest training field."""

    edges: tuple[float, ...]
    """Distances between the ranges, rising."""
    kept: tuple[float, ...]
    """Probability of each range, one more than there are edges."""

    @classmethod
    def measure(cls, run: Run, drawn: Tensor) -> Self:
        """From what a run knows of unseen fields, and tokens [DRAWS, length] that it drew.

        Raises:
            ConfigError, ArtifactError: as in `edges_of`.
        """
        edges = edges_of(run)
        ranges = np.searchsorted(edges, _of_run(run, drawn))
        shares = np.bincount(ranges, minlength=RANGES) / len(drawn)
        wanted = np.minimum(1 / RANGES / np.maximum(shares, 1e-9), MOST)
        return cls(edges, tuple((wanted / wanted.max()).tolist()))

    def choose(self, run: Run, tokens: Tensor, seed: int, first: int) -> Bool[Tensor, "draws"]:
        """Which of the draws from an index on are kept."""
        ranges = np.searchsorted(self.edges, _of_run(run, tokens))
        chances = [np.random.default_rng([seed, first + i]).random() for i in range(len(tokens))]
        return torch.tensor(np.array(self.kept)[ranges] > np.array(chances))


def edges_of(run: Run) -> tuple[float, ...]:
    """What a run knows of unseen fields.

    Raises:
        ConfigError: it knows nothing.
        ArtifactError: that is damaged.
    """
    stored = run.config.get(UNSEEN)
    if stored is None:
        raise ConfigError(
            "the run does not know how far from its training fields unseen ones are",
            f"train again with {FEWEST} held-out fields or more, or leave --like-unseen out",
        )
    if not isinstance(stored, list) or [isinstance(edge, float) for edge in stored] != [True] * (RANGES - 1):
        raise ArtifactError(f"the run's {UNSEEN} is damaged", "train it again")
    return tuple(stored)


def _of_run(run: Run, tokens: Tensor) -> list[float]:
    distances: list[float] = _distances(run.tokenizer, tokens, run.train_probes).tolist()
    return distances


def _distances(tokenizer: Tokenizer, tokens: Tensor, known: Tensor) -> Float[Tensor, "fields"]:
    """Of each field to the most similar training field, by their values."""
    parts = [probe_values(decode_fields(tokenizer, part.to(tokenizer.device))) for part in tokens.split(AT_ONCE)]
    return nearest_known(torch.cat(parts), known)[0]
