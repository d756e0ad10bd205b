"""How long a model trains where nobody says it."""

from pathlib import Path

import pytest

from nfgen.fields.field_set import FieldSet
from nfgen.pipeline.config import TrainConfig
from nfgen.pipeline.tokenize import tokenize
from nfgen.pipeline.train import train, with_steps

from .stopping import SMALL, VQ


@pytest.mark.parametrize(
    ("fields", "steps"), [(1, 300), (100, 300), (351, 768), (417, 913), (800, 1750), (2000, 2000), (10**6, 2000)]
)
def test_fields_of_which_none_are_held_out_are_passed_over_a_number_of_times(fields: int, steps: int) -> None:
    config = with_steps(TrainConfig(), "gpt", fields, heldout=False, views=True, made_up=False, tuned=False)
    assert (config.steps, config.past_best) == (steps, None)


@pytest.mark.parametrize("fields", [100, 10**6])
def test_otherwise_the_held_out_loss_says_when_to_stop(fields: int) -> None:
    config = with_steps(TrainConfig(), "gpt", fields, heldout=True, views=True, made_up=False, tuned=False)
    assert (config.steps, config.past_best, config.evaluate_every) == (2000, 1.25, 25)
    said = with_steps(TrainConfig(past_best=2.0), "gpt", fields, heldout=True, views=True, made_up=False, tuned=False)
    assert said.past_best == 2


def test_a_model_that_knows_shapes_learns_for_a_shorter_time_and_at_a_lower_rate() -> None:
    config = with_steps(TrainConfig(), "gpt", 351, heldout=False, views=True, made_up=False, tuned=True)
    assert (config.steps, config.learning_rate) == (357, 2e-3)
    config = with_steps(TrainConfig(), "gpt", 351, heldout=True, views=True, made_up=False, tuned=True)
    assert (config.steps, config.past_best) == (2000, 2.0)
    long = TrainConfig(steps=5, learning_rate=1e-4)
    assert with_steps(long, "gpt", 351, heldout=True, views=True, made_up=False, tuned=True) == long


def test_after_made_up_shapes_they_are_passed_over_as_often() -> None:
    config = with_steps(TrainConfig(), "gpt", 100, heldout=True, views=True, made_up=True, tuned=False)
    assert config.steps == 1500 + 219
    assert config.steps * config.pretrain == pytest.approx(1500)


@pytest.mark.parametrize("said", [{"steps": 5}, {"minutes": 1.0}, {"pretrain": 0.5}])
def test_what_is_said_holds(said: dict[str, float]) -> None:
    config = TrainConfig(**said)
    assert with_steps(config, "gpt", 100, heldout=True, views=True, made_up=True, tuned=False) == config
    alone = with_steps(config, "gpt", 100, heldout=False, views=True, made_up=False, tuned=False)
    assert alone == (config.replace(steps=300) if "pretrain" in said else config), "there is nothing to learn before"


def test_a_run_tells_how_long_it_was_trained_so_that_it_is_made_again(tiny_fields: FieldSet, tmp_path: Path) -> None:
    tokenize(tiny_fields, tmp_path / "tokens", "vq", views=1, synthetic=0, **VQ)
    run = train(tmp_path / "tokens", tmp_path / "run", patience=1, evaluate_every=1, model_settings=SMALL)
    again = TrainConfig.model_validate(run.config["train"])
    assert (again.steps, again.past_best) == (2000, 1.25)
    other = with_steps(again, "gpt", 11, heldout=True, views=True, made_up=True, tuned=False)
    assert other == again, "whatever the next fields are"


@pytest.mark.parametrize("other", [{"model": "diffusion"}, {"views": False}], ids=["another model", "no copies"])
@pytest.mark.parametrize("made_up", [False, True])
def test_other_trainings_are_as_long_as_ever(other: dict[str, object], made_up: bool) -> None:
    case = {"model": "gpt", "views": True} | other
    config = with_steps(TrainConfig(), case.pop("model"), 100, heldout=True, made_up=made_up, tuned=False, **case)
    assert (config.last_step, config.past_best) == (2000, None)
