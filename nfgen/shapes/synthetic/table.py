"""Tables: a rectangular, round or oval top on four legs, a pedestal, a trestle or two panels."""

from dataclasses import dataclass

import numpy as np

from .parameters import Parameters, between, one_of
from .sdf import SDF, box, cone, cylinder, extrude, half_space, oval, rod, slab


@dataclass(frozen=True)
class Table(Parameters):
    """A table whose long side is along x. Lengths in coordinate units, angles in degrees."""

    top: str = one_of({"rectangle": 5, "round": 3, "oval": 2})
    """Outline of the top."""
    length: float = between(1.2, 1.68)
    """From left to right; a round top takes the width instead."""
    width: float = between(0.8, 1.2)
    """From front to back."""
    height: float = between(0.6, 1.1)
    """From the ground to the upper side of the top."""
    top_thickness: float = between(0.06, 0.12)
    """Of the top."""
    top_rounding: float = between(0.02, 0.2)
    """Radius of a rectangular top's corners, seen from above."""
    legs: str = one_of({"four": 6, "pedestal": 3, "trestle": 2, "panels": 1})
    """Four legs, a column in the middle, two trestles joined by a beam, or two standing panels."""
    leg_thickness: float = between(0.07, 0.13)
    """At the top; of the panels, too. A column is 1.6 times as thick."""
    leg_taper: float = between(0.6, 1.0)
    """Thickness at the foot over thickness at the top, for round legs; a foot is never below 0.06."""
    leg_splay: float = between(0.0, 8.0)
    """How far legs lean outwards, degrees."""
    leg_inset: float = between(0.02, 0.16)
    """From the top's edge to the legs."""
    square_legs: bool = one_of({False: 1, True: 1})
    """Square legs instead of round ones, where there are four."""
    apron: float = between(0.0, 0.16)
    """Depth of the frame under a top on four legs; below 0.06 there is none."""
    shelf: bool = one_of({False: 3, True: 1})
    """A second, lower board between four legs."""
    base: str = one_of({"disc": 1, "feet": 1})
    """What a pedestal stands on: a disc or four feet."""


def build(p: Table) -> SDF:
    """The table, its height centred on the origin."""
    length, width = (p.width, p.width) if p.top == "round" else (p.length, p.width)
    edge = min(0.03, p.top_thickness / 2 - 0.005)
    if p.top == "rectangle":
        board = slab(length, width, p.top_thickness, p.top_rounding, edge)
    elif p.top == "round":
        board = cylinder(width / 2, p.top_thickness, edge)
    else:
        board = extrude(oval(length - 2 * edge, width - 2 * edge), p.top_thickness - 2 * edge).rounded(edge)
    # Legs stand under the rectangle that a rounded top holds.
    share = 1.0 if p.top == "rectangle" else 0.72
    legs = {"four": _four_legs, "pedestal": _pedestal, "trestle": _trestle, "panels": _panels}[p.legs]
    table = board.at(z=p.height - p.top_thickness / 2).blend(legs(p, share * length, share * width), 0.03)
    return table.at(z=-p.height / 2)


def _four_legs(p: Table, length: float, width: float) -> SDF:
    top, bottom = p.leg_thickness / 2, max(p.leg_thickness * p.leg_taper, 0.06) / 2
    # Leaning legs must not pierce the top, hence they begin deep in it.
    x, y = length / 2 - p.leg_inset - top, width / 2 - p.leg_inset - top
    hip, tall = p.height - 0.75 * p.top_thickness, p.height + 0.1  # the ground cuts it
    leg = box(2 * top, 2 * top, tall, 0.012) if p.square_legs else cone(bottom, top, tall)
    leg = leg.at(z=-tall / 2).turned("y", -p.leg_splay).turned("x", p.leg_splay).at(x, y, hip)
    legs = leg.mirrored("x").mirrored("y") & half_space((0, 0, -1), 0)
    if p.apron >= 0.06:
        board = 0.06
        frame = box(2 * x, 2 * y, p.apron + 0.04, 0.0) - box(2 * x - 2 * board, 2 * y - 2 * board, 1.0)
        legs = legs | frame.at(z=p.height - p.top_thickness - p.apron / 2 + 0.02)
    if p.shelf:
        height = 0.3 * p.height
        lean = (hip - height) * float(np.tan(np.radians(p.leg_splay)))
        legs = legs | slab(2 * (x + lean), 2 * (y + lean), 0.06, 0.03, 0.02).at(z=height)
    return legs


def _pedestal(p: Table, length: float, width: float) -> SDF:
    radius, reach = 0.8 * p.leg_thickness, 0.36 * p.width
    column = cone(radius * (2 - p.leg_taper), radius, p.height - 0.05).at(z=(p.height - 0.05) / 2)
    if p.base == "disc":
        foot = cylinder(reach, 0.07, 0.025).at(z=0.035)
    else:
        foot = rod((0, 0, 0.2), (1.1 * reach, 0, 0.045), 0.06, 0.045).turned("z", 45).mirrored("x").mirrored("y")
    plate = cylinder(0.6 * reach, 0.06, 0.02).at(z=p.height - p.top_thickness - 0.02)
    return column.blend(foot, 0.12).blend(plate, 0.08)


def _trestle(p: Table, length: float, width: float) -> SDF:
    radius = max(0.45 * p.leg_thickness, 0.034)
    hip = p.height - radius - 0.035  # the round end stays within the top
    x, foot = length / 2 - p.leg_inset - 0.12, width / 2 - p.leg_inset - radius
    leg = rod((x, 0.06, hip), (x, foot, 0), radius).mirrored("y") & half_space((0, 0, -1), 0)
    bar_height = 0.4 * p.height
    spread = foot + (0.06 - foot) * bar_height / hip
    bar = rod((x, -spread, bar_height), (x, spread, bar_height), 0.03)
    beam = rod((-x, 0, bar_height), (x, 0, bar_height), 0.034)
    return (leg | bar).mirrored("x") | beam


def _panels(p: Table, length: float, width: float) -> SDF:
    thick = max(0.7 * p.leg_thickness, 0.06)
    x, deep = length / 2 - p.leg_inset - thick / 2, width - 2 * p.leg_inset
    panel = box(thick, deep, p.height - 0.02, 0.02).at(x, 0, (p.height - 0.02) / 2).mirrored("x")
    return panel | box(2 * x, 0.06, 0.3 * p.height, 0.02).at(z=0.55 * p.height)
