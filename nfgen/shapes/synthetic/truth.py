"""Built-in shapes are known exactly: points of their true surfaces, and the normals there."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nfgen.errors import ConfigError
from nfgen.shapes.synthetic import FAMILIES
from nfgen.shapes.synthetic.sdf import SDF

STEPS = 6  # of Newton's method; two suffice for points of a fine mesh
DIFFERENCE = 1e-5  # of central differences, coordinate units

Points = npt.NDArray[np.float64]


def true_distance(kind: str, parameters: Mapping[str, Any]) -> SDF:
    """The signed distance of a built-in shape, as `make_shapes` gives its kind and parameters.

    Raises:
        ConfigError: an unknown kind, or parameters that are not those of it.
    """
    if kind not in FAMILIES:
        raise ConfigError(f"there is no family of shapes called {kind!r}", f"choose one of {', '.join(FAMILIES)}")
    family = FAMILIES[kind]
    try:
        return family.build(family.parameters(**parameters))
    except (TypeError, ValueError, KeyError) as error:
        raise ConfigError(f"these are no parameters of a {kind}: {error}", "make the shapes again") from error


def onto_surface(sdf: SDF, points: Points) -> tuple[Points, Points]:
    """Move points [N, 3] that are near the surface onto it.

    Returns:
        The points [N, 3], and the outward normals [N, 3] there, of length 1.
    """
    points = np.asarray(points, dtype=np.float64)
    for _ in range(STEPS):
        gradient = _gradient(sdf, points)
        steep = np.maximum((gradient**2).sum(axis=1, keepdims=True), 0.25)  # where distances are lower bounds
        points = points - sdf(points)[:, None] * gradient / steep
    gradient = _gradient(sdf, points)
    return points, gradient / np.maximum(np.linalg.norm(gradient, axis=1, keepdims=True), 1e-12)


def _gradient(sdf: SDF, points: Points) -> Points:
    steps = np.eye(3) * DIFFERENCE
    differences = [sdf(points + step) - sdf(points - step) for step in steps]
    return np.stack(differences, axis=1).astype(np.float64) / (2 * DIFFERENCE)
