"""A sample with a box in space around a part of it, to be seen before the part is kept."""

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from .things import Drawn, shown

if TYPE_CHECKING:
    import trimesh

THICK = 0.02  # of the bars, coordinate units
RIM = 1 - THICK / 2  # where a bar still lies in [-1, 1]^3, which is all that is drawn
BESIDE = 0.06  # from the shape to the bars of a larger box, which would else stand far outside of the picture
NUMBERS = 6


@dataclass(frozen=True)
class Boxed:
    """What the page shows of a sample whose part is to be kept."""

    sample: Drawn
    corners: tuple[float, ...]
    """The lowest and the highest, as `region` of an edit."""

    def content(self, kind: str) -> bytes | None:
        """The model or the picture; there are no files of it."""
        if self.sample.mesh is None:
            return None
        return shown(self.sample.field, with_bars(self.sample.mesh, self.corners), kind)


def read_corners(text: str) -> tuple[float, ...] | None:
    """Six numbers by comma within [-1, 1]; None if the text is something else."""
    try:
        numbers = tuple(float(word) for word in text.split(","))
    except ValueError:
        return None
    return numbers if len(numbers) == NUMBERS and all(-1 <= number <= 1 for number in numbers) else None


def with_bars(mesh: "trimesh.Trimesh", corners: tuple[float, ...]) -> "trimesh.Trimesh":
    """A mesh and a bar along each edge of a box, which is drawn no larger than goes around the mesh."""
    import trimesh

    around = np.clip(mesh.bounds + np.array([[-BESIDE], [BESIDE]]), -RIM, RIM)
    low, high = np.clip(np.asarray(corners).reshape(2, 3), *around)
    bars = []
    for axis, first, second in product(range(3), (low, high), (low, high)):
        centre, extents = (low + high) / 2, np.full(3, THICK)
        across = [other for other in range(3) if other != axis]
        centre[across] = first[across[0]], second[across[1]]
        extents[axis] += abs(high[axis] - low[axis])
        bars.append(trimesh.creation.box(extents, trimesh.transformations.translation_matrix(centre)))
    joined = trimesh.util.concatenate([mesh, *bars])
    assert isinstance(joined, trimesh.Trimesh)
    return joined
