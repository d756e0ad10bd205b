"""A box of 2 x 3 x 4, what files of it must give, and how they are written."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nfgen.errors import ShapeError
from nfgen.shapes import MeshShape, find_shapes

# A box of 2 x 3 x 4, corner i at the bits of i; its six sides, seen from outside.
CORNERS = np.array([[x, y, z] for x in (0.0, 2) for y in (0.0, 3) for z in (0.0, 4)])
SIDES = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
TRIANGLES = [[s[0], s[i], s[i + 1]] for s in SIDES for i in (1, 2)]
MIXED = TRIANGLES[:6] + SIDES[3:]
# One strip round the four sides, one over each end; twice the same corner sews them together.
STRIPS = [[0, 1, 2, 3, 6, 7, 4, 5, 0, 1], [4, 0, 6, 2], [1, 5, 3, 7]]
FIRST, SECOND = CORNERS, CORNERS + np.array([10, 0, 0])


def rows(values: Any, end: str = "\n", between: str = " ") -> str:
    return "".join(between.join(f"{value:g}" for value in row) + end for row in values)


def listed(faces: list[list[int]], end: str = "\n") -> str:
    return rows([[len(face), *face] for face in faces], end)


def measured(path: Path) -> tuple[list[float], float]:
    """Extent and volume of a file's shape, through the whole of what reads it."""
    (ref,) = find_shapes(path)
    shape = ref.load()
    assert isinstance(shape, MeshShape)
    mesh, scale = shape.mesh(), shape.transform.scale
    return list(mesh.extents / scale), mesh.volume / scale**3


def check(path: Path, extent: tuple[float, ...] = (2, 3, 4), volume: float = 24) -> None:
    found, size = measured(path)
    np.testing.assert_allclose(found, extent, rtol=1e-4)
    assert size == pytest.approx(volume, rel=1e-4)


def refused(path: Path, match: str) -> None:
    with pytest.raises(ShapeError, match=match) as caught:
        find_shapes(path)[0].load()
    assert caught.value.remedy
    assert caught.value.problem.count(path.name) == 1
