"""An endless stream of random solids: boards, rods, lathed and extruded bodies, blends, repeated and cut parts.

They belong to no category. A tokenizer that is trained on them knows what solids are like: flat faces, straight and
round edges, thin legs and walls, holes, and symmetry about the plane x = 0.
"""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from . import FAMILIES
from .sdf import (
    SDF,
    Profile,
    ball,
    box,
    cone,
    cylinder,
    disc,
    ellipsoid,
    extrude,
    oval,
    polygon,
    rectangle,
    revolve,
    rod,
    slab,
    stroke,
    torus,
    union,
)

THINNEST, THICKEST = 0.045, 0.22  # of boards, rods and walls, in a cube of side 2
HALF = 0.85, 1.0  # range of the longest half extent of a finished solid
SYMMETRIC = 0.8  # share of solids that are symmetric about x = 0
FAMILY_SHARE = 0.2  # of solids that are of a built-in family
GRID, REACH = 24, 2.6  # grid that measures a solid, and the half side of the cube that it covers
TRIES = 20  # for a solid that is neither too small nor too full
LARGEST_SCALE = 4.0
SIDE_GRID, CLEARANCE = 24, 0.02  # points along a side of the cube, at all of which the surface is so far
FULLEST = 0.97  # share of its bounding box

Rng = np.random.Generator
T = TypeVar("T")


def random_solid(number: int) -> SDF:
    """Solid `number` of the stream: a signed distance function, its values lower bounds of distances, whose surface
    lies within [-1, 1]^3. The same number gives the same solid."""
    rng = np.random.default_rng(np.random.SeedSequence([number, *b"solid"]))
    if rng.random() < FAMILY_SHARE:
        return _of_a_family(rng)
    for _ in range(TRIES):
        made = _finished(_raw(rng), rng)
        if made is not None:
            return made
    return box(*(2 * rng.uniform(0.3, 0.9, 3)).tolist())


def family_solid(number: int) -> SDF:
    """Shape `number` of a stream of shapes of all built-in families; as `random_solid` otherwise."""
    return _of_a_family(np.random.default_rng(np.random.SeedSequence([number, *b"family"])))


def _of_a_family(rng: Rng) -> SDF:
    family = FAMILIES[str(rng.choice(list(FAMILIES)))]
    return family.build(family.sample(rng))


def _raw(rng: Rng) -> SDF:
    """A solid of any size and place."""
    kinds = {_boards: 0.32, _assembly: 0.4, _single: 0.16, _blend: 0.12}
    solid = _choose(rng, kinds)(rng)
    for _ in range(int(_choose(rng, {0: 0.65, 1: 0.25, 2: 0.1}))):
        solid = solid - _cutter(rng)
    if rng.random() < SYMMETRIC:
        solid = solid.mirrored("x")
    if rng.random() < 0.3:  # lying on a side, or facing one
        solid = solid.turned("y" if rng.random() < 0.5 else "x", 90)
    solid = solid.turned("z", float(rng.choice([0, 90], p=[0.7, 0.3])))
    if rng.random() < 0.06:
        solid = solid.turned("x", rng.uniform(-180, 180)).turned("z", rng.uniform(-180, 180))
    return solid


def _finished(solid: SDF, rng: Rng) -> SDF | None:
    """Moved to the middle, and scaled to about the size of [-1, 1]^3; None if there is next to nothing, or a block."""
    axis = np.linspace(-REACH, REACH, GRID, dtype=np.float32)
    spacing = float(axis[1] - axis[0])
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    values = solid(points)
    near = points[values < spacing / 2]
    if len(near) == 0:
        return None
    # Each point near the surface leaves out its own distance: within a fraction of the spacing.
    depth = np.clip(values[values < spacing / 2], -spacing / 2, spacing / 2)[:, None]
    low, high = (near + depth).min(0), (near - depth).max(0)
    extent = (high - low) / 2
    filled = (values < 0).mean() * (2 * REACH) ** 3 / max(float(np.prod(2 * extent)), 1e-6)
    if extent.min() < THINNEST / 2 or filled > FULLEST or extent.max() > REACH - spacing:
        return None
    factor, middle = rng.uniform(*HALF) / float(extent.max()), (low + high) / 2
    if factor > LARGEST_SCALE:
        return None
    solid, sides = solid.at(*(-middle).tolist()), _sides(float(2 / SIDE_GRID))
    while (solid.scaled(factor)(sides) < CLEARANCE).any():  # the grid is coarse: a thin part may reach further
        factor *= 0.95
    return solid.scaled(factor)


