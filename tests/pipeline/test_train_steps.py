"""How long a model trains where nobody says it."""

import pytest

from nfgen.pipeline.config import TrainConfig
from nfgen.pipeline.train import with_steps


@pytest.mark.parametrize(
    ("fields", "steps"), [(1, 300), (100, 300), (351, 768), (417, 913), (800, 1750), (2000, 2000), (10**6, 2000)]
)
def test_a_few_hundred_fields_are_passed_over_a_number_of_times(fields: int, steps: int) -> None:
    assert with_steps(TrainConfig(), "gpt", fields, views=True, made_up=False).steps == steps


@pytest.mark.parametrize("said", [{"steps": 5}, {"minutes": 1.0}])
def test_what_is_said_holds(said: dict[str, float]) -> None:
    config = TrainConfig(**said)
    assert with_steps(config, "gpt", 100, views=True, made_up=False) == config


@pytest.mark.parametrize(
    "other",
    [{"model": "diffusion"}, {"views": False}, {"made_up": True}],
    ids=["another model", "no copies", "made up"],
)
def test_other_trainings_are_as_long_as_ever(other: dict[str, object]) -> None:
    case = {"model": "gpt", "views": True, "made_up": False} | other
    assert with_steps(TrainConfig(), case.pop("model"), 100, **case).last_step == 2000
