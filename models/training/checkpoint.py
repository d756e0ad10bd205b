"""A training on disk: weights to use, and all that is needed to go on as if never interrupted. No pickle.

RUN/model.json           name, settings and vocabulary of the model
RUN/best.safetensors     averaged weights of lowest held-out loss (the latest ones where nothing is held out)
RUN/last.safetensors     averaged weights of the last checkpoint
RUN/training/            state.json and the state-STEP.safetensors that it names
RUN/log.jsonl            a line a logged step
"""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nfgen.config import Configuration
from nfgen.errors import ArtifactError, ConfigError
from nfgen.io import files

LOG = "log.jsonl"
STATE = Path("training") / "state.json"

FREE_ON_RESUME = ("steps", "minutes", "patience", "learning_rate", "sample_every", "accumulate", "shard")
"""Settings that a resumed training may change: to go on for longer, more carefully, or spread in another manner."""

Place = Callable[[Tensor, Tensor], Tensor]
"""Spreads a whole tensor over processes as another one is."""


class TrainingState(Configuration):
    """Where a training stands; with the tensors beside it, everything that the next step depends on."""

    step: int = 0
    """Steps done. Order, dropout and learning rate follow from it and the seed."""
    seconds: float = 0.0
    """Time spent."""
    best_loss: float | None = None
    """Lowest held-out loss so far."""
    best_step: int = 0
    """Step of the best weights."""
    stale: int = 0
    """Evaluations since."""
    evaluated: int = 0
    """Step of the last evaluation."""
    sampled: int = 0
    """Step of the last call of `on_sample`."""
    loss: float | None = None
    """Training loss of the last line of the log."""


def state_tensors(model: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """All tensors of a training by the names that they have on disk."""
    tensors = {f"model/{name}": tensor for name, tensor in model.state_dict().items()}
    tensors |= {f"average/{name}": tensor for name, tensor in average.state_dict().items()}
    for index, slots in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{slot}": tensor for slot, tensor in slots.items()}
    return tensors


def save_state(run: Path, state: TrainingState, about: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Write the last weights and the training state; the JSON file, written last, makes the new state the valid one."""
    files.write_tensors(run / "last.safetensors", _below("average", tensors))
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
    place: Place = lambda tensor, like: tensor,
) -> TrainingState:
    """Put model, average and optimizer back to where `save_state` left them, however they were spread then.

    Raises:
        ConfigError: if data, model or settings are not those of the interrupted training.
        ArtifactError: if the state is damaged.
    """
    stored = files.read_json(run / STATE)
    try:
        _same(stored, about)
        tensors = files.read_tensors(run / STATE.parent / stored["file"])
        for name, module in (("model", model), ("average", average)):
            now = module.state_dict()
            module.load_state_dict({key: place(tensor, now[key]) for key, tensor in _below(name, tensors).items()})
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        slots: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _below("optimizer", tensors).items():
            index, _, slot = name.partition("/")
            like = weights[int(index)]
            # A slot is as its weight, but for the count of steps.
            slots.setdefault(int(index), {})[slot] = place(tensor, like) if tensor.shape == like.shape else tensor
        optimizer.load_state_dict({**optimizer.state_dict(), "state": slots})
        return TrainingState.from_json(stored["state"])
    except (LookupError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ArtifactError(
            f"the training state in {run} is damaged: {reason}", "train again without --resume"
        ) from error


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix + "/"): tensor for name, tensor in tensors.items() if name.startswith(prefix + "/")
    }


def _same(stored: dict[str, Any], about: dict[str, Any]) -> None:
    """Refuse to resume on other data or under other settings: the result would be neither one's."""
    if stored["data"] != about["data"]:
        raise ConfigError(
            "the training data are not those of the interrupted training",
            "give the same fields and tokenizer, or train without --resume",
        )
    for part in ("config", "model"):
        now = json.loads(json.dumps(about[part]))  # tuples become lists, as in the file
        for key, value in now.items():
            before = stored[part].get(key)
            if key not in FREE_ON_RESUME and before != value:
                raise ConfigError(
                    f"{key} was {before!r} in the interrupted training, not {value!r}",
                    f"resume with the same {key}, or train without --resume",
                )


def append_log(run: Path, line: dict[str, Any]) -> None:
    """Add a line to the log."""
    with (run / LOG).open("a") as file:
        file.write(json.dumps(line, allow_nan=False) + "\n")


def cut_log(run: Path, step: int) -> None:
    """Drop the lines after a step, which a resumed training writes again."""
    if not (run / LOG).exists():
        return
    kept = []
    for line in (run / LOG).read_text().splitlines():
        # A killed process may leave half a line.
        with contextlib.suppress(ValueError, KeyError, TypeError):
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
    files.write_atomically(run / LOG, "".join(kept).encode())