def _sides(spacing: float) -> NDArray[np.float32]:
    """Points on the sides of the cube [-1, 1]^3."""
    axis = np.arange(-1, 1 + spacing / 2, spacing, dtype=np.float32)
    flat = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    return np.concatenate([np.insert(flat, side, place, axis=1) for side in range(3) for place in (-1, 1)])


def _boards(rng: Rng) -> SDF:
    """Boxes of an uneven lattice, of which a connected part is filled: furniture, cases, steps, frames."""
    cuts = [_lattice(rng) for _ in range(3)]
    shape = tuple(len(cut) - 1 for cut in cuts)
    filled = np.zeros(shape, dtype=bool)
    filled[tuple(int(rng.integers(size)) for size in shape)] = True
    wanted = rng.uniform(0.25, 0.75) * filled.size
    while filled.sum() < wanted:
        # A whole run of cells along one or two axes at once, so that boards are more likely than crumbs.
        seeds = np.argwhere(filled)
        start = seeds[rng.integers(len(seeds))]
        run = [slice(int(place), int(place) + 1) for place in start]
        for axis in rng.permutation(3)[: rng.integers(1, 3)]:
            low, high = sorted(rng.integers(0, shape[axis] + 1, 2).tolist())
            run[axis] = slice(min(low, int(start[axis])), max(high, int(start[axis]) + 1))
        filled[tuple(run)] = True
    rounding = float(rng.choice([0.0, rng.uniform(0.005, 0.03)]))
    solids = []
    for low, high in _largest_boxes(filled):
        width, depth, height = (cut[b] - cut[a] for cut, a, b in zip(cuts, low, high, strict=True))
        middle = [(cut[b] + cut[a]) / 2 for cut, a, b in zip(cuts, low, high, strict=True)]
        edge = min(rounding, min(width, depth, height) / 2 - 0.002)
        solids.append(box(width, depth, height, edge).at(*middle))
    solid = union(solids)
    if rng.random() < 0.4:  # on legs
        x, y = (rng.uniform(0.4, 0.95) * cuts[axis][-1] for axis in (0, 1))
        width, low = _thickness(rng), cuts[2][0]
        leg = rod((x, y, low + 0.05), (x, y, low - rng.uniform(0.1, 0.9)), width / 2)
        if rng.random() < 0.5:
            height = rng.uniform(0.1, 0.9)
            leg = box(width, width, height).at(x, y, low - height / 2 + 0.03)
        solid = solid | leg.mirrored("x").mirrored("y")
    return solid


def _lattice(rng: Rng) -> list[float]:
    """Places of the cuts along an axis: thin and thick slices by turns, about a middle of 0."""
    slices = [_thickness(rng) if rng.random() < 0.5 else rng.uniform(0.15, 0.9) for _ in range(int(rng.integers(1, 7)))]
    places = np.concatenate([[0.0], np.cumsum(slices)])
    return (places - places[-1] / 2).tolist()


