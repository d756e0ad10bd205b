"""How long training and sampling would take: a few steps, a few tokens."""

import math
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from nfgen.configuration import Configuration
from nfgen.plan import timed
from nfgen.vocabulary import Vocabulary

from .base import SequenceModel
from .batches import Batches
from .causal import CausalModel
from .draw import SamplingConfig, generators
from .registry import create
from .sampling import CACHE_BYTES, LARGEST_BATCH
from .train_config import TrainConfig
from .training import Trainer

MEASURED = 4  # steps of a training
BUDGET = 2.0  # seconds for tokens of one batch
LAST = 8  # tokens measured at the end of a sequence, where attention is dearest


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
        once = self.step + self.evaluation / config.evaluate_every
        by_steps = math.inf if config.last_step is None else config.last_step * once
        return min(by_steps, math.inf if config.minutes is None else 60 * config.minutes)


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
        step = min(timed(trainer.step) for _ in range(MEASURED))

        def evaluation() -> None:
            trainer.evaluate()
            trainer.save()

        return TrainingCost(trainer.average, step, timed(evaluation))


class _Enough(Exception):
    """Ends a generation that has been measured."""


def sampling_cost(model: SequenceModel, n: int, batch_size: int | None = None) -> float:
    """Seconds that n sequences take, from the first ones, or the first and last tokens, of one batch."""
    size = min(n, batch_size or max(1, min(LARGEST_BATCH, CACHE_BYTES // (2 * model.bytes_per_sample))))
    model.eval()
    done, seconds = _generated(model, size, None)
    length = model.vocabulary.length
    if done < length and isinstance(model, CausalModel) and length > 2 * LAST:
        late, late_seconds = _generated(model, size, _any_tokens(model.vocabulary, size, length - LAST))
        a_batch = length * (seconds / done + late_seconds / max(late, 1)) / 2
    else:
        a_batch = seconds * length / done
    return a_batch * n / size


def _generated(model: SequenceModel, size: int, prefix: Tensor | None) -> tuple[int, float]:
    """Tokens of each sequence, after the first, and the seconds that they took."""
    device = next(model.parameters()).device
    moments = []

    def advance() -> None:
        moments.append(time.perf_counter())
        if moments[-1] - moments[0] > BUDGET:
            raise _Enough

    started = time.perf_counter()
    try:
        labels = torch.full((size,), -1, device=device)
        given = None if prefix is None else prefix.to(device)
        model.generate(labels, generators(0, range(size)), SamplingConfig(), given, advance)
        if len(moments) < 2 or prefix is None:
            return model.vocabulary.length, time.perf_counter() - started
    except _Enough:
        pass
    return len(moments) - 1, moments[-1] - moments[0]


def _any_tokens(vocabulary: Vocabulary, size: int, length: int) -> Tensor:
    """Tokens that may stand where they do."""
    return middle_tokens(vocabulary, size)[:, :length]


def middle_tokens(vocabulary: Vocabulary, size: int) -> Tensor:
    """Sequences of the middle code that may stand at each place, or of zeros: about the most usual field."""
    if vocabulary.continuous:
        return torch.zeros(size, vocabulary.length, vocabulary.width)
    low, high = vocabulary.bounds()
    return ((low + high) // 2).expand(size, -1).clone()
