"""Vases: a revolved spline with a wall of even thickness, plain or fluted, with handles or without."""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from .parameters import Parameters, between, one_of, whole
from .sdf import SDF, extrude, revolve, stroke


@dataclass(frozen=True)
class Vase(Parameters):
    """A vase about the z axis. Lengths in coordinate units; radii are to the middle of the wall."""

    height: float = between(1.15, 1.8)
    """From the ground to the rim."""
    foot: float = between(0.16, 0.34)
    """Radius of the foot."""
    waist: float = between(0.75, 1.15)
    """Radius a little above the foot, over the foot's."""
    belly: float = between(0.3, 0.58)
    """Largest radius of the body."""
    belly_height: float = between(0.3, 0.62)
    """Height of the belly over the vase's height."""
    neck: float = between(0.13, 0.28)
    """Radius of the neck."""
    neck_height: float = between(0.76, 0.88)
    """Height of the neck's narrowest place over the vase's height."""
    lip: float = between(1.0, 1.9)
    """Radius of the rim over the neck's."""
    wall: float = between(0.062, 0.09)
    """Thickness of the wall."""
    surface: str = one_of({"plain": 3, "fluted": 2, "twisted": 1})
    """Plain, with upright flutes, or with flutes that wind around."""
    flutes: int = whole(5, 12)
    """How many flutes a fluted vase has."""
    flute_depth: float = between(0.012, 0.03)
    """How far they wave in and out."""
    handles: str = one_of({"none": 4, "loops": 2, "ears": 1})
    """None, two from neck to belly, or two small ones at the neck; a fluted vase has none."""
    handle_reach: float = between(0.14, 0.24)
    """How far handles stand out from the neck's wall."""


def build(p: Vase) -> SDF:
    """The vase, its height centred on the origin."""
    vase = revolve(stroke(_profile(p), p.wall))
    if p.surface != "plain":
        vase = vase.lobed(p.flutes, p.flute_depth, 0.2, twist=1.2 if p.surface == "twisted" else 0.0)
    elif p.handles != "none":
        vase = vase.blend(_handles(p), 0.04)
    return vase.at(z=-p.height / 2)


def _radius(p: Vase) -> PchipInterpolator:
    """Radius of the wall's middle over height (monotone between its points: Fritsch and Carlson 1980)."""
    heights = np.array([0, 0.09, p.belly_height, p.neck_height, 1]) * p.height
    return PchipInterpolator(heights, [p.foot, p.waist * p.foot, p.belly, p.neck, p.lip * p.neck])


def _profile(p: Vase) -> list[tuple[float, float]]:
    """The middle of bottom and wall, from the axis to the rim, as (radius, height)."""
    heights = np.linspace(p.wall / 2, p.height - p.wall / 2, 26)
    return [(0.0, p.wall / 2), *zip(_radius(p)(heights).tolist(), heights.tolist(), strict=True)]


def _handles(p: Vase) -> SDF:
    """Two handles in the xz plane, each a stroke from the neck out and down to the shoulder."""
    radius, top = _radius(p), (p.neck_height + 0.03) * p.height
    low = (p.belly_height + (0.06 if p.handles == "loops" else 0.6) * (p.neck_height - p.belly_height)) * p.height
    share = np.linspace(0, 1, 15)
    heights = top + (low - top) * share
    bow = p.handle_reach * np.sin(np.pi * share) ** 0.7
    straight = radius(top) + (radius(low) - radius(top)) * share
    line = [(float(u) + 0.005, float(v)) for u, v in zip(straight + bow, heights, strict=True)]
    edge, pen = 0.028, 0.066
    handle = extrude(stroke(line, pen - 2 * edge), 0.09 - 2 * edge, axis="y").rounded(edge)
    return handle.mirrored("x")
