"""Signed distance functions as trees: primitives, and the operations that build shapes from them.

A distance is negative inside, in coordinate units. Every primitive and operation here is 1-Lipschitz: between two
points the value changes by no more than their distance. So a value is exact or a lower bound of the true distance (its
docstring says which), and a ball in which the surface cannot lie is known from the value at its middle. The formulas
follow Hart, "Sphere tracing" (1996), and Inigo Quilez' collections "3D SDFs", "2D SDFs" and "Smooth minimum".
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Profile = Callable[[Floats, Floats], Floats]
"""A 2-D signed distance: two coordinates [N] to distances [N]."""


@dataclass(frozen=True)
class SDF:
    """A signed distance function of three coordinates, and the operations on it."""

    distance: Callable[[Floats, Floats, Floats], Floats]
    """Coordinates x, y, z, [N] each, to distances [N]."""

    def __call__(self, points: Floats) -> Floats:
        """Distances [N] at points [N, 3], in their precision."""
        x, y, z = np.ascontiguousarray(points.T)
        return self.distance(x, y, z)

    def __or__(self, other: "SDF") -> "SDF":
        """Union: exact outside, a lower bound of the depth inside (Hart 1996)."""
        return SDF(lambda x, y, z: np.minimum(self.distance(x, y, z), other.distance(x, y, z)))

    def __and__(self, other: "SDF") -> "SDF":
        """Intersection: a lower bound (Hart 1996)."""
        return SDF(lambda x, y, z: np.maximum(self.distance(x, y, z), other.distance(x, y, z)))

    def __sub__(self, other: "SDF") -> "SDF":
        """Difference: a lower bound (Hart 1996)."""
        return SDF(lambda x, y, z: np.maximum(self.distance(x, y, z), -other.distance(x, y, z)))

    def blend(self, other: "SDF", radius: float) -> "SDF":
        """Union with a fillet of about this radius: a lower bound (quadratic polynomial smooth minimum, Quilez)."""
        return SDF(lambda x, y, z: _smooth_minimum(self.distance(x, y, z), other.distance(x, y, z), radius))

    def bevel(self, other: "SDF", radius: float) -> "SDF":
        """Intersection whose new edge is rounded by about this radius: a lower bound (smooth maximum, Quilez)."""
        return SDF(lambda x, y, z: -_smooth_minimum(-self.distance(x, y, z), -other.distance(x, y, z), radius))

    def at(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> "SDF":
        """Moved by an offset: as exact as before."""
        return SDF(lambda px, py, pz: self.distance(px - x, py - y, pz - z))

    def scaled(self, factor: float) -> "SDF":
        """Scaled about the origin: as exact as before."""
        return SDF(lambda x, y, z: self.distance(x / factor, y / factor, z / factor) * factor)

    def turned(self, axis: str, degrees: float) -> "SDF":
        """Turned about "x", "y" or "z" through the origin, by the right hand rule: as exact as before."""
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        if axis == "x":
            return SDF(lambda x, y, z: self.distance(x, cos * y + sin * z, cos * z - sin * y))
        if axis == "y":
            return SDF(lambda x, y, z: self.distance(cos * x - sin * z, y, cos * z + sin * x))
        return SDF(lambda x, y, z: self.distance(cos * x + sin * y, cos * y - sin * x, z))

    def mirrored(self, axis: str = "x") -> "SDF":
        """The half at positive `axis` ("x" or "y") and its mirror image: exact if the shape lies in that half."""
        if axis == "x":
            return SDF(lambda x, y, z: self.distance(np.abs(x), y, z))
        return SDF(lambda x, y, z: self.distance(x, np.abs(y), z))

    def around(self, count: int) -> "SDF":
        """Copies around the z axis, the first toward +x, each mirrored in its own plane so that they join.

        Exact if the shape lies within the sector of +-180/count degrees about +x and is its own mirror image there.
        """
        sector = 2 * math.pi / count

        def distance(x: Floats, y: Floats, z: Floats) -> Floats:
            radius, angle = np.hypot(x, y), np.arctan2(y, x)
            folded = np.abs((angle + sector / 2) % sector - sector / 2)
            return self.distance(radius * np.cos(folded), radius * np.sin(folded), z)

        return SDF(distance)

    def rounded(self, radius: float) -> "SDF":
        """Grown by a radius, which rounds convex edges: as exact as before (Quilez, "rounding")."""
        return SDF(lambda x, y, z: self.distance(x, y, z) - radius)

    def shell(self, thickness: float) -> "SDF":
        """A hollow skin of this thickness, half on either side of the surface: a lower bound (Quilez, "onion")."""
        return SDF(lambda x, y, z: np.abs(self.distance(x, y, z)) - thickness / 2)

    def lobed(self, count: int, depth: float, radius: float, twist: float = 0.0) -> "SDF":
        """Fluted about the z axis: the radius waves by +-depth, `count` times around; a lower bound.

        The wave fades to nothing on the axis and is full from `radius` on; `twist` turns it, in radians per unit of
        z. The domain is displaced, and the value divided by the displacement's Lipschitz constant (Hart 1996).
        """
        steepest = 1 + depth / radius + math.hypot(depth * count / radius, depth * count * twist)

        def distance(x: Floats, y: Floats, z: Floats) -> Floats:
            reach = np.hypot(x, y)
            wave = depth * np.minimum(reach / radius, 1) * np.cos(count * (np.arctan2(y, x) + twist * z))
            scale = np.maximum(reach - wave, 0) / np.maximum(reach, 1e-9)
            return self.distance(x * scale, y * scale, z) / steepest

        return SDF(distance)


def union(shapes: Sequence[SDF]) -> SDF:
    """The union of one or more shapes: exact outside, a lower bound inside."""
    return reduce(lambda one, other: one | other, shapes)


def ball(radius: float) -> SDF:
    """A ball about the origin: exact."""
    return SDF(lambda x, y, z: np.sqrt(x * x + y * y + z * z) - radius)


def ellipsoid(width: float, depth: float, height: float) -> SDF:
    """An ellipsoid of these full extents: a lower bound (the unit ball's distance times the smallest half axis)."""
    a, b, c = width / 2, depth / 2, height / 2
    return SDF(lambda x, y, z: (np.sqrt((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2) - 1) * min(a, b, c))


def box(width: float, depth: float, height: float, rounding: float = 0.0) -> SDF:
    """A box of these full extents along x, y, z, its edges rounded by a radius: exact (Quilez, "round box")."""
    a, b, c = width / 2 - rounding, depth / 2 - rounding, height / 2 - rounding

    def distance(x: Floats, y: Floats, z: Floats) -> Floats:
        x, y, z = np.abs(x) - a, np.abs(y) - b, np.abs(z) - c
        outside: Floats = np.sqrt(np.maximum(x, 0) ** 2 + np.maximum(y, 0) ** 2 + np.maximum(z, 0) ** 2)
        return outside + np.minimum(np.maximum(x, np.maximum(y, z)), 0) - rounding

    return SDF(distance)


def slab(width: float, depth: float, height: float, corner: float, edge: float) -> SDF:
    """A board of these full extents: corners rounded seen from above, edges seen from the side; exact (Quilez)."""
    outline = rectangle(width - 2 * edge, depth - 2 * edge, max(corner - edge, 0))
    return extrude(outline, height - 2 * edge).rounded(edge)


def cylinder(radius: float, height: float, rounding: float = 0.0) -> SDF:
    """A cylinder about the z axis, of this full height, its rims rounded: exact (Quilez, "rounded cylinder")."""
    return extrude(disc(radius - rounding), height - 2 * rounding).rounded(rounding)


def cone(radius_below: float, radius_above: float, height: float) -> SDF:
    """A frustum about the z axis, of this full height: exact (a revolved trapezium)."""
    half = height / 2
    # The outline goes on beyond the axis, where no point is, so that the axis is no edge.
    outline = [(-radius_below, -half), (radius_below, -half), (radius_above, half), (-radius_above, half)]
    return revolve(polygon(outline))


def torus(radius: float, thickness: float) -> SDF:
    """A torus about the z axis, `thickness` across its tube: exact (Quilez, "torus")."""
    return SDF(lambda x, y, z: np.hypot(np.hypot(x, y) - radius, z) - thickness / 2)


def rod(start: Sequence[float], end: Sequence[float], radius: float, end_radius: float | None = None) -> SDF:
    """A capsule from `start` to `end`, tapering to `end_radius`: exact (Quilez, "round cone")."""
    length = math.dist(start, end)
    along_x, along_y, along_z = ((there - here) / length for here, there in zip(start, end, strict=True))
    last = radius if end_radius is None else end_radius
    sine = (radius - last) / length
    cosine = math.sqrt(1 - sine**2)

    def distance(x: Floats, y: Floats, z: Floats) -> Floats:
        x, y, z = x - start[0], y - start[1], z - start[2]
        along = x * along_x + y * along_y + z * along_z
        across = np.sqrt(np.maximum(x * x + y * y + z * z - along * along, 0))
        # Where the nearest point of the cone's side lies between the two balls.
        side = cosine * along - sine * across
        near_start = np.hypot(across, along) - radius
        near_end = np.hypot(across, along - length) - last
        between: Floats = across * cosine + along * sine - radius
        between[side < 0] = near_start[side < 0]
        beyond = side > cosine * length
        between[beyond] = near_end[beyond]
        return between

    return SDF(distance)


def half_space(normal: Sequence[float], offset: float) -> SDF:
    """All points p with normal . p <= offset, for a normal of length 1 after scaling: exact."""
    a, b, c = (part / math.hypot(*normal) for part in normal)
    return SDF(lambda x, y, z: a * x + b * y + c * z - offset)


def extrude(profile: Profile, height: float, axis: str = "z") -> SDF:
    """A profile in the other two coordinates, extended to a full height along an axis: as exact as the profile.

    The profile's coordinates are (x, y) for "z", (x, z) for "y" and (y, z) for "x" (Quilez, "extrusion").
    """

    def distance(x: Floats, y: Floats, z: Floats) -> Floats:
        u, v, along = {"x": (y, z, x), "y": (x, z, y), "z": (x, y, z)}[axis]
        flat, above = profile(u, v), np.abs(along) - height / 2
        outside = np.hypot(np.maximum(flat, 0), np.maximum(above, 0))
        return outside + np.minimum(np.maximum(flat, above), 0)

    return SDF(distance)


def revolve(profile: Profile, axis: str = "z") -> SDF:
    """A profile over (distance from the axis, place along it), turned about "z" or "y": as exact as the profile."""
    if axis == "z":
        return SDF(lambda x, y, z: profile(np.hypot(x, y), z))
    return SDF(lambda x, y, z: profile(np.hypot(x, z), y))


def disc(radius: float) -> Profile:
    """A disc about the origin: exact."""
    return lambda u, v: np.hypot(u, v) - radius


def oval(width: float, depth: float) -> Profile:
    """An ellipse of these full extents: a lower bound (the unit disc's distance times the smaller half axis)."""
    a, b = width / 2, depth / 2
    return lambda u, v: (np.hypot(u / a, v / b) - 1) * min(a, b)


def rectangle(width: float, depth: float, rounding: float = 0.0) -> Profile:
    """A rectangle of these full extents with rounded corners: exact (Quilez, "rounded box")."""
    a, b = width / 2 - rounding, depth / 2 - rounding

    def distance(u: Floats, v: Floats) -> Floats:
        u, v = np.abs(u) - a, np.abs(v) - b
        return np.hypot(np.maximum(u, 0), np.maximum(v, 0)) + np.minimum(np.maximum(u, v), 0) - rounding

    return distance


def polygon(corners: Sequence[Sequence[float]]) -> Profile:
    """A simple polygon: exact (Quilez, "polygon": nearest edge, sign by crossings)."""
    closed = [*corners, corners[0]]

    def distance(u: Floats, v: Floats) -> Floats:
        inside = np.zeros(u.shape, dtype=bool)
        for (u0, v0), (u1, v1) in pairwise(closed):
            if v0 != v1:
                crossing = (v0 <= v) != (v1 <= v)
                inside ^= crossing & (u < u0 + (v - v0) * ((u1 - u0) / (v1 - v0)))
        edge = _distance_to_line(closed, u, v)
        return np.where(inside, -edge, edge)

    return distance


def stroke(line: Sequence[Sequence[float]], thickness: float) -> Profile:
    """A line through points, drawn with a round pen of this thickness: exact (Quilez, "segment")."""
    return lambda u, v: _distance_to_line(line, u, v) - thickness / 2


def _distance_to_line(points: Sequence[Sequence[float]], u: Floats, v: Floats) -> Floats:
    squared = np.full(u.shape, np.inf, dtype=u.dtype)
    for (u0, v0), (u1, v1) in pairwise(points):
        du, dv = u1 - u0, v1 - v0
        x, y = u - u0, v - v0
        nearest = np.clip((x * du + y * dv) / (du * du + dv * dv + 1e-20), 0, 1)
        x -= nearest * du
        y -= nearest * dv
        np.minimum(squared, x * x + y * y, out=squared)
    return np.sqrt(squared)


def _smooth_minimum(one: Floats, other: Floats, radius: float) -> Floats:
    mix = np.maximum(radius - np.abs(one - other), 0) / radius
    return np.minimum(one, other) - mix * mix * (radius / 4)
