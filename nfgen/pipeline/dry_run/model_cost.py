"""How long training and sampling would take: a few steps, a few tokens."""

import math
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from nfgen.config import Configuration
from nfgen.models.autoregressive import CausalModel
from nfgen.models.base import SequenceModel
from nfgen.models.generation.config import SamplingConfig
from nfgen.models.generation.generate import fitting_batch
from nfgen.models.generation.logits import generators
from nfgen.models.registry import create
from nfgen.models.training.data import Batches
from nfgen.models.training.trainer import Trainer
from nfgen.pipeline.config import TrainConfig
from nfgen.tokens.vocabulary import Vocabulary

from .estimate import timed

MEASURED = 4  # steps of a training
BUDGET = 2.0  # seconds for tokens of one batch
FEW = 8  # tokens measured at the start and at the end of a sequence, where attention is dearest
SMALL_BATCH = 8  # in which they are measured: the prefix of a large one would take longer than what it tells


@dataclass(frozen=True)
class TrainingCost:
    """What parts of a training take."""

    model: SequenceModel
    """The model in question, hardly trained."""
    step: float
    """Seconds of one step of the optimizer."""
    evaluation: float
    """Seconds of a held-out loss and its checkpoint."""

    def total(self, config: TrainConfig) -> float:
        """Seconds of the whole training, if patience does not end it."""
        by_time = math.inf if config.minutes is None else 60 * config.minutes
        if config.last_step is None:
            return by_time
        evaluations = math.ceil(config.last_step / config.evaluate_every)
        return min(by_time, config.last_step * self.step + evaluations * self.evaluation)


def training_cost(
    name: str,
    settings: Configuration,
    vocabulary: Vocabulary,
    tokens: Tensor,
    labels: Int[Tensor, "fields"],
    heldout: Bool[Tensor, "fields"],
    config: TrainConfig,
) -> TrainingCost:
    """Time a few real steps and an evaluation of a training; arguments as in `training.train`."""
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng(devices=[]):
        batches = Batches(vocabulary, tokens, labels, heldout, config.batch_size, config.seed)
        trainer = Trainer(create(name, vocabulary, settings), batches, config, Path(folder))
        trainer.open(False)
        trainer.step()  # the first pays for memory and threads
        trainer.fetch()

        def steps() -> None:
            for _ in range(MEASURED):
                trainer.step()
            trainer.fetch()  # it waits for an accelerator

        step = timed(steps) / MEASURED

        def evaluation() -> None:
            trainer.evaluate()
            trainer.save()

        return TrainingCost(trainer.average, step, timed(evaluation))


class _Enough(Exception):
    """Ends a generation that has been measured."""


def sampling_cost(
    model: SequenceModel, n: int, batch_size: int | None = None, settings: SamplingConfig | None = None
) -> float:
    """Seconds that n sequences take, from one batch of them; long ones are cut off, and extrapolated."""
    settings = settings or SamplingConfig()
    size = min(n, batch_size or fitting_batch(model, settings))
    vocabulary = model.vocabulary
    model.eval()
    done, seconds = _generated(model, size)
    a_batch = seconds * vocabulary.length / done
    if done < vocabulary.length and isinstance(model, CausalModel) and vocabulary.length > 2 * FEW:
        few = min(size, SMALL_BATCH)
        early, early_seconds = _generated(model, few, most=FEW)
        late, late_seconds = _generated(model, few, middle_tokens(vocabulary, few)[:, : vocabulary.length - FEW])
        # The cost of a token grows about linearly with those before it.
        growth = (late_seconds / max(late, 1)) / (early_seconds / max(early, 1))
        a_batch *= max(1.0, (1 + growth) / 2)
    return settings.passes * a_batch * n / size


def _generated(
    model: SequenceModel, size: int, prefix: Tensor | None = None, most: int | None = None
) -> tuple[int, float]:
    """Tokens of each sequence that were timed, and their seconds; `most` and `BUDGET` cut it off."""
    device = next(model.parameters()).device
    moments: list[float] = []

    def advance() -> None:
        moments.append(time.perf_counter())
        if moments[-1] - moments[0] > BUDGET or len(moments) - 1 == most:
            raise _Enough

    started = time.perf_counter()
    labels = torch.full((size,), -1, device=device)
    given = None if prefix is None else prefix.to(device)
    try:
        model.generate(labels, generators(0, range(size)), SamplingConfig(), given, advance)
    except _Enough:
        return len(moments) - 1, moments[-1] - moments[0]
    if prefix is not None:
        return max(len(moments) - 1, 1), moments[-1] - moments[0]
    return model.vocabulary.length, time.perf_counter() - started


def middle_tokens(vocabulary: Vocabulary, size: int) -> Tensor:
    """Sequences of the middle code that may stand at each place, or of zeros: about the most usual field."""
    if vocabulary.continuous:
        return torch.zeros(size, vocabulary.length, vocabulary.width)
    low, high = vocabulary.bounds()
    return ((low + high) // 2).expand(size, -1).clone()
