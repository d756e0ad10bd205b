"""Mugs: a straight, conical or bellied cup with one of several handles."""

from dataclasses import dataclass

import numpy as np

from .parameters import Parameters, between, one_of
from .sdf import SDF, extrude, revolve, stroke, torus


@dataclass(frozen=True)
class Mug(Parameters):
    """A mug whose handle is toward +x. Lengths in coordinate units."""

    height: float = between(0.85, 1.4)
    """From the ground to the rim."""
    radius: float = between(0.4, 0.55)
    """Of the rim, to the middle of the wall."""
    bottom: float = between(0.65, 1.0)
    """Radius at the bottom over radius at the rim."""
    belly: float = between(-0.08, 0.14)
    """How far the wall bulges outwards (or inwards) between bottom and rim."""
    wall: float = between(0.062, 0.1)
    """Thickness of wall and bottom."""
    corner: float = between(0.04, 0.22)
    """Radius where the wall turns into the bottom."""
    lip: float = between(0.0, 0.05)
    """How far the rim turns outwards."""
    foot: bool = one_of({False: 2, True: 1})
    """A ring to stand on."""
    handle: str = one_of({"round": 3, "square": 2, "ear": 3, "angular": 1})
    """Half an ellipse, a rounded rectangle, wide above and narrow below, or a triangle."""
    handle_height: float = between(0.5, 0.72)
    """Between the handle's ends, over the mug's height."""
    handle_place: float = between(0.46, 0.56)
    """Height of the handle's middle over the mug's height."""
    handle_reach: float = between(0.24, 0.36)
    """How far the handle stands out from the wall."""
    handle_thickness: float = between(0.065, 0.09)
    """Seen from the side."""
    handle_width: float = between(0.08, 0.16)
    """Seen from the handle's end."""


def build(p: Mug) -> SDF:
    """The mug, its height centred on the origin, and moved along x so that cup and handle are."""
    cup = revolve(stroke(_profile(p), p.wall))
    if p.foot:
        cup = cup.blend(torus(0.75 * p.bottom * p.radius, 0.08).at(z=0.02), 0.04)
    # The handle's ends stay within the wall, whatever is thicker of the two.
    pen = p.handle_thickness
    line = [(_wall(p, v) + max(u, 0.5 * (pen - p.wall) + 0.004), v) for u, v in _handle(p)]
    edge = 0.03
    handle = extrude(stroke(line, pen - 2 * edge), p.handle_width - 2 * edge, axis="y").rounded(edge)
    return cup.blend(handle, 0.04).at(x=-p.handle_reach / 2, z=-p.height / 2)


def _wall(p: Mug, height: float) -> float:
    """Radius of the wall's middle at a height, above the corner."""
    share = float(np.clip(height / p.height, 0, 1))
    bulge = p.belly * np.sin(np.pi * share) + p.lip * max(share - 0.8, 0) ** 2 * 25
    return float(p.radius * (p.bottom + (1 - p.bottom) * share) + bulge)


def _profile(p: Mug) -> list[tuple[float, float]]:
    """The middle of bottom and wall, from the axis to the rim, as (radius, height)."""
    low, top = p.wall / 2, p.height - p.wall / 2
    turn = np.linspace(0, np.pi / 2, 6)
    radius = _wall(p, low + p.corner)
    arc = [(radius - p.corner * (1 - np.sin(a)), low + p.corner * (1 - np.cos(a))) for a in turn]
    rise = [(_wall(p, v), v) for v in np.linspace(low + p.corner, top, 13)[1:]]
    return [(0.0, low), *[(float(u), float(v)) for u, v in [*arc, *rise]]]


def _handle(p: Mug) -> list[tuple[float, float]]:
    """The handle's middle line from its upper end to its lower one, as (distance from the wall, height)."""
    half, middle, reach = p.handle_height * p.height / 2, p.handle_place * p.height, p.handle_reach
    angle = np.linspace(np.pi / 2, -np.pi / 2, 15)
    out, rise = np.cos(angle), np.sin(angle)
    if p.handle == "square":
        out, rise = np.abs(out) ** 0.35, np.sign(rise) * np.abs(rise) ** 0.35
    elif p.handle == "ear":
        out = np.maximum(out, 0) ** 0.7 * (0.72 + 0.28 * rise)
    elif p.handle == "angular":
        out, rise = np.array([0, 0.92, 1.0, 0.92, 0.0]), np.array([1.0, 1.0, 0.9, 0.75, -1.0])
    return [(float(reach * u), float(middle + half * v)) for u, v in zip(out, rise, strict=True)]
