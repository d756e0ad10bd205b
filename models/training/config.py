"""Settings of training."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from nfgen.config import Configuration

DEFAULT_STEPS = 2000


class TrainerConfig(Configuration):
    """How a model is trained."""

    steps: PositiveInt | None = None
    """Optimizer steps; None = as many as `minutes` allows, or 2,000; fewer of a few hundred fields, which more would
    teach by heart."""
    minutes: PositiveFloat | None = None
    """Stop after this time of training; the learning rate then falls with time instead of steps. None = no limit."""
    pretrain: Annotated[float, Field(ge=0, lt=1)] = 0.75
    """Share of the training that learns from the made-up shapes that are stored with the tokens, if there are any: half
    of it from all, half from those most like the fields. The rest learns from the fields. Without it a few hundred
    fields are learned by heart."""
    batch_size: PositiveInt = 64
    """Sequences per step, over all processes."""
    tokens_per_pass: PositiveInt = 8192
    """Most tokens that go through the model at once: larger batches are split and their gradients added."""
    accumulate: PositiveInt = 1
    """Gradient accumulation: least number of passes into which each process splits its share of the batch. More passes
    take less memory and give the same steps."""
    shard: bool = False
    """Spread weights, gradients and the optimizer's memory over the processes (FSDP) instead of a copy in each."""
    learning_rate: PositiveFloat | None = None
    """Peak learning rate; None = the default of the model."""
    warmup: NonNegativeInt = 100
    """Steps in which the learning rate rises, at most a tenth of all."""
    final_learning_rate: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Learning rate at the end of the cosine, as a share of the peak."""
    weight_decay: NonNegativeFloat = 0.1
    """AdamW's decay, on matrices only."""
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.99
    """AdamW's decay of squared gradients; below the usual 0.999, as runs are short."""
    clip: PositiveFloat = 1.0
    """Largest norm of the gradient."""
    average: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """Decay of the exponential moving average of weights, lower in the first steps. Evaluation and generation use the
    averaged weights."""
    evaluate_every: PositiveInt = 100
    """Steps between two held-out losses, each with a checkpoint."""
    log_every: PositiveInt = 20
    """Steps between lines of the log."""
    sample_every: NonNegativeInt = 500
    """Steps between two calls of `on_sample`; 0 = none."""
    patience: NonNegativeInt = 20
    """Stop after this many evaluations without a lower held-out loss; 0 = never."""
    past_best: Annotated[float, Field(ge=1)] | None = None
    """Stop after this many times the steps that the lowest held-out loss took; None = never, but 1.25 where nobody says
    how long, of fields that are learned without made-up shapes, or 2 if the model knows shapes already."""
    precision: Literal["auto", "bfloat16", "float32"] = "auto"
    """Of matrix products; auto = bfloat16 where it is much the faster here and the model bears it."""
    seed: NonNegativeInt = 0
    """Seed of initial weights, order and dropout."""
    device: str = "auto"
    """Device to compute on: auto (the accelerator, if there is one), cpu, cuda, cuda:1, mps, xpu."""

    @property
    def last_step(self) -> int | None:
        """The step at which training ends; None = only `minutes` ends it."""
        return DEFAULT_STEPS if self.steps is None and self.minutes is None else self.steps

    @property
    def warmup_steps(self) -> int:
        """Steps in which the learning rate rises: `warmup`, at most a tenth of all."""
        return self.warmup if self.last_step is None else min(self.warmup, self.last_step // 10)

    def done(self, step: int, seconds: float) -> float:
        """Share of the training that is done, by steps or by time, whichever is larger."""
        by_steps = step / self.last_step if self.last_step else 0.0
        by_time = seconds / (60 * self.minutes) if self.minutes else 0.0
        return max(by_steps, by_time)
