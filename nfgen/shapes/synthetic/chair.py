"""Chairs: a seat; a back of several kinds, or none; four legs, a star base or sled runners; arms or none."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .parameters import Parameters, between, one_of, whole
from .sdf import SDF, ball, box, cone, cylinder, half_space, rod, slab, union

POST = 0.075  # thickness of a back's posts and rails
BAR = 0.06  # of what stands between them: about the thinnest that a 96^3 grid holds


@dataclass(frozen=True)
class Chair(Parameters):
    """A chair that faces -y. Lengths in coordinate units, angles in degrees."""

    seat_width: float = between(0.72, 1.0)
    """From left to right."""
    seat_depth: float = between(0.68, 0.9)
    """From front to back."""
    seat_height: float = between(0.62, 0.82)
    """From the ground to the upper side of the seat."""
    seat_thickness: float = between(0.07, 0.15)
    """Of the seat, or its cushion."""
    seat_rounding: float = between(0.03, 0.2)
    """Radius of the seat's corners, seen from above."""
    back: str = one_of({"slats": 3, "spindles": 3, "solid": 3, "frame": 2, "stool": 1})
    """Horizontal slats, vertical spindles, one panel, an open frame with a middle rail, or no back at all."""
    back_height: float = between(0.65, 0.98)
    """From the seat to the top of the back."""
    back_tilt: float = between(2.0, 14.0)
    """Backwards from upright, degrees."""
    bars: int = whole(2, 4)
    """Slats, or spindles between the posts; other backs have none."""
    legs: str = one_of({"four": 6, "star": 2, "sled": 2})
    """Four legs, a column on a star of five feet, or two bent runners."""
    leg_thickness: float = between(0.07, 0.11)
    """At the top."""
    leg_taper: float = between(0.65, 1.0)
    """Thickness at the foot over thickness at the top, for round legs; a foot is never below 0.06."""
    leg_splay: float = between(0.0, 9.0)
    """How far the legs lean outwards, degrees."""
    square_legs: bool = one_of({False: 1, True: 1})
    """Square legs instead of round ones, where there are four."""
    stretchers: bool = one_of({False: 3, True: 2})
    """Rails between the four legs."""
    arms: bool = one_of({False: 3, True: 2})
    """Armrests; a stool has none."""
    arm_height: float = between(0.26, 0.38)
    """From the seat to the top of the armrests."""


def build(p: Chair) -> SDF:
    """The chair, its height and depth centred on the origin."""
    edge = min(0.035, p.seat_thickness / 2 - 0.005)
    seat = slab(p.seat_width, p.seat_depth, p.seat_thickness, p.seat_rounding, edge)
    chair = seat.at(z=p.seat_height - p.seat_thickness / 2)
    chair = chair.blend({"four": _four_legs, "star": _star_base, "sled": _sled}[p.legs](p), 0.03)
    if p.back == "stool":
        return chair.at(z=-p.seat_height / 2)
    chair = chair.blend(_back(p), 0.03)
    if p.arms:
        chair = chair.blend(_arms(p), 0.03)
    tilt = np.radians(p.back_tilt)
    height = p.seat_height + p.back_height * float(np.cos(tilt))
    return chair.at(y=-p.back_height * float(np.sin(tilt)) / 2, z=-height / 2)


def _four_legs(p: Chair) -> SDF:
    top, bottom = p.leg_thickness / 2, max(p.leg_thickness * p.leg_taper, 0.06) / 2
    # Leaning legs must not pierce the seat, hence they begin deep in it.
    x, y = p.seat_width / 2 - top - 0.03, p.seat_depth / 2 - top - 0.03
    long = p.seat_height + 0.1  # the ground cuts it
    leg = box(2 * top, 2 * top, long, 0.012) if p.square_legs else cone(bottom, top, long)
    hip = p.seat_height - 0.75 * p.seat_thickness
    leg = leg.at(z=-long / 2).turned("y", -p.leg_splay).turned("x", p.leg_splay).at(x, y, hip)
    legs = leg.mirrored("x").mirrored("y") & half_space((0, 0, -1), 0)
    if p.stretchers:
        height = 0.35 * p.seat_height
        lean = (hip - height) * float(np.tan(np.radians(p.leg_splay)))
        side = rod((x + lean, -y - lean, height), (x + lean, y + lean, height), BAR / 2).mirrored("x")
        across = rod((-x - lean, 0, height), (x + lean, 0, height), BAR / 2)
        legs = legs | side | across
    return legs


