"""The training loop: steps, evaluations, log and checkpoints."""

import copy
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from nfgen.config import Configuration
from nfgen.errors import ArtifactError, NfgenError
from nfgen.io import files
from nfgen.models.base import SequenceModel
from nfgen.models.registry import MODEL, create
from nfgen.runtime.deferred import Deferred
from nfgen.runtime.device import kept_random_state
from nfgen.runtime.learning_rate_schedule import warmup_cosine
from nfgen.runtime.progress import Progress, progress
from nfgen.runtime.signals import uninterrupted
from nfgen.tokens.synthetic import Synthetic
from nfgen.tokens.vocabulary import Vocabulary

from .checkpoint import LOG, STATE, TrainingState, append_log, cut_log, load_state, save_state, state_tensors
from .config import TrainerConfig
from .data import Augment, Batches
from .distributed import find_worker
from .gradient import BatchGradient
from .optim import low_precision, optimizer, update_average
from .result import TrainResult
from .strategy import Worker

OnLog = Callable[[dict[str, Any]], None]
"""Called with each line of the log."""

OnSample = Callable[[SequenceModel, int], None]
"""Called during training with the averaged model, in eval mode, and the step."""


def train(
    model: str,
    settings: Configuration,
    vocabulary: Vocabulary,
    tokens: Tensor,
    labels: Int[Tensor, "fields"],
    heldout: Bool[Tensor, "fields"],
    run: str | Path,
    config: TrainerConfig | None = None,
    *,
    resume: bool = False,
    augment: Augment | None = None,
    on_sample: OnSample | None = None,
    on_log: OnLog | None = None,
    worker: Worker | None = None,
    init: SequenceModel | None = None,
    synthetic: Synthetic | None = None,
) -> TrainResult:
    """Train a new model; write the model, its checkpoints and its log to a folder (layout: `checkpoint.py`).

    On CPU an interrupted and resumed training ends with the same bits as one that was never interrupted, unless
    `minutes` is set. Torch's global random state is restored. Several processes make the same call on the same folder;
    only the main one writes and runs the callbacks.

    Args:
        model: name of the model.
        settings: its configuration.
        vocabulary: of the tokens.
        tokens: int64 [N, length], or float32 [N, length, width].
        labels: [N], -1 = none.
        heldout: [N], True for rows that are not trained on; their loss selects the best weights and stops training.
        run: the folder; created if it is missing.
        config: settings of the training.
        resume: continue from the folder's checkpoint, if there is one.
        augment: gives new tokens of the training rows (in their order) for an epoch, as a function of the epoch only.
        on_sample: called every `sample_every` steps.
        on_log: called with every line of the log.
        worker: this process's worker; None = as the launcher started it.
        init: a model to begin with; None = random weights.
        synthetic: made-up shapes, from which the model learns first (`config.pretrain`).

    Raises:
        ConfigError: if model, data and settings do not fit each other or the interrupted training, or if there are
            several processes and accelerate is missing.
        ArtifactError: if the folder holds a training already, or cannot be written.
        NfgenError: if the loss is not finite; the last checkpoint is kept.
        KeyboardInterrupt: on Ctrl-C, after a checkpoint.
    """
    run, config = Path(run), config or TrainerConfig()
    batches = Batches(vocabulary, tokens, labels, heldout, config.batch_size, config.seed, augment, synthetic)
    worker = worker or find_worker(config)
    with kept_random_state(worker.device):
        torch.manual_seed(config.seed)
        new = create(model, vocabulary, settings)
        if init is not None:
            new.begin_with(init)
        trainer = Trainer(new, batches, config, run, on_log, worker)
        trainer.open(resume)
        with worker.defer_sigint():
            return trainer.train(on_sample)


