"""Laws of the built-in families: sound meshes, the same from the same seed, and distances that keep their word."""

import dataclasses
import itertools
import json
from typing import Any

import igl
import numpy as np
import pytest

from nfgen.errors import ConfigError, ShapeError
from nfgen.shapes.synthetic import FAMILIES, SDF, make_shapes, mesh_sdf
from nfgen.shapes.synthetic import sdf as shapes
from nfgen.shapes.synthetic.chair import Chair
from nfgen.shapes.synthetic.vase import Vase

CONVEX_AND_EXACT = {
    "ball": shapes.ball(0.4),
    "box": shapes.box(0.6, 0.9, 0.3, 0.1),
    "slab": shapes.slab(1.2, 0.7, 0.2, 0.3, 0.05),
    "cylinder": shapes.cylinder(0.4, 0.8, 0.05),
    "cone": shapes.cone(0.5, 0.2, 0.9),
    "rod": shapes.rod((-0.3, 0.1, -0.4), (0.4, 0.2, 0.5), 0.2, 0.08),
    "half_space": shapes.half_space((1, 2, -1), 0.2),
    "hexagon": shapes.extrude(shapes.polygon([(0.6, 0), (0.3, 0.5), (-0.3, 0.5), (-0.6, 0), (0, -0.5)]), 0.4, "x"),
}
OTHERS = {
    "ellipsoid": shapes.ellipsoid(1.2, 0.5, 0.3),
    "oval": shapes.extrude(shapes.oval(1.4, 0.5), 0.3),
    "torus": shapes.torus(0.5, 0.2),
    "stroke": shapes.revolve(shapes.stroke([(0, -0.5), (0.5, 0), (0.3, 0.5)], 0.1)),
    "difference": shapes.box(1, 1, 1) - shapes.ball(0.6),
    "blend": shapes.ball(0.4).blend(shapes.box(1.2, 0.2, 0.2), 0.2),
    "bevel": shapes.box(1, 1, 1).bevel(shapes.half_space((1, 1, 1), 0.3), 0.2),
    "around": shapes.box(0.6, 0.2, 0.2).at(0.4).around(5),
    "mirrored": shapes.ball(0.3).at(0.4, 0.3).mirrored("x").mirrored("y"),
    "turned": shapes.box(1, 0.4, 0.2).turned("x", 30).turned("y", 50).turned("z", 70),
    "lobed": shapes.revolve(shapes.stroke([(0, -0.5), (0.5, 0), (0.3, 0.5)], 0.1)).lobed(9, 0.03, 0.2, 1.5),
    "shell": shapes.torus(0.5, 0.3).shell(0.05),
}


@pytest.mark.parametrize("kind", FAMILIES)
def test_meshes_are_watertight_single_bodies_within_the_cube(kind: str) -> None:
    for _, mesh, _ in make_shapes(kind, 3, seed=1):
        assert mesh.is_watertight
        assert mesh.is_winding_consistent
        assert mesh.body_count == 1
        assert mesh.volume > 0
        assert np.abs(mesh.vertices).max() <= 1


@pytest.mark.parametrize("kind", FAMILIES)
def test_the_same_seed_gives_the_same_bytes_whatever_the_count(kind: str) -> None:
    few, more = list(make_shapes(kind, 2, 7, resolution=48)), list(make_shapes(kind, 3, 7, resolution=48))
    assert [entry[0] for entry in more] == [f"{kind}-{index:05d}" for index in range(3)]
    for (name, mesh, parameters), (other_name, other, other_parameters) in zip(few, more[:2], strict=True):
        assert (name, parameters) == (other_name, other_parameters)
        assert mesh.vertices.tobytes() == other.vertices.tobytes()
        assert mesh.faces.tobytes() == other.faces.tobytes()
    assert more[0][2] != more[1][2]
    assert next(make_shapes(kind, 1, 8, resolution=48))[2] != more[0][2]


@pytest.mark.parametrize("kind", FAMILIES)
def test_parameters_are_many_plain_values_that_rebuild_the_shape(kind: str) -> None:
    family = FAMILIES[kind]
    _, mesh, values = next(make_shapes(kind, 1, 3, resolution=48))
    assert len(values) >= 8
    again = family.parameters(**json.loads(json.dumps(values)))
    assert mesh_sdf(family.build(again), 48).vertices.tobytes() == mesh.vertices.tobytes()


@pytest.mark.parametrize("kind", FAMILIES)
def test_every_choice_is_drawn_and_lengths_fill_their_range(kind: str) -> None:
    rng = np.random.default_rng(0)
    drawn = [FAMILIES[kind].sample(rng) for _ in range(300)]
    for entry in dataclasses.fields(FAMILIES[kind].parameters):
        values = [getattr(one, entry.name) for one in drawn]
        if "choices" in entry.metadata:
            assert set(values) == set(entry.metadata["choices"])
        else:
            low, high = entry.metadata["low"], entry.metadata["high"]
            assert low <= min(values) < low + 0.05 * (high - low) + 1e-9
            assert high >= max(values) > high - 0.05 * (high - low) - 1e-9


@pytest.mark.parametrize("kind", FAMILIES)
def test_the_distance_is_negative_just_where_the_mesh_is(kind: str) -> None:
    family = FAMILIES[kind]
    sdf = family.build(family.sample(np.random.default_rng(5)))
    mesh = mesh_sdf(sdf, 96)
    cell = 2 / 95
    rng = np.random.default_rng(6)
    near = mesh.vertices[rng.integers(len(mesh.vertices), size=2000)] + rng.normal(scale=0.05, size=(2000, 3))
    points = np.concatenate([near, rng.uniform(-1, 1, (500, 3))])
    distance = sdf(points)
    inside = igl.fast_winding_number(mesh.vertices, mesh.faces.astype(np.int64), points) > 0.5
    sure = np.abs(distance) > cell / 2
    assert (distance[sure] < 0).any()
    assert (distance < 0)[sure].tolist() == inside[sure].tolist()