def _star_base(p: Chair) -> SDF:
    reach = 0.5 * min(p.seat_width, p.seat_depth)
    caster = 0.045
    foot = rod((0, 0, 0.15), (reach, 0, 2 * caster), 0.05, 0.033) | ball(caster).at(reach, 0, caster)
    hip = p.seat_height - p.leg_thickness / 2 - 0.035  # the round end stays within the seat
    column = rod((0, 0, 0.14), (0, 0, hip), p.leg_thickness / 2)
    sleeve = cylinder(0.5 * p.leg_thickness + 0.03, 0.24, 0.02).at(z=0.2)
    plate = cylinder(0.16, 0.07, 0.02).at(z=p.seat_height - p.seat_thickness - 0.02)
    return (foot.around(5).blend(sleeve, 0.05) | column).blend(plate, 0.05)


def _sled(p: Chair) -> SDF:
    radius = max(p.leg_thickness, 0.07) / 2 * 0.9
    x, y = p.seat_width / 2 - radius - 0.02, p.seat_depth / 2 - radius - 0.03
    hip = p.seat_height - radius - 0.035  # the round ends stay within the seat
    lean = 0.6 * hip * float(np.tan(np.radians(p.leg_splay)))
    corners = [(x, -y, hip), (x, -y - lean, radius), (x, y + lean, radius), (x, y, hip)]
    runner = union([rod(start, end, radius) for start, end in pairwise(corners)])
    rail = rod((-x, y, hip - 0.08), (x, y, hip - 0.08), radius)
    return runner.mirrored("x") | rail


def _back(p: Chair) -> SDF:
    """Built upright on the seat's rear edge, then tilted about it."""
    width, height = 0.94 * p.seat_width, p.back_height + 0.05  # the lower end is sunk into the seat
    middle = p.back_height / 2 - 0.025
    post = rod((width / 2 - POST / 2, 0, -0.05), (width / 2 - POST / 2, 0, p.back_height - POST / 2), POST / 2)
    posts = post.mirrored("x")
    inner = width - POST
    if p.back == "solid":
        back = slab(width, height, POST, 0.13, 0.03).turned("x", 90).at(z=middle)
    elif p.back == "slats":
        rise = p.back_height / (p.bars + 0.6)
        slat = box(inner, BAR, 0.5 * rise, 0.025)
        back = posts | union([slat.at(z=p.back_height - POST / 2 - (i + 0.3) * rise) for i in range(p.bars)])
    elif p.back == "spindles":
        rail = slab(width + 0.03, 0.15, POST, 0.06, 0.03).turned("x", 90).at(z=p.back_height - 0.07)
        places = (np.arange(1, p.bars + 1) / (p.bars + 1) - 0.5) * inner
        back = posts | union([rod((x, 0, -0.05), (x, 0, p.back_height - 0.07), BAR / 2) for x in places.tolist()])
        back = back.blend(rail, 0.02)
    else:
        top = rod((-inner / 2, 0, p.back_height - POST / 2), (inner / 2, 0, p.back_height - POST / 2), POST / 2)
        rail = box(inner, BAR, 0.2 * p.back_height, 0.025).at(z=0.5 * p.back_height)
        back = posts | top | rail
    return back.turned("x", -p.back_tilt).at(y=p.seat_depth / 2 - POST / 2, z=p.seat_height)


def _arms(p: Chair) -> SDF:
    x = 0.47 * p.seat_width - POST / 2
    top = p.seat_height + p.arm_height
    rear = p.seat_depth / 2 - POST / 2 + p.arm_height * float(np.tan(np.radians(p.back_tilt)))
    front = -0.32 * p.seat_depth
    rest = box(0.1, rear - front + 0.06, 0.06, 0.025).at(x, (rear + front - 0.06) / 2, top - 0.03)
    support = rod((x, front, p.seat_height - 0.03), (x, front, top - 0.03), BAR / 2)
    return rest.blend(support, 0.03).mirrored("x")
