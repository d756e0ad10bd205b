"""Every schedule rises to the peak, once, and then falls to where it should end."""

import pytest

from nfgen.models.training.config import TrainerConfig
from nfgen.runtime.learning_rate_schedule import cosine_decay, one_cycle, warmup_cosine

STEPS = 1000


def of_model(config: TrainerConfig, step: int, seconds: float = 0.0) -> float:
    return warmup_cosine(2.0, step, config.warmup_steps, config.done(step, seconds), config.final_learning_rate)


@pytest.mark.parametrize(
    ("rates", "top", "peak", "last"),
    [
        ([of_model(TrainerConfig(steps=STEPS, warmup=50), step) for step in range(STEPS)], 50, 2.0, 0.2),
        ([one_cycle(step / STEPS) for step in range(STEPS)], 100, 1.0, 0.0),
        ([cosine_decay(step / STEPS, 0.05) for step in range(STEPS)], 0, 1.0, 0.05),
    ],
)
def test_the_rate_rises_to_its_peak_and_falls_to_its_end(
    rates: list[float], top: int, peak: float, last: float
) -> None:
    highest = rates.index(max(rates))
    assert highest == pytest.approx(top, abs=2)
    assert rates[: highest + 1] == sorted(rates[: highest + 1])
    assert rates[highest:] == sorted(rates[highest:], reverse=True)
    assert rates[highest] == pytest.approx(peak, rel=0.01)
    assert rates[-1] == pytest.approx(last, abs=1e-3)
    assert min(rates) >= 0


def test_with_a_limit_of_time_the_rate_falls_with_time() -> None:
    timed = TrainerConfig(minutes=2.0)
    assert of_model(timed, 500, 60.0) == pytest.approx(1.1, abs=1e-6)
    assert of_model(timed, 500, 120.0) == of_model(timed, 5000, 500.0) == pytest.approx(0.2)


def test_a_short_training_warms_up_for_a_tenth_of_it() -> None:
    assert TrainerConfig(steps=20).warmup_steps == 2
    assert TrainerConfig(steps=5000).warmup_steps == TrainerConfig(minutes=1.0).warmup_steps == 100
