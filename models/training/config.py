"""Settings of training, and the learning-rate schedule."""

from dataclasses import dataclass
from typing import Literal

from nfgen.config import Configuration, require
from nfgen.runtime.schedule import cosine_decay

DEFAULT_STEPS = 2000


@dataclass(frozen=True)
class TrainConfig(Configuration):
    """How a model is trained."""

    steps: int | None = None
    """Optimizer steps; None = 2,000, or as many as `minutes` allows."""
    minutes: float | None = None
    """Stop after this time of training; the learning rate then decays with time instead of steps. None = no limit."""
    batch_size: int = 64
    """Sequences per step, over all processes."""
    tokens_per_pass: int = 8192
    """Most tokens in one forward pass; larger batches are split and their gradients summed."""
    accumulate: int = 1
    """Gradient accumulation: least number of passes into which each process splits its share of the batch. More passes
    take less memory and give the same steps."""
    shard: bool = False
    """Shard weights, gradients and optimizer state over the processes (FSDP) instead of a copy in each."""
    learning_rate: float | None = None
    """Peak learning rate; None = the default of the model."""
    warmup: int = 100
    """Warm-up steps of the learning rate, at most a tenth of all steps."""
    final_learning_rate: float = 0.1
    """Learning rate at the end of the cosine, as a share of the peak."""
    weight_decay: float = 0.1
    """Weight decay of AdamW, on matrices only."""
    beta2: float = 0.99
    """AdamW's decay of squared gradients; below the usual 0.999, as runs are short."""
    clip: float = 1.0
    """Gradients are clipped to this norm."""
    average: float = 0.999
    """Decay of the exponential moving average of weights, lower in the first steps. Evaluation and generation use the
    averaged weights."""
    evaluate_every: int = 100
    """Steps between evaluations of the held-out loss, each with a checkpoint."""
    log_every: int = 20
    """Steps between lines of the log."""
    sample_every: int = 500
    """Steps between calls of `on_sample`; 0 = none."""
    patience: int = 20
    """Stop after this many evaluations without a lower held-out loss; 0 = never."""
    precision: Literal["auto", "bfloat16", "float32"] = "auto"
    """Precision of matrix products; auto = bfloat16 if it is much faster on this device and the model supports it."""
    seed: int = 0
    """Seed of initial weights, order and dropout."""
    device: str = "cpu"
    """Device to train on."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("batch_size", "tokens_per_pass", "accumulate", "evaluate_every", "log_every"):
            require(getattr(self, key) > 0, key, "must be positive", getattr(self, key))
        for key in ("steps", "minutes", "learning_rate"):
            value = getattr(self, key)
            require(value is None or value > 0, key, "must be positive", value)
        for key in ("warmup", "sample_every", "patience", "seed", "weight_decay"):
            require(getattr(self, key) >= 0, key, "must not be negative", getattr(self, key))
        for key in ("average", "beta2"):
            require(0 <= getattr(self, key) < 1, key, "must lie in [0, 1)", getattr(self, key))
        require(
            0 <= self.final_learning_rate <= 1, "final_learning_rate", "must lie in [0, 1]", self.final_learning_rate
        )
        require(self.clip > 0, "clip", "must be positive", self.clip)

    @property
    def last_step(self) -> int | None:
        """The step at which training ends; None = only `minutes` ends it."""
        return DEFAULT_STEPS if self.steps is None and self.minutes is None else self.steps

    def done(self, step: int, seconds: float) -> float:
        """Share of the training that is done, by steps or by time, whichever is larger."""
        by_steps = step / self.last_step if self.last_step else 0.0
        by_time = seconds / (60 * self.minutes) if self.minutes else 0.0
        return max(by_steps, by_time)

    def rate(self, peak: float, step: int, seconds: float) -> float:
        """The learning rate of a step: linear warm-up, then half a cosine."""
        warmup = self.warmup if self.last_step is None else min(self.warmup, self.last_step // 10)
        rising = min(1.0, (step + 1) / (warmup + 1))
        return peak * rising * cosine_decay(self.done(step, seconds), self.final_learning_rate)
