"""Normals, thin parts and ripples: what Chamfer distance does not see, by surfaces whose figures are known."""

import numpy as np
import pytest
import trimesh
from skimage.measure import marching_cubes

from nfgen.errors import ShapeError
from nfgen.metrics import chamfer_matrix, one_nna, surface_clouds
from nfgen.metrics.surfaces import known_points, normal_figures, ripple, sample_normals, surface_points
from nfgen.shapes.synthetic import FAMILIES, make_shapes
from nfgen.shapes.synthetic.truth import onto_surface, true_distance

CELL = 0.03


def solid(distance, low=(-1.0, -1.0, -1.0), high=(1.0, 1.0, 1.0)) -> trimesh.Trimesh:
    """Marching cubes of a function of x, y and z."""
    lines = [np.arange(a, b + CELL, CELL) for a, b in zip(low, high, strict=True)]
    vertices, faces, _, _ = marching_cubes(
        distance(*np.meshgrid(*lines, indexing="ij")), 0.0, gradient_direction="ascent"
    )
    mesh = trimesh.Trimesh(vertices * CELL + np.array(low), faces, process=False)
    if mesh.volume < 0:
        mesh.invert()
    return mesh


def slab(height: float, wave: float = 0.0, length: float = 0.4):
    """A plate whose upper and lower side are waves along x."""

    def distance(x, y, z):
        offset = wave * np.sin(2 * np.pi * x / length)
        beyond = np.maximum(np.abs(x), np.abs(y)) - 0.8
        return np.maximum(np.abs(z - offset) - height / 2, beyond)

    return solid(distance)


def test_waves_on_a_plate_have_the_angles_of_their_slopes() -> None:
    true = surface_points(slab(0.3))
    flat, wave, length = np.abs(true.normals[:, 2]) > 0.99, 0.02, 0.4
    upper = known_points(slab(0.3), true.points[flat], true.normals[flat])
    found = normal_figures(slab(0.3, wave, length), upper)
    slope = np.degrees(np.arctan(wave * 2 * np.pi / length * np.abs(np.cos(np.linspace(0, np.pi, 1000)))))
    assert found["normal_angle_median"] == pytest.approx(np.median(slope), abs=1.0)
    assert found["normal_angle_95"] == pytest.approx(np.percentile(slope, 95), abs=1.0)
    assert normal_figures(slab(0.3), upper)["normal_angle_95"] < 0.1
    assert found["surface_kept"] > 0.95, "all of it is within 1 % of the extent still"


def test_edges_are_no_smooth_parts_and_thin_parts_are_found_straight_through() -> None:
    plate = surface_points(trimesh.creation.box((1.2, 1.2, 0.06)))
    beside = np.abs(plate.points[:, :2]).max(axis=1)
    assert plate.smooth[(beside > 0.596) & (np.abs(plate.points[:, 2]) > 0.027)].mean() < 0.05
    assert plate.smooth[beside < 0.57].all(), "the other side of a plate is no edge"
    assert plate.thin[beside < 0.57].all()
    assert not surface_points(trimesh.creation.box((1, 1, 0.3))).thin.any()
    assert surface_points(trimesh.creation.cylinder(0.045, 1, sections=64)).thin.mean() > 0.9
    ball = surface_points(trimesh.creation.icosphere(4, 0.3))
    assert ball.smooth.all()


def test_a_lost_leg_costs_thin_parts_first() -> None:
    top = trimesh.creation.box((1.2, 1.2, 0.2))
    legs = [trimesh.creation.cylinder(0.04, 0.8, sections=48).apply_translation((x, y, -0.45))
            for x in (-0.5, 0.5) for y in (-0.5, 0.5)]  # fmt: skip
    true = surface_points(trimesh.util.concatenate([top, *legs]))
    whole = normal_figures(trimesh.util.concatenate([top, *legs]), true)
    broken = normal_figures(trimesh.util.concatenate([top, *legs[:3]]), true)
    assert whole["thin_kept"] == whole["surface_kept"] == 1
    assert broken["thin_kept"] == pytest.approx(0.75, abs=0.05)
    assert broken["surface_kept"] > 0.9
    nothing = normal_figures(None, true)
    assert (nothing["thin_kept"], nothing["surface_kept"], nothing["normal_angle_median"]) == (0, 0, None)


def test_ripple_needs_no_truth() -> None:
    assert ripple(trimesh.creation.box((1, 1, 1))) == pytest.approx(0, abs=1e-6)
    smooth, wavy, wavier = (ripple(slab(0.3, wave)) for wave in (0.0, 0.01, 0.03))
    assert smooth < 0.5
    assert smooth + 2 < wavy < wavier
    with pytest.raises(ShapeError, match="no surface"):
        ripple(trimesh.Trimesh())
    with pytest.raises(ShapeError, match="true mesh"):
        surface_points(trimesh.Trimesh())


def test_rippled_shapes_keep_their_chamfer_scores_and_lose_their_normals() -> None:
    """The law that these measures are for: 1-NNA cannot tell rippled shapes, normals do at once."""

    def family(seed: int, wave: float, count: int = 20) -> list[trimesh.Trimesh]:
        made = []
        for index in range(count):
            rng = np.random.default_rng([seed, index])
            sides, phase = rng.uniform(0.3, 0.8, 3), rng.uniform(0, 6, 3)

            def distance(x, y, z, sides=sides, phase=phase):
                waves = [np.sin(2 * np.pi * at / 0.33 + start) for at, start in zip((x, y, z), phase, strict=True)]
                rough = wave * (waves[0] * waves[1] + waves[1] * waves[2] + waves[2] * waves[0])
                return (
                    np.sqrt((x / sides[0]) ** 2 + (y / sides[1]) ** 2 + (z / sides[2]) ** 2) * sides.min()
                    - sides.min()
                    + rough
                )

            made.append(solid(distance))
        return made

    def points(meshes: list[trimesh.Trimesh], seed: int) -> np.ndarray:
        return surface_clouds(meshes, 1024, seed)[0]

    real, smooth, rippled = points(family(0, 0), 0), points(family(1, 0), 1), points(family(1, 0.012), 2)
    own = chamfer_matrix(real)
    before, after = (one_nna(chamfer_matrix(made), chamfer_matrix(made, real), own) for made in (smooth, rippled))
    assert after == pytest.approx(before, abs=0.1), "Chamfer sees nothing"
    true = [surface_points(mesh, 4000) for mesh in family(1, 0)[:5]]
    exact, wavy = (
        np.median([normal_figures(mesh, one)["normal_angle_median"] for mesh, one in zip(meshes, true, strict=True)])
        for meshes in (family(1, 0)[:5], family(1, 0.012)[:5])
    )
    assert exact < 1.5
    assert wavy > 5 * max(exact, 1)


@pytest.mark.parametrize("kind", FAMILIES)
def test_points_of_built_in_meshes_are_moved_onto_the_true_surface(kind: str) -> None:
    ((_, mesh, parameters),) = make_shapes(kind, 1, 5, 64)
    distance = true_distance(kind, parameters)
    sampled, shaded = sample_normals(mesh, 3000, np.random.default_rng(0))
    points, normals = onto_surface(distance, sampled)
    assert np.abs(distance(points)).max() < 1e-3
    assert np.median(np.linalg.norm(points - sampled, axis=1)) < 0.005
    assert np.linalg.norm(normals, axis=1) == pytest.approx(1)
    assert np.median((normals * shaded).sum(axis=1)) > 0.99, "outwards, as the mesh"
    assert 0.002 < np.median(distance(points + 0.005 * normals)) < 0.0051, "some distances are lower bounds"
