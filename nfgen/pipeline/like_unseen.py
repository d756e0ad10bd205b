"""Which draws are kept, so that samples are as far from the training fields as unseen fields are.

A model that learned for long draws too much near what it knows. What held-out fields tell is how far from their nearest
training field fields of this kind should be: their distances, cut at the quantiles, give ranges that hold as many of
them each. A draw is then kept with a probability in proportion to the share of unseen fields in its range over the
share of draws there (rejection sampling). Each decision depends on its draw alone, so samples stay independent; within
a range they are what the model draws. On a split of 439 chairs this raised novelty and coverage at
once, with 88 held-out ones; with 44 it asked for too much, and shapes were worse for it (`benchmarks/LOG.md`).
"""

from typing import Any, NamedTuple, Self

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from nfgen.errors import ArtifactError, ConfigError
from nfgen.models.generation.config import SamplingConfig
from nfgen.models.generation.generate import sample
from nfgen.tokens.decoding import decode_fields

from .run import Run

KEY = "like_unseen"
"""Of a run's config."""
FEWEST, LONGEST = 20, 512  # held-out fields that tell enough, tokens of a field that are drawn quickly
RANGES = 4
DRAWS, SEED = 256, 1 << 40  # of a seed that nobody's samples have
MOST = 4.0
"""No range is taken more often than so many times what the model draws there: fewer draws are rejected then."""
AT_ONCE = 64


class LikeUnseen(NamedTuple):
    """How likely a draw is kept, by its distance to the nearest training field."""

    edges: tuple[float, ...]
    """Distances between the ranges, rising."""
    kept: tuple[float, ...]
    """Probability of each range, one more than there are edges."""

    @classmethod
    def measure(cls, run: Run, heldout: Tensor, settings: SamplingConfig) -> Self:
        """From the tokens [H, length] of fields that the run did not learn from, and from draws by the settings."""
        unseen = np.array(_distances(run, heldout))
        edges = np.quantile(unseen, np.linspace(0, 1, RANGES + 1)[1:-1])
        drawn = sample(run.model, DRAWS, settings, seed=SEED, reference_model=run.reference_model)
        shares = np.bincount(np.searchsorted(edges, _distances(run, drawn)), minlength=RANGES) / DRAWS
        wanted = np.minimum(1 / RANGES / np.maximum(shares, 1e-9), MOST)
        return cls(tuple(edges.tolist()), tuple((wanted / wanted.max()).tolist()))

    @classmethod
    def of(cls, run: Run) -> Self:
        """What a run stored.

        Raises:
            ConfigError: if it stored nothing.
            ArtifactError: if that is damaged.
        """
        stored = run.config.get(KEY)
        if stored is None:
            raise ConfigError(
                "the run does not know how far from its training fields unseen ones are",
                f"train a gpt again with {FEWEST} held-out fields or more, or leave --like-unseen out",
            )
        try:
            found = cls(*(tuple(float(value) for value in stored[key]) for key in cls._fields))
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"the run's {KEY} is damaged: {error!r}", "train it again") from error
        if len(found.kept) != len(found.edges) + 1 or not all(0 <= share <= 1 for share in found.kept):
            raise ArtifactError(f"the run's {KEY} has no probability for each range", "train it again")
        return found

    def to_json(self) -> dict[str, Any]:
        return {key: list(value) for key, value in self._asdict().items()}

    def choose(self, run: Run, tokens: Tensor, seed: int, first: int) -> Bool[Tensor, "draws"]:
        """Which of the draws from an index on are kept."""
        ranges = np.searchsorted(self.edges, _distances(run, tokens))
        chances = [np.random.default_rng([seed, first + i]).random() for i in range(len(tokens))]
        return torch.tensor(np.array(self.kept)[ranges] > np.array(chances))


def knows_unseen(model: str, heldout: Tensor) -> bool:
    """Whether a model, and the tokens [H, length] of its held-out fields, suffice."""
    return model == "gpt" and len(heldout) >= FEWEST and heldout.shape[1] <= LONGEST


def _distances(run: Run, tokens: Tensor) -> list[float]:
    """Of each field to the most similar training field, by their values."""
    return [
        float(near["distance"])
        for part in tokens.split(AT_ONCE)
        for near in run.nearest(decode_fields(run.tokenizer, part.to(run.device)))
    ]
