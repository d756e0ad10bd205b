"""What every shape can do: give its signed distance (or brightness), points of its surface, and samples to fit."""

import abc
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ConfigError, ShapeError
from nfgen.io.meshes import UPRIGHT, Up

if TYPE_CHECKING:
    import trimesh

Floats = NDArray[np.float64]
Kind = Literal["sdf", "brightness"]
Normalize = Literal["each", "none"]

MARGIN_SCALE = 0.95  # leaves 0.05 of free space on every side, so that the zero level closes inside [-1, 1]^d
NEAR_SIGMAS = (0.05, 0.0158)  # DeepSDF, section 5: variances 0.0025 and 0.00025, half of the near points each


@dataclass(frozen=True)
class Transform:
    """From the file's coordinates to the field's: field = (file - center) * scale.

    A file whose y axis points up was turned upright (`turned_upright`) before: here its coordinates are those then.
    """

    center: tuple[float, ...]
    """The point of the file that becomes the origin, one number a dimension."""
    scale: float
    """Units of the field per unit of the file; signed distances grow by it too."""
    up: Up = "z"
    """The axis that points up in the file; z points up in the field."""

    def apply(self, points: Floats) -> Floats:
        """Take points [n, d] of the file, upright, into the field's frame."""
        return (np.asarray(points, np.float64) - self.center) * self.scale

    def invert(self, points: Floats) -> Floats:
        """Take points [n, d] of the field's frame back to the file's, upright."""
        return np.asarray(points, np.float64) / self.scale + self.center

    def of_axis(self, up: Up) -> "Transform":
        """Give the same transform for a file of which another axis points up."""
        return replace(self, up=up)

    def to_json(self) -> dict[str, Any]:
        """Give a dict that `from_json` reads."""
        return {"center": list(self.center), "scale": self.scale, "up": self.up}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Transform":
        """Rebuild a transform from the dict that `to_json` gave.

        Raises:
            ConfigError: if it is none: not 2 or 3 finite numbers and a positive scale.
        """
        try:
            center, scale = tuple(float(c) for c in values["center"]), float(values["scale"])
            up = values.get("up", "z")
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise ConfigError(f"a frame must be a center and a scale, not {values!r}"[:200]) from error
        if len(center) not in (2, 3) or not np.isfinite([*center, scale]).all() or scale <= 0 or not is_axis(up):
            raise ConfigError(
                f"a frame must be 2 or 3 finite numbers, a positive scale, and an axis, not {values!r}"[:200]
            )
        return cls(center, scale, up)

    def to_row(self) -> list[float]:
        """Give the numbers of a row [d + 2] that `from_row` reads: center, scale, and which axis points up (x = 0)."""
        return [*self.center, self.scale, float("xyz".index(self.up))]

    @classmethod
    def from_row(cls, row: Sequence[float], dims: int) -> "Transform":
        """Rebuild a transform from a row, with or without its last number."""
        axis = row[dims + 1] if len(row) > dims + 1 else 2
        return cls(tuple(row[:dims]), row[dims], next((up for up in UPRIGHT if "xyz".index(up) == axis), "z"))


def is_axis(value: Any) -> bool:
    """Whether something stored is the name of an axis that may point up."""
    return isinstance(value, str) and value in UPRIGHT


def stored_up(config: dict[str, Any], frame: Transform | None) -> Up:
    """Give the axis that points up in the files of shapes, as the configuration of an artifact has it.

    Args:
        config: of the artifact; those of before lack `up`.
        frame: the artifact's frame, which has its own axis.

    Raises:
        ConfigError: if it is none.
    """
    up = config.get("up", "z" if frame is None else frame.up)
    if not is_axis(up):
        raise ConfigError(f"up must be one of {', '.join(UPRIGHT)}, not {up!r}"[:200])
    return cast("Up", up)


class Samples(NamedTuple):
    """Points of one shape and its values there: the near-surface ones first, then the uniform ones."""

    points: NDArray[np.float32]
    """[n, d] in the field's frame, all within [-1, 1]^d."""
    values: NDArray[np.float32]
    """[n] signed distance in the unit of the field's frame, or brightness."""


class Shape(abc.ABC):
    """One usable shape. Points are in the field's frame, [-1, 1]^d."""

    dims: ClassVar[Literal[2, 3]]
    """Dimensions of space."""
    notes: tuple[str, ...]
    """What reading chose where the file does not say it, and what looks wrong; one sentence each."""
    lost: float
    """Share of the file's surface that the solid does not have, since it encloses nothing."""
    about: dict[str, int]
    """Figures of the file, such as how many faces it has."""

    def __init__(self, id: str, label: str | None, transform: Transform) -> None:
        self.id, self.label, self.transform = id, label, transform
        self.notes, self.lost, self.about = (), 0.0, {}

    @abc.abstractmethod
    def value(self, points: Floats) -> Floats:
        """Give the shape's value [n] at points [n, d].

        A signed distance is negative inside and has the unit of the field's frame; a brightness is in [0, 1].
        """

    @abc.abstractmethod
    def surface(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw n points [n, d] uniformly by area (2-D: by length) from the surface."""

    def mesh(self) -> "trimesh.Trimesh":
        """Give the surface as a mesh in the field's frame, faces outwards.

        Raises:
            ShapeError: the shape is not in 3-D.
        """
        raise ShapeError(f"{self.id} is {self.dims}-D and has no mesh")

    def sample(self, near: int, uniform: int, rng: np.random.Generator) -> Samples:
        """Draw `near` points about the surface and `uniform` points in [-1, 1]^d, with the values there.

        The near points are surface points with Gaussian noise of the two NEAR_SIGMAS in turn, clipped to [-1, 1]^d
        (DeepSDF, https://arxiv.org/abs/1901.05103, section 5).
        """
        sigma = np.resize(NEAR_SIGMAS, near)[:, None]
        about = self.surface(near, rng) + rng.normal(size=(near, self.dims)) * sigma
        points = np.concatenate([about.clip(-1, 1), rng.uniform(-1, 1, (uniform, self.dims))])
        return Samples(points.astype(np.float32), self.value(points).astype(np.float32))


def sample_simplices(vertices: Floats, simplices: NDArray[np.int64], n: int, rng: np.random.Generator) -> Floats:
    """Draw n points [n, d] uniformly by measure from edges [s, 2] or triangles [s, 3] over vertices [v, d]."""
    corners = vertices[simplices]
    total = np.cumsum(simplex_measure(corners))
    # The clip is for a draw that rounds up to the very end of the last simplex.
    chosen = np.searchsorted(total, rng.random(n) * total[-1], side="right").clip(max=len(simplices) - 1)
    # Normalised exponentials are uniform on a simplex of any dimension.
    weights = rng.exponential(size=(n, simplices.shape[1]))
    weights /= weights.sum(axis=1, keepdims=True)
    return np.einsum("nc,ncd->nd", weights, corners[chosen])


def simplex_measure(corners: Floats) -> Floats:
    """Give the length of edges [s, 2, d] or the area of triangles [s, 3, 3]: [s]."""
    sides = corners[:, 1:] - corners[:, :1]
    if sides.shape[1] == 1:
        return np.linalg.norm(sides[:, 0], axis=1)
    return np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1) / 2


def shape_rng(seed: int, id: str) -> np.random.Generator:
    """Give the random numbers of one shape."""
    return np.random.default_rng([seed, *hashlib.sha256(id.encode()).digest()])