def _largest_boxes(filled: NDArray[np.bool_]) -> set[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Boxes of filled cells that cannot grow, as corners low … high. They overlap, so that the distance within their
    union is not that to the side of a cell."""
    found = set()
    for start in np.argwhere(filled).tolist():
        for order in ((0, 1, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
            low, high = list(start), [place + 1 for place in start]
            for axis in order:
                for end, step in ((high, 1), (low, -1)):
                    while 0 <= (edge := end[axis] + step) <= filled.shape[axis]:
                        grown = [slice(a, b) for a, b in zip(low, high, strict=True)]
                        grown[axis] = slice(edge - 1, edge) if step > 0 else slice(edge, edge + 1)
                        if not filled[tuple(grown)].all():
                            break
                        end[axis] = edge
            found.add((tuple(low), tuple(high)))
    return found


def _assembly(rng: Rng) -> SDF:
    """A body and parts that begin at its surface, single, mirrored, or repeated."""
    body = _oriented(rng, _part(rng, 1.0))
    for _ in range(int(rng.integers(1, 7))):
        part = _oriented(rng, _part(rng, rng.uniform(0.25, 0.9)))
        x, y, z = _place_on(body, rng)
        kind = _choose(rng, {"single": 0.4, "mirrored": 0.3, "row": 0.2, "ring": 0.1})
        if kind == "mirrored":
            part = part.at(abs(x), abs(y), z).mirrored("x")
            part = part.mirrored("y") if rng.random() < 0.6 else part
        elif kind == "row":
            count, step = int(rng.integers(2, 5)), rng.uniform(0.15, 0.5)
            axis = rng.integers(3)
            part = union([part.at(*np.eye(3)[axis] * step * (i - (count - 1) / 2)) for i in range(count)]).at(x, y, z)
        elif kind == "ring":
            part = part.at(max(float(np.hypot(x, y)), 0.25), 0.0, z).around(int(rng.integers(3, 9)))
        else:
            part = part.at(x, y, z)
        body = body.blend(part, rng.uniform(0.02, 0.12)) if rng.random() < 0.3 else body | part
    return body


def _place_on(body: SDF, rng: Rng) -> list[float]:
    """A point on the surface of a body."""
    points = rng.uniform(-1, 1, (256, 3))
    return points[np.abs(body(points)).argmin()].tolist()


def _part(rng: Rng, size: float) -> SDF:
    """A primitive about the origin, about `size` long."""

    def length() -> float:
        return size * rng.uniform(0.35, 1.3)

    thin = _thickness(rng)
    makers: dict[Callable[[], SDF], float] = {
        lambda: box(length(), length(), length(), float(rng.choice([0.0, 0.02]))): 2,
        lambda: box(length(), length(), thin, 0.0): 2.5,  # a plate
        lambda: slab(length() + 0.1, length() + 0.1, thin, 0.04 + 0.3 * size * rng.random() * 0.35, 0.3 * thin): 1,
        lambda: rod((0, 0, -length() / 2 - 0.1), (0, 0, length() / 2 + 0.1), thin / 2): 2.5,
        lambda: box(thin, _thickness(rng), 0.2 + length()): 2,  # a square rod
        lambda: cylinder(length() / 2, length(), float(rng.choice([0.0, 0.02]))): 1.5,
        lambda: cone(length() / 2 + 0.02, length() / 4 + 0.02, length()): 0.7,
        lambda: ellipsoid(length(), length(), length()): 0.8,
        lambda: ball(length() / 2): 0.5,
        lambda: torus(length() / 2 + 0.1, min(thin, 0.2)): 0.6,
        lambda: extrude(_outline(rng, size), float(rng.choice([thin, length()]))): 1.5,
        lambda: _tube(rng, size): 1.2,
    }
    return _choose(rng, makers)()


def _single(rng: Rng) -> SDF:
    """One lathed, extruded or hollow body."""
    kind = _choose(rng, {"lathe": 0.3, "vessel": 0.3, "extrusion": 0.25, "tube": 0.15})
    if kind == "extrusion":
        return _oriented(rng, extrude(_outline(rng, 1.6), float(rng.choice([_thickness(rng), rng.uniform(0.3, 1.6)]))))
    if kind == "tube":
        return _oriented(rng, _tube(rng, 1.6))
    places = np.linspace(-0.9, 0.9, int(rng.integers(3, 7)))
    radii = rng.uniform(0.12, 0.8, len(places))
    if kind == "vessel":
        line = [(0.0, places[0]), *zip(radii, places, strict=True)]
        return revolve(stroke(line, _thickness(rng)))
    outline = [*zip(radii, places, strict=True), *zip(-radii[::-1], places[::-1], strict=True)]
    return revolve(polygon(outline)).rounded(float(rng.choice([0.0, 0.03])))


def _blend(rng: Rng) -> SDF:
    """Balls, ellipsoids and rods, blended: organic bodies."""
    centres = np.cumsum(rng.normal(0, 0.28, (int(rng.integers(2, 8)), 3)), axis=0)
    solid = None
    for here, there in zip(centres, np.roll(centres, -1, axis=0), strict=True):
        size = rng.uniform(0.12, 0.5)
        part = ellipsoid(*(2 * size * rng.uniform(0.6, 1.4, 3)).tolist()).at(*here.tolist())
        if rng.random() < 0.3 and np.linalg.norm(here - there) > 0.2:
            part = rod(here.tolist(), there.tolist(), min(size / 2, 0.1))
        solid = part if solid is None else solid.blend(part, rng.uniform(0.05, 0.3))
    assert solid is not None
    return solid.shell(_thickness(rng)) - box(4, 4, 2).at(z=1.1) if rng.random() < 0.1 else solid


def _tube(rng: Rng, size: float) -> SDF:
    """An outline with a hole, extruded: a pipe, a frame, a case without lid or with a floor."""
    wall = _thickness(rng)
    width, depth, height = size * rng.uniform(0.4, 1.2, 3) + 2 * wall
    if rng.random() < 0.5:
        outer, inner = disc(width / 2), disc(width / 2 - wall)
    else:
        outer, inner = rectangle(width, depth), rectangle(width - 2 * wall, depth - 2 * wall)
    hole = extrude(inner, 2 * height)
    if rng.random() < 0.5:
        hole = hole.at(z=height / 2 + wall)  # with a floor
    return extrude(outer, height) - hole


def _outline(rng: Rng, size: float) -> Profile:
    """A 2-D outline: an oval, a rectangle, a letter drawn by a pen, a star, or a polygon with right angles."""
    kind = _choose(rng, {"oval": 1, "rectangle": 1, "line": 2, "star": 1, "steps": 1.5})
    a, b = size * rng.uniform(0.35, 1.2, 2)
    if kind == "oval":
        return oval(a, b)
    if kind == "rectangle":
        return rectangle(a, b, float(rng.uniform(0, 0.4) * min(a, b)))
    if kind == "line":
        points = size * rng.uniform(-0.6, 0.6, (int(rng.integers(2, 6)), 2))
        if rng.random() < 0.5:  # along the axes, as most letters are
            points = np.stack([np.repeat(points[:, 0], 2)[1:], np.repeat(points[:, 1], 2)[:-1]], axis=1)
        return stroke(points.tolist(), _thickness(rng))
    if kind == "star":
        count = int(rng.integers(3, 9))
        angles = np.arange(count) * 2 * np.pi / count
        radii = size / 2 * rng.uniform(0.5, 1.2, count)
        return polygon(np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1).tolist())
    x, y = rng.uniform(0.2, 0.8, 2) * (a, b)  # an L, of which two make a T or a U where it is mirrored
    corners = [(0, 0), (a, 0), (a, y), (x, y), (x, b), (0, b)]
    return polygon([(u - a / 2, v - b / 2) for u, v in corners])


def _cutter(rng: Rng) -> SDF:
    """What is taken away from a solid: a drilled hole, a slot, or half of a side."""
    size = float(rng.uniform(0.1, 0.7))
    made = (
        cylinder(size / 2, 6) if rng.random() < 0.45 else box(size, rng.uniform(0.1, 0.8), float(rng.choice([6, size])))
    )
    return _oriented(rng, made).at(*rng.uniform(-0.7, 0.7, 3).tolist())


def _oriented(rng: Rng, solid: SDF) -> SDF:
    """Along one of the axes, or, more rarely, aslant."""
    turned = _choose(rng, {"z": 0.45, "x": 0.2, "y": 0.2, "slant": 0.15})
    if turned == "slant":
        return solid.turned("x", rng.uniform(-40, 40)).turned("y", rng.uniform(-40, 40))
    return solid if turned == "z" else solid.turned("y" if turned == "x" else "x", 90)


def _thickness(rng: Rng) -> float:
    """Of a board or rod; thin ones are more likely."""
    return float(THINNEST * (THICKEST / THINNEST) ** rng.random())


def _choose(rng: Rng, weights: dict[T, float]) -> T:
    chances = np.array(list(weights.values()))
    return list(weights)[rng.choice(len(chances), p=chances / chances.sum())]
