"""Airplanes: a fuselage, swept and tapered wings, several kinds of engines and of tails."""

from dataclasses import dataclass

import numpy as np

from .parameters import Parameters, between, one_of
from .sdf import SDF, ball, box, ellipsoid, extrude, half_space, polygon, revolve

SKIN = 0.058  # thickness of fins and wing tips: about the thinnest that a 96^3 grid holds
EDGE = SKIN / 2 - 0.004  # radius of their edges


@dataclass(frozen=True)
class Airplane(Parameters):
    """An airplane that flies toward -y. Lengths in coordinate units, angles in degrees."""

    length: float = between(1.4, 1.68)
    """Of the fuselage, from nose to tail."""
    girth: float = between(0.18, 0.27)
    """Diameter of the fuselage."""
    nose: float = between(1.0, 2.4)
    """Length of the nose over its radius: blunt to pointed."""
    tail_cone: float = between(0.3, 0.48)
    """The share of the length that narrows toward the tail."""
    span: float = between(1.25, 1.8)
    """Of the wings, tip to tip."""
    chord: float = between(0.27, 0.4)
    """Of the wings, front to rear, at the root."""
    taper: float = between(0.3, 0.85)
    """Chord at the tip over chord at the root."""
    sweep: float = between(0.0, 36.0)
    """Of the wings' front edge, backwards, degrees."""
    dihedral: float = between(0.0, 7.0)
    """Of the wings, upwards, degrees."""
    wing_place: float = between(0.36, 0.46)
    """Where the wing's front edge leaves the fuselage, as a share of the length from the nose."""
    wing_height: str = one_of({"low": 3, "high": 2})
    """Wings under or upon the fuselage."""
    engines: str = one_of({"two": 4, "four": 2, "rear": 3, "propeller": 3, "none": 1})
    """Two or four jets under the wings, two beside the tail, a propeller at the nose, or none (a glider)."""
    engine_girth: float = between(0.11, 0.16)
    """Diameter of a jet's nacelle."""
    tail: str = one_of({"low": 4, "t": 3, "v": 1})
    """Tailplane at the fuselage, upon the fin, or a V of two fins."""
    fin: float = between(0.26, 0.4)
    """Height of the fin above the fuselage's axis."""
    tailplane: float = between(0.45, 0.7)
    """Span of the tailplane."""
    winglets: bool = one_of({False: 3, True: 2})
    """Upturned wing tips."""


def build(p: Airplane) -> SDF:
    """The airplane, about centred on the origin."""
    radius = p.girth / 2
    body = _fuselage(p).blend(_wings(p), 0.04).blend(_tail(p), 0.03)
    canopy = ellipsoid(1.1 * radius, 3.2 * radius, 1.1 * radius)
    body = body.blend(canopy.at(y=-p.length / 2 + (p.nose + 1.3) * radius, z=0.72 * radius), 0.03)
    if p.engines in ("two", "four"):
        body = body.blend(_wing_engines(p), 0.02)
    elif p.engines == "rear":
        body = body.blend(_rear_engines(p), 0.02)
    elif p.engines == "propeller":
        body = body | _propeller(p)
    return body.at(y=-0.04, z=-0.25 * p.fin)


def _fuselage(p: Airplane) -> SDF:
    """A revolved outline: an elliptic nose, a tube, and a tail that narrows along half a cosine wave."""
    radius, end = p.girth / 2, max(0.22 * p.girth, 0.045)
    nose, cone = p.nose * radius, p.tail_cone * p.length
    angle = np.linspace(0, np.pi / 2, 9)
    share = np.linspace(0, 1, 9)
    along = np.concatenate([-nose * np.cos(angle), p.length - nose - cone + cone * share]) - p.length / 2 + nose
    across = np.concatenate([radius * np.sin(angle), end + (radius - end) * np.cos(share * np.pi / 2) ** 1.3])
    outline = [*zip(across, along, strict=True), *zip(-across[::-1], along[::-1], strict=True)]
    return revolve(polygon([(float(u), float(v)) for u, v in outline]), axis="y")


def _root(p: Airplane) -> tuple[float, float]:
    """Where the wing's front edge meets the middle plane: y and z."""
    return (p.wing_place - 0.5) * p.length, (-0.55 if p.wing_height == "low" else 0.7) * p.girth / 2