class Trainer:
    """A model in training, with its average, optimizer and state; `run` is its folder. Used by `train`."""

    def __init__(
        self,
        model: SequenceModel,
        batches: Batches,
        config: TrainerConfig,
        run: Path,
        on_log: OnLog | None = None,
        worker: Worker | None = None,
    ) -> None:
        self.worker = worker or Worker(config)
        self.device = self.worker.device
        model.prepare(batches.tokens)
        self.model = model.to(self.device).train()
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        tokens, labels = batches.at(0)
        example = tokens[:1], labels[:1]
        self.train_loss, self.eval_loss = self.worker.losses(self.model, self.average, example)
        self.batches, self.config, self.run, self.on_log = batches, config, run, on_log
        self.peak = config.learning_rate or model.learning_rate
        self.optimizer = optimizer(self.model, config)
        low = low_precision(self.model, config, self.device)
        self.gradient = BatchGradient(config, self.worker, low, model.vocabulary.length)
        self.about = {"config": config.to_json(), "model": model.describe(), "data": batches.digest()}
        self.state = TrainingState()
        self.pending, self.unshared = Deferred(self.device), 0.0
        """Loss and gradient norm of steps whose figures are not in the state yet, and the seconds since then."""
        self.seen, self.spent = 0, 0.0

    def open(self, resume: bool) -> None:
        """Start in the folder, or continue from its checkpoint."""
        if self.worker.main:
            with files.writable(self.run, "check the folder's name and rights"):
                self.run.mkdir(parents=True, exist_ok=True)
        if (self.run / STATE).exists():
            if not resume:
                raise ArtifactError(f"{self.run} holds a training already", "use --resume, or choose another --out")
            parts = self.model, self.average, self.optimizer
            self.state = load_state(self.run, self.about, *parts, self.worker.distribute_like)
            if self.worker.main:
                cut_log(self.run, self.state)
        elif self.worker.main:
            (self.run / LOG).unlink(missing_ok=True)
            files.write_json(self.run / MODEL, self.model.describe())

    def stopped(self) -> str | None:
        """The reason to stop now, if there is one."""
        config, state = self.config, self.state
        if config.last_step is not None and state.step >= config.last_step:
            return "steps"
        if config.minutes is not None and state.seconds >= 60 * config.minutes:
            return "minutes"
        if self.stage(state.step) is not self.batches:
            return None
        if config.past_best and state.best_loss is not None and state.step >= config.past_best * state.best_step:
            return "past best"
        return "patience" if config.patience and state.stale >= config.patience else None

    def stage(self, step: int) -> Batches:
        """What is learned from in a step: made-up shapes, if there are any, or the fields."""
        return self.batches.stage(self.config.done(step, self.state.seconds), self.config.pretrain)

    def train(self, on_sample: OnSample | None) -> TrainResult:
        config = self.config
        # With a time limit progress is shown in seconds, as the number of steps is not known.
        total, unit = (math.ceil(60 * config.minutes), "s") if config.minutes else (config.last_step or 0, "step")
        label = "train, at most" if config.past_best else "train"
        with progress(total, label, unit, min(self._reached(), total)) as bar:
            try:
                while True:
                    self._show(bar)
                    step = self.state.step
                    if on_sample is not None and self._sample_is_due():
                        average = self.worker.full_model(self.average)
                        if average is not None and self.worker.main:
                            on_sample(average, step)
                        self.state = self.state.replace(sampled=step)
                    if step % config.evaluate_every == 0 or step % config.log_every == 0 or self.stopped() is not None:
                        self.fetch()
                    due = step % config.evaluate_every == 0 or self.stopped() is not None
                    # The state decides, as an interruption may have come between a step and its evaluation.
                    if due and step > self.state.evaluated:
                        self.evaluate()
                        self.save()
                    elif step % config.log_every == 0 and self.state.losses:
                        self.log(None)
                    if (reason := self.stopped()) is not None:
                        return self.result(reason)
                    self.step()
            except KeyboardInterrupt:
                self.save()
                raise

    def _sample_is_due(self) -> bool:
        every, state = self.config.sample_every, self.state
        return every > 0 and state.step % every == 0 and state.step > state.sampled

    def step(self) -> None:
        """One step of the optimizer."""
        started = time.monotonic()
        config, state, worker = self.config, self.state, self.worker
        tokens, labels = self.stage(state.step).at(state.step)
        rate = self.learning_rate(state.step)
        loss = self.gradient.backward(self.train_loss, tokens, labels, state.step)
        norm = worker.full_scalar(torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.clip))
        with uninterrupted():
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            self.optimizer.step()
            update_average(self.average, self.model, config.average, state.step)
            self.pending.add(loss, norm)
            self.state = state.replace(step=state.step + 1)
            self.seen += len(tokens) * self.model.vocabulary.length
            self.unshared += time.monotonic() - started
        if self.pending.due:
            self.fetch()

    def fetch(self) -> None:
        """Put the losses of the last steps, and their seconds, into the state; all processes do so together.

        Raises:
            NfgenError: if a loss or a gradient is not finite.
            KeyboardInterrupt: if Ctrl-C was pressed in one of several processes.
        """
        if not len(self.pending):
            return
        started, first = time.monotonic(), self.state.step - len(self.pending)
        with uninterrupted():
            mine, norms = zip(*self.pending.fetch(), strict=True)
            seconds = (self.unshared + time.monotonic() - started) * self.worker.main  # as clocks differ
            *losses, seconds, interrupted = self.worker.all_reduce_sum(*mine, seconds, self.worker.interrupted)
            for step, figures in enumerate(zip(losses, norms, strict=True), first):
                if not all(map(math.isfinite, figures)):
                    raise self._diverged(step)
            state, self.unshared = self.state, 0.0
            self.state = state.replace(losses=(*state.losses, *losses), seconds=state.seconds + seconds)
            self.spent += seconds
        if interrupted:
            raise KeyboardInterrupt

    def learning_rate(self, step: int) -> float:
        """The rate of a step at this time of training."""
        config, done = self.config, self.config.done(step, self.state.seconds)
        return warmup_cosine(self.peak, step, config.warmup_steps, done, config.final_learning_rate)

    @torch.no_grad()  # not inference mode, which sharded weights do not support
    def evaluate(self) -> None:
        """Log the held-out loss of the averaged weights; write them if they are the best, or if nothing is held out."""
        started = time.monotonic()
        self._require_finite_weights()
        tokens, labels = self.batches.heldout_tokens, self.batches.heldout_labels
        loss = None
        if len(tokens):
            mine = self.gradient.passes(tokens, labels)
            losses = torch.stack([self.gradient.loss(self.eval_loss, some) for some in mine]).tolist()
            mean = sum(loss * some.share for loss, some in zip(losses, mine, strict=True))
            (loss,) = self.worker.all_reduce_sum(mean)
            if not math.isfinite(loss):
                raise self._diverged()
        best = self.state.best_loss
        improved = loss is None or best is None or loss < best
        # Weights that know made-up shapes alone are never the best ones of the fields; the latest stand in for these.
        made_up = self.stage(self.state.step - 1) is not self.batches
        with uninterrupted():
            if improved:
                self._write_best()
                self.state = self.state.replace(best_loss=None if made_up else loss, best_step=self.state.step, stale=0)
            else:
                self.state = self.state.replace(stale=self.state.stale + 1)
            seconds = self.state.seconds + self.worker.broadcast_main(time.monotonic() - started)
            self.state = self.state.replace(evaluated=self.state.step, seconds=seconds)
            self.log(loss)

    def log(self, val_loss: float | None) -> None:
        """Write a line of the log, with the mean loss since the last one."""
        losses = self.state.losses
        if losses:
            self.state = self.state.replace(loss=sum(losses) / len(losses))
        line = {
            "step": self.state.step,
            "loss": self.state.loss,
            "val_loss": val_loss,
            "tokens_per_second": round(self.seen / max(self.spent, 1e-9)),
            "lr": self.learning_rate(self.state.step - 1),
        }
        with uninterrupted():  # a line is written once: with the losses of its steps
            if self.worker.main:
                append_log(self.run, line)
                if self.on_log is not None:
                    self.on_log(line)
            self.state = self.state.replace(losses=())
        self.seen, self.spent = 0, 0.0

    def save(self) -> None:
        """Write a checkpoint from which the training can resume."""
        self.fetch()
        self._require_finite_weights()
        with uninterrupted():
            tensors = self.worker.gather_full(state_tensors(self.model, self.average, self.optimizer))
            if self.worker.main:
                save_state(self.run, self.state, self.about, tensors)
            if self.state.evaluated == 0:
                self._write_best()

    def _write_best(self) -> None:
        tensors = self.worker.gather_full(self.average.state_dict())
        if self.worker.main:
            files.write_tensors(self.run / "best.safetensors", tensors)

    def result(self, stopped: str) -> TrainResult:
        state, vocabulary = self.state, self.model.vocabulary
        bits = None
        if state.best_loss is not None and not vocabulary.continuous:
            bits = state.best_loss * vocabulary.length / math.log(2)
        return TrainResult(state.step, state.best_step, state.loss, state.best_loss, bits, state.seconds, stopped)

    def _require_finite_weights(self) -> None:
        """Check the weights before they replace good ones: a bad step changes only the loss of the next one."""
        with torch.no_grad():
            shards = [self.worker.local_shard(weights) for weights in self.model.parameters()]
            finite = torch.stack([torch.isfinite(shard).all() for shard in shards]).all()
        if self.worker.all_reduce_sum(not finite)[0]:
            raise self._diverged()

    def _diverged(self, step: int | None = None) -> NfgenError:
        kept = "no checkpoint was reached"
        if (self.run / STATE).exists():
            kept = f"the checkpoint of step {files.read_json(self.run / STATE)['state']['step']} is kept"
        return NfgenError(
            f"the loss is no longer finite at step {self.state.step if step is None else step} of {self.run}",
            f"{kept}: resume from it (--resume) with a lower learning rate, as --learning-rate {self.peak / 3:.1g}",
        )

    def _reached(self) -> int:
        return int(self.state.seconds) if self.config.minutes is not None else self.state.step

    def _show(self, bar: Progress) -> None:
        last = self.state.losses[-1] if self.state.losses else self.state.loss
        figures = {} if last is None else {"loss": last}
        if self.state.best_loss is not None:
            figures["val"] = self.state.best_loss
        if self.spent:
            figures["tokens/s"] = self.seen / self.spent
        bar.update(min(self._reached(), bar.total) - bar.done, **figures)
