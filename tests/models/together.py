"""What test_distributed.py has several processes do; `python together.py FOLDER TRAININGS` runs in each of them."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nfgen.io import files
from nfgen.models.base import SequenceModel
from nfgen.models.generation.generate import sample
from nfgen.models.registry import find
from nfgen.models.training.data import Batches
from nfgen.models.training.result import TrainResult
from nfgen.models.training.trainer import train
from nfgen.pipeline.config import TrainConfig
from nfgen.tokens.vocabulary import Vocabulary

CLASSES = ("a", "b", "c", "d")
CODES = Vocabulary(length=12, codes=20, levels=(5, 4), classes=CLASSES)
NUMBERS = Vocabulary(length=12, width=2, classes=CLASSES)
SMALL: dict[str, Any] = {"layers": 2, "width": 32, "heads": 2, "dropout": 0.0, "class_dropout": 0.0}
ROWS, HELD = 20, 5
"""15 rows to learn from make batches of 8 and 7, two an epoch: two processes cannot halve the latter."""
BASE: dict[str, Any] = {
    "steps": 12,
    "batch_size": 8,
    "evaluate_every": 4,
    "log_every": 1,
    "sample_every": 9,
    "precision": "float32",
    "device": "cpu",
}


def learn(
    run: Path,
    name: str = "gpt",
    model: dict[str, Any] | None = None,
    interrupted_at: int = -1,
    resume: bool = False,
    **config: Any,
) -> TrainResult:
    """Train on fresh random tokens in every epoch; an epoch may begin with Ctrl-C."""
    vocabulary = CODES if name == "gpt" else NUMBERS

    def data(count: int, seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        if vocabulary.continuous:
            return torch.randn(count, vocabulary.length, vocabulary.width, generator=generator)
        return torch.randint(vocabulary.codes or 0, (count, vocabulary.length), generator=generator)

    def augment(epoch: int) -> Tensor:
        if epoch == interrupted_at:
            raise KeyboardInterrupt
        return data(ROWS - HELD, 100 + epoch)

    def look(model: SequenceModel, step: int) -> None:
        files.write_json(run / f"samples-{step}.json", sample(model, 2).tolist())

    return train(
        name,
        find(name).Config.from_json({**SMALL, **(model or {})}),
        vocabulary,
        data(ROWS, 0),
        torch.arange(ROWS) % len(CLASSES),
        torch.arange(ROWS) >= ROWS - HELD,
        run,
        TrainConfig.from_json({**BASE, **config}),
        resume=resume,
        augment=augment,
        on_sample=look,
    )


def fail_alone(step: int, message: str) -> None:
    """Let the second process alone fail at a step."""
    at = Batches.at

    def failing(self: Batches, now: int) -> Any:
        if now == step and os.environ["RANK"] == "1":
            raise RuntimeError(message)
        return at(self, now)

    Batches.at = failing  # type: ignore[method-assign]


def work(folder: Path, trainings: list[dict[str, Any]]) -> None:
    for settings in trainings:
        try:
            learn(folder / settings.pop("run"), **settings)
        except KeyboardInterrupt:
            assert settings.get("interrupted_at", -1) >= 0


if __name__ == "__main__":
    if sys.argv[1] == "fail":
        from nfgen.cli.main import main

        fail_alone(3, "the second one broke")
        main(sys.argv[2:])
    work(Path(sys.argv[1]), json.loads(sys.argv[2]))
