"""Polygons with holes, as COLLADA has them, and how they are cut."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nfgen.shapes.formats.polygons import with_holes

from ..boxes import check, refused, rows

SQUARE = np.array([[0.0, 0], [6, 0], [6, 4], [0, 4]])
RADII, ANGLES = np.tile([3.0, 1.5], 5), np.arange(10) * np.pi / 5
STAR = np.stack([3 + RADII * np.cos(ANGLES), 2 + RADII * np.sin(ANGLES)], axis=1)
FIRST_HOLE = np.array([[2.5, 1.5], [3.5, 1.5], [3.5, 2.5], [2.5, 2.5]])
SECOND_HOLE = np.array([[4.5, 0.5], [5.5, 0.5], [5, 1.5]])


def area(ring: np.ndarray) -> float:
    x, y = ring.T
    return 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))


def plate(rings: list[np.ndarray], turned: bool = False) -> str:
    """A plate 2 thick: its top and bottom are polygons with holes, its sides quadrilaterals."""
    flat = np.concatenate(rings)
    count = len(flat)
    points = np.concatenate([np.c_[flat, np.zeros(count)], np.c_[flat, np.full(count, 2.0)]])
    loops = np.split(np.arange(count), np.cumsum([len(ring) for ring in rings])[:-1])
    sides = ""
    for i, loop in enumerate(loops):
        for a, b in zip(loop, np.roll(loop, -1), strict=True):
            side = [a, b, b + count, a + count]
            sides += f"<p>{' '.join(map(str, side if i == 0 else side[::-1]))}</p>"

    def holed(loops: list[np.ndarray]) -> str:
        outline, *holes = (" ".join(map(str, loop)) for loop in loops)
        return f"<ph><p>{outline}</p>{''.join(f'<h>{hole}</h>' for hole in holes)}</ph>"

    # Holes either way round; the bottom is seen from below.
    top = [loops[0] + count, *(loop[:: -1 if turned else 1] + count for loop in loops[1:])]
    bottom = [loops[0][::-1], *loops[1:]]
    number = 2 + sum(len(loop) for loop in loops)
    return (
        '<COLLADA><asset><up_axis>Z_UP</up_axis></asset><library_geometries><geometry id="g"><mesh><source id="s">'
        f'<float_array count="{points.size}">{rows(points)}</float_array><technique_common><accessor '
        f'count="{len(points)}" stride="3"/></technique_common></source><vertices id="v"><input semantic="POSITION" '
        f'source="#s"/></vertices><polygons count="{number}"><input semantic="VERTEX" source="#v" offset="0"/>'
        f"{holed(top)}{sides}{holed(bottom)}</polygons></mesh></geometry></library_geometries><library_visual_scenes>"
        '<visual_scene id="w"><node><instance_geometry url="#g"/></node></visual_scene></library_visual_scenes>'
        '<scene><instance_visual_scene url="#w"/></scene></COLLADA>'
    )


@pytest.mark.parametrize("turned", [True, False])
@pytest.mark.parametrize(
    "rings",
    [[SQUARE, FIRST_HOLE], [SQUARE, FIRST_HOLE, SECOND_HOLE], [STAR, FIRST_HOLE], [SQUARE]],
    ids=["one hole", "two holes", "a star", "none"],
)
def test_collada_polygons_with_holes(rings: list[np.ndarray], turned: bool, tmp_path: Path) -> None:
    (tmp_path / "a.dae").write_text(plate(rings, turned))
    outline, *holes = map(area, rings)
    extent = (*np.ptp(rings[0], axis=0), 2)
    check(tmp_path / "a.dae", extent, 2 * (outline - sum(holes)))


def test_a_hole_outside_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.dae").write_text(plate([SQUARE, FIRST_HOLE + 20]))
    refused(tmp_path / "a.dae", "holes are not within its outline")
    (tmp_path / "b.dae").write_text(plate([SQUARE, FIRST_HOLE]).replace('<polygons count="10"', '<polygons count="12"'))
    refused(tmp_path / "b.dae", "claims 12 faces, holds 10")


@pytest.mark.parametrize("axes", [[0, 1, 2], [1, 2, 0], [2, 1, 0]])
def test_triangles_face_as_the_outline_does(axes: list[int]) -> None:
    points: Any = np.c_[np.concatenate([SQUARE, FIRST_HOLE]), np.zeros(8)][:, axes]
    outline, hole = np.arange(4), np.arange(4, 8)

    def normals(rings: list[np.ndarray]) -> np.ndarray:
        corners = points[with_holes(points, rings)]
        return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])

    front, back = normals([outline, hole]), normals([outline[::-1], hole])
    assert np.allclose(front.sum(axis=0), -back.sum(axis=0))
    assert np.linalg.norm(front.sum(axis=0)) / 2 == pytest.approx(23), "all the same way, and once"
    assert np.linalg.norm(front, axis=1).sum() / 2 == pytest.approx(23)