@pytest.mark.parametrize("kind", FAMILIES)
def test_meshing_only_near_the_surface_loses_nothing(kind: str) -> None:
    # A finer grid takes other blocks; were a piece left out, volumes would differ by far more.
    family = FAMILIES[kind]
    sdf = family.build(family.sample(np.random.default_rng(9)))
    assert mesh_sdf(sdf, 80).volume == pytest.approx(mesh_sdf(sdf, 120).volume, rel=0.02)


@pytest.mark.parametrize("name", [*CONVEX_AND_EXACT, *OTHERS, *FAMILIES])
def test_distances_change_no_faster_than_places(name: str) -> None:
    rng = np.random.default_rng(2)
    known = CONVEX_AND_EXACT | OTHERS
    sdf = known[name] if name in known else FAMILIES[name].build(FAMILIES[name].sample(rng))
    here = rng.uniform(-1.2, 1.2, (4000, 3))
    there = here + rng.normal(size=here.shape) * 10 ** rng.uniform(-4, 0, (len(here), 1))
    assert (np.abs(sdf(here) - sdf(there)) <= np.linalg.norm(here - there, axis=1) + 1e-9).all()


@pytest.mark.parametrize("name", CONVEX_AND_EXACT)
def test_exact_primitives_measure_the_way_to_the_surface(name: str) -> None:
    sdf = CONVEX_AND_EXACT[name]
    points = np.random.default_rng(4).uniform(-1.2, 1.2, (1000, 3))
    points = points[sdf(points) > 0.01]
    step = 1e-6
    slope = np.stack([(sdf(points + step * axis) - sdf(points - step * axis)) / (2 * step) for axis in np.eye(3)], 1)
    assert np.linalg.norm(slope, axis=1) == pytest.approx(1, abs=1e-4)
    assert sdf(points - sdf(points)[:, None] * slope) == pytest.approx(0, abs=1e-4)


def test_a_ball_is_meshed_where_it_is() -> None:
    mesh = mesh_sdf(shapes.ball(0.5).at(0.2, -0.1, 0.3), 96)
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * 0.5**3, rel=0.005)
    assert mesh.center_mass == pytest.approx([0.2, -0.1, 0.3], abs=1e-3)


def test_single_precision_stays_single() -> None:
    points = np.zeros((3, 3), dtype=np.float32)
    for family in FAMILIES.values():
        assert family.build(family.parameters())(points).dtype == np.float32


def test_a_chair_stands_upright_and_faces_the_front() -> None:
    mesh = mesh_sdf(FAMILIES["chair"].build(Chair(back="solid", back_tilt=10.0)), 64)
    height = mesh.vertices[:, 2]
    low, high = (mesh.vertices[np.abs(height - place) < 0.05, 1].mean() for place in (0.2, 0.7))
    assert low > mesh.vertices[:, 1].mean()
    assert high - low == pytest.approx(0.5 * np.tan(np.radians(10)), abs=0.02)  # it leans backwards
    assert mesh.vertices[:, 0].min() == pytest.approx(-mesh.vertices[:, 0].max(), abs=1e-6)


def test_choices_change_the_shape() -> None:
    def volume(**choices: Any) -> float:
        return float(mesh_sdf(FAMILIES["chair"].build(Chair(**choices)), 48).volume)

    backs = [volume(back=back) for back in ("slats", "spindles", "solid", "frame", "stool")]
    legs = [volume(legs=legs) for legs in ("four", "star", "sled")]
    assert all(abs(a - b) > 1e-4 for a, b in itertools.combinations(backs, 2))
    assert all(abs(a - b) > 1e-4 for a, b in itertools.combinations(legs, 2))
    assert volume(arms=True) > volume(arms=False)


def test_a_vase_is_hollow() -> None:
    sdf = FAMILIES["vase"].build(Vase())
    column = np.stack([np.zeros(41), np.zeros(41), np.linspace(-1, 1, 41)], axis=1)
    inside = sdf(column) < 0
    assert 1 <= inside.sum() <= 3  # the bottom alone


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("sofa", 1, 0), "no family of shapes called 'sofa'"),
        (("chair", -1, 0), "-1 shapes"),
        (("chair", 1, -5), "seed -5"),
        (("chair", 1, 0, 4), "resolution 4"),
    ],
)
def test_wrong_arguments_are_said_at_once(arguments: tuple[Any, ...], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        make_shapes(*arguments)
    assert caught.value.remedy


@pytest.mark.parametrize(
    "values",
    [
        {"seat_width": 3.0},
        {"seat_width": "wide"},
        {"seat_width": float("nan")},
        {"seat_width": True},
        {"back": "sofa"},
        {"back": ["slats"]},
        {"bars": 2.5},
        {"arms": 1},
    ],
)
def test_parameters_check_themselves(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"Chair.{next(iter(values))}") as caught:
        Chair(**values)
    assert caught.value.remedy


def test_shapes_that_cannot_be_meshed_are_refused() -> None:
    with pytest.raises(ShapeError, match="empty"):
        mesh_sdf(SDF(lambda x, y, z: 0 * x + 1))
    with pytest.raises(ShapeError, match="empty"):
        mesh_sdf(shapes.ball(1e-4), 16)
    with pytest.raises(ShapeError, match="beyond"):
        mesh_sdf(shapes.ball(0.4).at(0.8), 48)
    with pytest.raises(ConfigError, match="resolution"):
        mesh_sdf(shapes.ball(0.5), 2)
