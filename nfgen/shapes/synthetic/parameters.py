"""Parameters of shapes that know their own ranges: they check themselves and can be drawn at random."""

from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np

from nfgen.errors import ConfigError

DECIMALS = 4  # of drawn lengths: far below what a mesh shows, and short to read


@dataclass(frozen=True)
class Parameters:
    """Base of every family's parameters; each field is declared by `between`, `whole` or `one_of`."""

    def __post_init__(self) -> None:
        for entry in fields(self):
            value, known = getattr(self, entry.name), entry.metadata
            if "choices" in known:
                good = type(value) is type(next(iter(known["choices"]))) and value in known["choices"]
                remedy = "choose one of " + ", ".join(str(choice) for choice in known["choices"])
            else:
                good = _is_number(value, known["whole"]) and known["low"] <= value <= known["high"]
                remedy = f"give a {'whole ' * known['whole']}number from {known['low']} to {known['high']}"
            if not good:
                raise ConfigError(f"{type(self).__name__}.{entry.name} is {value!r}", remedy)

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Self:
        """Draw every parameter on its own: uniformly between its ends, or a choice by its weight."""
        drawn: dict[str, Any] = {}
        for entry in fields(cls):
            known = entry.metadata
            if "choices" in known:
                weights = np.array(list(known["choices"].values()), dtype=float)
                drawn[entry.name] = list(known["choices"])[rng.choice(len(weights), p=weights / weights.sum())]
            elif known["whole"]:
                drawn[entry.name] = int(rng.integers(known["low"], known["high"], endpoint=True))
            else:
                drawn[entry.name] = round(float(rng.uniform(known["low"], known["high"])), DECIMALS)
        return cls(**drawn)


def between(low: float, high: float) -> Any:  # Any, as `dataclasses.field` itself: it stands for the field's value
    """A length or angle from `low` to `high`; the middle by default."""
    return field(default=round((low + high) / 2, DECIMALS), metadata={"low": low, "high": high, "whole": False})


def whole(low: int, high: int) -> Any:
    """A count from `low` to `high`, both included; the middle by default."""
    return field(default=(low + high) // 2, metadata={"low": low, "high": high, "whole": True})


def one_of(choices: dict[Any, float]) -> Any:
    """One of some choices, drawn in proportion to their weights; the first by default."""
    return field(default=next(iter(choices)), metadata={"choices": choices})


def _is_number(value: object, must_be_whole: bool) -> bool:
    return isinstance(value, int if must_be_whole else int | float) and not isinstance(value, bool)
