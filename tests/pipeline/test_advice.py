"""Advice names what would help, and nothing that was done already."""

import itertools
import re
from typing import Any

import pytest

from nfgen.config import flat
from nfgen.pipeline import advice
from nfgen.pipeline.config import GenerateConfig, MakeConfig
from nfgen.pipeline.sampling_choice import SAMPLING

POOR: dict[str, Any] = {
    "iou_after": {"heldout": 0.5},
    "codebook_usage": {"train": 0.01},
    "validity": {"single_body": 0.1},
    "copying": {"cd": {"generated": {"copies": True, "z_u": -9.0}}},
}
"""Figures that are as bad as can be."""
VALUES = {"effort": ("quick", "best"), "require_body": (0.0, 0.95, 0.99), "offset": (0.0, 0.006, 0.02),
          "balanced": (False, True)}  # fmt: skip
"""Of each setting that advice sets to a value, as it may be already."""
OPTION = re.compile(r"--([a-z-]+)(?: ([\d.]+|[a-z]+)(?=[ ,)]))?")
DIRECTIONS = {"steps", "spec", "levels", "view_augment"}
"""In which one can always go further."""


def lines(settings: dict[str, Any]) -> list[str]:
    return [*advice.of_fields([0.1] * 3), *advice.of_tokens(POOR, settings), *advice.of_scores(POOR, settings)]


def absolute(settings: dict[str, Any]) -> dict[str, str | None]:
    """The options of all advice that set a value, and the values; flags have none."""
    found = [match.groups() for line in lines(settings) for match in OPTION.finditer(line)]
    named = {name.replace("-", "_"): value for name, value in found}
    return {name: value for name, value in named.items() if name not in DIRECTIONS}


@pytest.mark.parametrize("values", list(itertools.product(*VALUES.values())))
def test_no_advice_is_what_was_done(values: tuple[Any, ...]) -> None:
    settings = dict(zip(VALUES, values, strict=True))
    advised = absolute(settings)
    for name, value in settings.items():
        done = value == VALUES[name][-1] or value == VALUES[name][1]
        assert (name in advised) != done, f"{name} is {value}: {lines(settings)}"


def test_all_that_advice_sets_is_known_here_and_is_a_setting() -> None:
    known = set(flat(GenerateConfig, {})) | set(flat(MakeConfig, {}))
    assert set(absolute({"effort": "quick"})) == set(VALUES) <= known
    assert "effort" not in absolute({}), "it is an option of make alone"


def test_what_a_run_chose_and_its_samples_gave_up_is_no_advice() -> None:
    run = {SAMPLING: {"require_body": 0.95}}
    samples = {"settings": GenerateConfig().with_settings({"require_body": 0.0, "offset": 0.006}).to_json()}
    settings = advice.settings_of(samples, run)
    assert {"require_body", "offset"} & set(absolute(settings)) == set()
    assert "require_body" in absolute(advice.settings_of(samples))
    assert all(line.strip(" :,") == line and " or  " not in line for line in lines(settings))
