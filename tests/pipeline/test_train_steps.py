"""How long a model trains where nobody says it."""

import pytest

from nfgen.pipeline.config import TrainConfig
from nfgen.pipeline.train import with_steps


@pytest.mark.parametrize(
    ("fields", "steps"), [(1, 300), (100, 300), (351, 768), (417, 913), (800, 1750), (2000, 2000), (10**6, 2000)]
)
def test_a_few_hundred_fields_are_passed_over_a_number_of_times(fields: int, steps: int) -> None:
    assert with_steps(TrainConfig(), "gpt", fields, views=True, made_up=False).steps == steps


def test_after_made_up_shapes_they_are_passed_over_as_often() -> None:
    config = with_steps(TrainConfig(), "gpt", 100, views=True, made_up=True)
    assert config.steps == 1500 + 219
    assert config.steps * config.pretrain == pytest.approx(1500)


@pytest.mark.parametrize("said", [{"steps": 5}, {"minutes": 1.0}, {"pretrain": 0.5}])
@pytest.mark.parametrize("made_up", [False, True])
def test_what_is_said_holds(said: dict[str, float], made_up: bool) -> None:
    config = TrainConfig(**said)
    assert with_steps(config, "gpt", 100, views=True, made_up=made_up) == config


@pytest.mark.parametrize("other", [{"model": "diffusion"}, {"views": False}], ids=["another model", "no copies"])
@pytest.mark.parametrize("made_up", [False, True])
def test_other_trainings_are_as_long_as_ever(other: dict[str, object], made_up: bool) -> None:
    case = {"model": "gpt", "views": True} | other
    assert with_steps(TrainConfig(), case.pop("model"), 100, made_up=made_up, **case).last_step == 2000
