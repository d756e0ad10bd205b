"""Lengths as users write them, `90cm` or `2.5in`, and the units of mesh files."""

import re
from typing import NamedTuple

from nfgen.errors import ConfigError

MILLIMETRES = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "in": 25.4, "ft": 304.8}
"""Of each unit."""
NAMES = {"mm": "millimetres", "cm": "centimetres", "m": "metres", "in": "inches", "ft": "feet"}
UNIT_OF_FORMAT = {"glb": "m", "stl": "mm", "3mf": "mm"}
"""By the standards of glTF and 3MF, and as slicers read STL. Other formats have none."""
SMALLEST, LARGEST = 0.001, 1e7  # mm: a micrometre, and ten kilometres


class Length(NamedTuple):
    """A length and the unit that it was given in."""

    millimetres: float
    unit: str

    def in_unit(self, unit: str) -> float:
        """The number of such units."""
        return self.millimetres / MILLIMETRES[unit]


def parse_length(text: str, name: str) -> Length:
    """Read a positive number with a unit.

    Args:
        name: of the setting, for the error.

    Raises:
        ConfigError: if it is none.
    """
    found = re.fullmatch(r"\s*(\d{1,12}(?:\.\d{0,12})?|\.\d{1,12})\s*([a-z]+)\s*", text, re.IGNORECASE)
    units = ", ".join(MILLIMETRES)
    if found is None or found[2].lower() not in MILLIMETRES:
        raise ConfigError(f"{name} must be a number and a unit, not {text!r}", f"write it as 90cm; units are {units}")
    unit = found[2].lower()
    length = Length(float(found[1]) * MILLIMETRES[unit], unit)
    if not SMALLEST <= length.millimetres <= LARGEST:
        raise ConfigError(f"{name} must be from 0.001mm to 10000m, not {text!r}", f"change {name}")
    return length
