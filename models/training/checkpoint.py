"""Checkpoints of a training: its weights, and the state from which it resumes to the same bits. No pickle.

RUN/model.json           name, settings and vocabulary of the model
RUN/best.safetensors     averaged weights of lowest held-out loss (the last ones if nothing is held out)
RUN/last.safetensors     averaged weights of the last checkpoint
RUN/training/            state.json, and the state-STEP.safetensors that it names
RUN/log.jsonl            one line per logged step
"""

import contextlib
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nfgen.config import Configuration
from nfgen.errors import ArtifactError, ConfigError
from nfgen.io import files
from nfgen.io.optimizer_state import Distribute, load_optimizer, optimizer_tensors
from nfgen.io.tensor_names import strip_prefix
from nfgen.models.stored_names import with_current_names

LOG = "log.jsonl"
STATE = Path("training") / "state.json"

FREE_ON_RESUME = (
    "steps", "minutes", "patience", "past_best", "learning_rate", "sample_every", "accumulate", "shard", "device",
)  # fmt: skip
"""Settings that may change when a training is resumed."""


class TrainingState(Configuration):
    """Progress of a training; with its tensors, everything that the next step depends on."""

    step: int = 0
    """Steps done. Order and dropout depend on it and the seed only; without a time limit so does the learning rate."""
    seconds: float = 0.0
    """Time of training so far."""
    best_loss: float | None = None
    """Lowest held-out loss so far."""
    best_step: int = 0
    """Step of the best weights."""
    stale: int = 0
    """Evaluations since the best one."""
    evaluated: int = 0
    """Step of the last evaluation."""
    sampled: int = 0
    """Step of the last call of `on_sample`."""
    loss: float | None = None
    """Training loss in the last line of the log."""
    losses: tuple[float, ...] = ()
    """Training losses of the steps after that line."""


def state_tensors(model: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """All tensors of a training, by their names on disk."""
    tensors = {f"model/{name}": tensor for name, tensor in model.state_dict().items()}
    tensors |= {f"average/{name}": tensor for name, tensor in average.state_dict().items()}
    tensors |= {f"optimizer/{name}": tensor for name, tensor in optimizer_tensors(optimizer).items()}
    return tensors


def save_state(run: Path, state: TrainingState, about: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Write the last weights and the training state. The JSON file is written last and makes the new state valid."""
    files.write_tensors(run / "last.safetensors", strip_prefix("average", tensors))
    file = f"state-{state.step}.safetensors"
    (run / STATE).parent.mkdir(exist_ok=True)
    files.write_tensors(run / STATE.parent / file, tensors)
    files.write_json(run / STATE, {"file": file, "state": state.to_json(), **about})
    for old in (run / STATE.parent).glob("state-*.safetensors"):
        if old.name != file:
            old.unlink()


def load_state(
    run: Path,
    about: dict[str, Any],
    model: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    distribute: Distribute = lambda tensor, like: tensor,
) -> TrainingState:
    """Restore model, average and optimizer as `save_state` wrote them; the number of processes may differ.

    Raises:
        ConfigError: if data, model or settings differ from those of the interrupted training.
        ArtifactError: if the state is damaged.
    """
    stored = files.read_json(run / STATE)
    try:
        _check_same(stored, about)
        tensors = files.read_tensors(run / STATE.parent / stored["file"])
        for name, module in (("model", model), ("average", average)):
            now = module.state_dict()
            kept = with_current_names(strip_prefix(name, tensors))
            module.load_state_dict({key: distribute(tensor, now[key]) for key, tensor in kept.items()})
        load_optimizer(optimizer, strip_prefix("optimizer", tensors), distribute)
        return TrainingState.from_json(stored["state"])
    except (LookupError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ArtifactError(
            f"the training state in {run} is damaged: {reason}", "train again without --resume"
        ) from error


def _check_same(stored: dict[str, Any], about: dict[str, Any]) -> None:
    """Check that the training resumes with the same data and settings."""
    if stored["data"] != about["data"]:
        raise ConfigError(
            "the training data differ from those of the interrupted training",
            "use the same fields and tokenizer, or train without --resume",
        )
    for part in ("config", "model"):
        now = json.loads(json.dumps(about[part]))  # turns tuples into lists, as in the file
        for key, value in now.items():
            before = stored[part].get(key)
            if key not in FREE_ON_RESUME and before != value:
                raise ConfigError(
                    f"{key} was {before!r} in the interrupted training, not {value!r}",
                    f"resume with the same {key}, or train without --resume",
                )


def append_log(run: Path, line: dict[str, Any]) -> None:
    """Append a line to the log."""
    with (run / LOG).open("a") as file:
        file.write(json.dumps(line, allow_nan=False) + "\n")


def cut_log(run: Path, state: TrainingState) -> None:
    """Remove the lines written after a state was kept; a resumed training writes them again."""
    if not (run / LOG).exists():
        return
    # Losses that wait for their line say that the state was kept before its step had one.
    last = state.step - bool(state.losses)
    kept = []
    for line in (run / LOG).read_text(encoding="utf-8", errors="replace").splitlines():
        # A killed process may leave an incomplete line.
        with contextlib.suppress(ValueError, KeyError, TypeError):
            if files.parse_json(line)["step"] <= last:
                kept.append(line + "\n")
    files.write_atomically(run / LOG, "".join(kept).encode())
