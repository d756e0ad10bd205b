"""Built-in families of shapes: parametric chairs, tables, airplanes, mugs and vases, meshed on demand.

Up is +z, the front is -y, and every shape lies within [-1, 1]^3.
"""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import trimesh

from nfgen.errors import ConfigError

from . import airplane, chair, mug, table, vase
from .parameters import Parameters
from .sdf import SDF
from .sdf_meshing import mesh_sdf

__all__ = ["FAMILIES", "SDF", "Family", "Parameters", "make_shapes", "mesh_sdf"]


@dataclass(frozen=True)
class Family:
    """A kind of shape: its parameters and how they become a signed distance function."""

    parameters: type[Parameters]
    """A frozen dataclass; `parameters.sample(rng)` draws one, `parameters()` is a middling one."""
    build: Callable[[Any], SDF]
    """From parameters to the shape."""

    def sample(self, rng: np.random.Generator) -> Parameters:
        """Draw a shape's parameters."""
        return self.parameters.sample(rng)


FAMILIES: dict[str, Family] = {
    "airplane": Family(airplane.Airplane, airplane.build),
    "chair": Family(chair.Chair, chair.build),
    "mug": Family(mug.Mug, mug.build),
    "table": Family(table.Table, table.build),
    "vase": Family(vase.Vase, vase.build),
}


def make_shapes(
    kind: str, n: int, seed: int, resolution: int = 96
) -> Iterator[tuple[str, trimesh.Trimesh, dict[str, Any]]]:
    """Make shapes of a family, one after another.

    Shape i depends on kind, seed and i alone: a longer run begins with the shapes of a shorter one.

    Args:
        kind: a name in `FAMILIES`.
        n: how many.
        seed: of the random parameters; a whole number from 0.
        resolution: of the marching cubes grid (see `mesh_sdf`); at the default the thinnest parts are some 2.5 cells.

    Yields:
        An id such as "chair-00012", a watertight mesh of one body within [-1, 1]^3, and its parameters (plain values).

    Raises:
        ConfigError: for an unknown kind, a negative n or seed, or a resolution below 8.
    """
    if kind not in FAMILIES:
        raise ConfigError(f"there is no family of shapes called {kind!r}", f"choose one of {', '.join(FAMILIES)}")
    if n < 0 or seed < 0:
        raise ConfigError(f"cannot make {n} shapes from seed {seed}", "give whole numbers from 0 upwards")
    if resolution < 8:
        raise ConfigError(f"a shape cannot be meshed at resolution {resolution}", "give a resolution of at least 8")
    return _shapes(kind, n, seed, resolution)


def _shapes(kind: str, n: int, seed: int, resolution: int) -> Iterator[tuple[str, trimesh.Trimesh, dict[str, Any]]]:
    family = FAMILIES[kind]
    for index in range(n):
        # The kind is part of the seed, so that the families do not draw the same numbers.
        source = np.random.SeedSequence([seed, *kind.encode()], spawn_key=(index,))
        parameters = family.sample(np.random.default_rng(source))
        yield f"{kind}-{index:05d}", mesh_sdf(family.build(parameters), resolution), dataclasses.asdict(parameters)