def _wings(p: Airplane) -> SDF:
    y, z = _root(p)
    half, back = p.span / 2 - SKIN / 2, float(np.tan(np.radians(p.sweep))) * p.span / 2
    tip = p.taper * p.chord
    root_thickness = max(0.2 * p.chord, SKIN + 0.01)
    planform = polygon([(-0.1, 0), (0, 0), (half, back), (half, back + tip), (0, p.chord), (-0.1, p.chord)])
    wing = extrude(planform, root_thickness - 2 * EDGE).rounded(EDGE)
    slope = (root_thickness - SKIN) / 2 / half
    for side in (1, -1):
        wing = wing.bevel(half_space((slope, 0, side), root_thickness / 2), 0.02)
    if p.winglets:
        winglet = _fin(0.8 * tip, 0.5 * tip, 0.16, 0.06, sunk=0.001).turned("y", 12)
        wing = wing.blend(winglet.at(half - 0.015, back + tip), 0.02)
    return wing.turned("y", -p.dihedral).mirrored("x").at(y=y, z=z)


def _fin(root: float, tip: float, height: float, lean: float, sunk: float = 0.05) -> SDF:
    """A fin in the middle plane that stands on z = 0 and goes on below it, its rear edge at y = 0."""
    outline = polygon([(-root, -sunk), (-root, 0), (lean - tip, height), (lean, height), (0, 0), (0, -sunk)])
    return extrude(outline, SKIN - 2 * EDGE, axis="x").rounded(EDGE)


def _tail(p: Airplane) -> SDF:
    end, root, half = p.length / 2 - 0.06, 0.2 + 0.15 * p.fin, p.tailplane / 2
    if p.tail == "v":
        return _fin(root, 0.13, p.fin, 0.1).turned("y", 38).at(y=end).mirrored("x")
    fin = _fin(root, 0.14, p.fin, 0.09).at(y=end)
    back = 0.4 * half
    planform = polygon([(-0.1, -0.19), (0, -0.19), (half, back - 0.12), (half, back), (0, 0.0), (-0.1, 0.0)])
    plane = extrude(planform, SKIN - 2 * EDGE).rounded(EDGE).mirrored("x")
    return fin | (plane.at(y=end + 0.02, z=p.fin) if p.tail == "t" else plane.at(y=end, z=0.02))


def _nacelle(girth: float) -> SDF:
    """A jet along y, open in front."""
    radius, half = girth / 2, 0.95 * girth
    outline = [(-0.7, 1), (-0.9, 0.6), (-1, 0), (-1, -0.8), (-0.85, -1), (0.85, -1), (1, -0.8), (1, 0), (0.9, 0.6)]
    tube = revolve(polygon([(u * radius, v * half) for u, v in [*outline, (0.7, 1)]]), axis="y")
    return tube - ball(0.62 * radius).at(y=-half)


def _wing_engines(p: Airplane) -> SDF:
    y, z = _root(p)
    places = (0.34,) if p.engines == "two" else (0.3, 0.6)
    girth = p.engine_girth if p.engines == "two" else 0.85 * p.engine_girth
    engines = []
    for place in places:
        x = place * p.span / 2 + 0.06
        front = y + float(np.tan(np.radians(p.sweep))) * x
        wing = z + float(np.tan(np.radians(p.dihedral))) * x
        below = wing - 0.5 * girth - 0.05
        pylon = box(SKIN, 0.2, 0.14, 0.02).at(x, front + 0.08, wing - 0.06)
        engines.append(_nacelle(girth).at(x, front + 0.02, below) | pylon)
    return (engines[0] if len(engines) == 1 else engines[0] | engines[1]).mirrored("x")


def _rear_engines(p: Airplane) -> SDF:
    y = p.length * (0.5 - p.tail_cone) + 0.1
    x = 0.5 * p.girth + 0.45 * p.engine_girth
    pylon = box(x, 0.16, SKIN, 0.02).at(x / 2, y, 0.25 * p.girth)
    return (_nacelle(p.engine_girth).at(x, y, 0.25 * p.girth) | pylon).mirrored("x")


def _propeller(p: Airplane) -> SDF:
    front = -p.length / 2
    blade = box(0.27, SKIN, 0.085, 0.028).turned("x", 25).at(x=0.16).turned("y", 30)
    other = box(0.27, SKIN, 0.085, 0.028).turned("x", 155).at(x=-0.16).turned("y", 30)
    hub = ellipsoid(0.12, 0.18, 0.12)
    return (blade | other | hub).at(y=front + 0.01)
