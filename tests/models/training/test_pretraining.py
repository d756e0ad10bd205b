"""Made-up shapes are learned first, and the fields at the end."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from nfgen.errors import ConfigError
from nfgen.models.registry import load_model
from nfgen.models.training.config import TrainerConfig
from nfgen.models.training.data import Batches

from .small_trainings import NUMBERS, data, labelled, learn, log

MADE_UP = torch.full((10, 12), 3), torch.full((10,), -1)


def seen_by(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each step whether its batch was made up."""
    steps: list[bool] = []
    at = Batches.at

    def noted(self: Batches, step: int) -> tuple[Tensor, Tensor]:
        tokens, labels = at(self, step)
        steps.append(bool((tokens == 3).all()))
        return tokens, labels

    monkeypatch.setattr(Batches, "at", noted)
    return steps


@pytest.mark.parametrize(("share", "first"), [(0.0, 0), (0.5, 6), (0.75, 9)])
def test_the_first_share_of_the_steps_sees_what_is_made_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float, first: int
) -> None:
    steps = seen_by(monkeypatch)
    learn(tmp_path / "run", steps=12, pretrain=share, synthetic=MADE_UP)
    assert steps[-12:] == [step < first for step in range(12)]


def test_those_most_like_the_fields_come_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first half of what is made up is of token 3, the other one of token 4."""
    tokens = torch.cat([torch.full((10, 12), 3), torch.full((10, 12), 4)])
    seen: list[set[int]] = []
    at = Batches.at

    def noted(self: Batches, step: int) -> tuple[Tensor, Tensor]:
        found = at(self, step)
        seen.append(set(found[0].flatten().tolist()))
        return found

    monkeypatch.setattr(Batches, "at", noted)
    learn(tmp_path / "run", steps=12, pretrain=0.5, synthetic=(tokens, torch.full((20,), -1)))
    assert set.union(*seen[-12:-9]) == {3, 4}
    assert seen[-9:-6] == [{4}] * 3
    assert all(len(one) > 2 for one in seen[-6:])


def test_without_made_up_shapes_all_steps_see_the_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = seen_by(monkeypatch)
    learn(tmp_path / "run", steps=12, pretrain=0.5)
    assert not any(steps)


def test_what_was_learned_first_is_still_known(tmp_path: Path) -> None:
    """Of random fields nothing can be learned that holds for others; of what is made up, which token is likely."""
    steps = {"steps": 60, "learning_rate": 1e-2, "evaluate_every": 60}
    learn(tmp_path / "without", **steps)
    learn(tmp_path / "with", pretrain=0.9, synthetic=MADE_UP, **steps)
    tokens, labels = MADE_UP
    with torch.no_grad():
        losses = [float(load_model(tmp_path / run, "last").loss(tokens, labels)) for run in ("with", "without")]
    assert losses[0] < losses[1] / 2


def test_weights_that_saw_no_field_are_not_the_best(tmp_path: Path) -> None:
    result = learn(tmp_path / "run", steps=40, pretrain=0.5, synthetic=MADE_UP, learning_rate=0.1, evaluate_every=1)
    losses = [line["val_loss"] for line in log(tmp_path / "run")]
    assert min(losses[:20]) < min(losses[20:]) == result.val_loss
    assert result.best_step == 21 + losses[20:].index(result.val_loss)


def test_interrupted_and_resumed_equals_never_interrupted(tmp_path: Path) -> None:
    settings = {"pretrain": 0.5, "synthetic": MADE_UP}
    learn(tmp_path / "whole", **settings)
    for at in (3, 9):  # in either part
        run, stopped = tmp_path / f"parts-{at}", [False]

        def interrupt(line: dict[str, float], at: int = at, stopped: list[bool] = stopped) -> None:
            if line["step"] > at and not stopped[0]:
                stopped[0] = True
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            learn(run, on_log=interrupt, **settings)
        learn(run, resume=True, **settings)
        for name in ("best", "last"):
            file = f"{name}.safetensors"
            assert (run / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


def test_a_training_is_not_resumed_with_other_made_up_shapes(tmp_path: Path) -> None:
    learn(tmp_path / "run", synthetic=MADE_UP)
    with pytest.raises(ConfigError, match="training data differ"):
        learn(tmp_path / "run", synthetic=(MADE_UP[0] + 1, MADE_UP[1]), resume=True)
    with pytest.raises(ConfigError, match="training data differ"):
        learn(tmp_path / "run", resume=True)


def test_made_up_shapes_have_tokens_of_the_vocabulary(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not allowed"):
        learn(tmp_path / "run", synthetic=(torch.full((4, 12), 20), torch.full((4,), -1)))
    with pytest.raises(ConfigError, match="4 classes"):
        learn(tmp_path / "run", synthetic=(torch.full((4, 12), 3), torch.full((4,), 4)))


def test_patience_waits_for_the_fields(tmp_path: Path) -> None:
    """Made-up shapes may well make the held-out loss worse."""
    result = learn(
        tmp_path / "run", steps=40, pretrain=0.5, synthetic=MADE_UP, learning_rate=0.1, evaluate_every=1, patience=2
    )
    assert result.steps >= 20
    assert max(line["val_loss"] or 0 for line in log(tmp_path / "run")[:30]) > result.val_loss  # type: ignore[operator]


def test_continuous_tokens_can_be_made_up_too(tmp_path: Path) -> None:
    made_up = data(NUMBERS, 8, seed=1), labelled(8)
    assert learn(tmp_path / "run", NUMBERS, pretrain=0.5, synthetic=made_up).steps == 12


def test_the_share_is_below_one() -> None:
    assert TrainerConfig().pretrain > 0
    with pytest.raises(ConfigError, match="pretrain"):
        TrainerConfig(pretrain=1.0)
