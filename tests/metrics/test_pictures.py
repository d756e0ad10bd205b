"""Measures of pictures: light-field distance ignores what it should, and a network finds ripples and nothing else."""

import numpy as np
import pytest
import torch
import trimesh

from nfgen.errors import NfgenError
from nfgen.metrics.light_field import SIZE, light_field_matrix, light_fields, silhouette_directions
from nfgen.metrics.two_sample import kernel_distance, local_contrast, two_sample_test
from nfgen.viz.views import silhouettes_of, view_directions, views_of


def boxes(count: int, seed: int) -> list[trimesh.Trimesh]:
    """Two boxes on one another, of any sizes: no symmetry but left and right."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        seat, back = trimesh.creation.box(rng.uniform(0.3, 1, 3)), trimesh.creation.box(rng.uniform(0.1, 0.6, 3))
        made.append(trimesh.util.concatenate([seat, back.apply_translation(rng.uniform(-0.4, 0.4, 3))]))
    return made


def described(meshes: list[trimesh.Trimesh]) -> np.ndarray:
    return light_fields(np.stack([silhouettes_of(mesh, silhouette_directions(), SIZE) for mesh in meshes]))


def moved(meshes: list[trimesh.Trimesh], matrix: np.ndarray) -> list[trimesh.Trimesh]:
    return [mesh.copy().apply_transform(matrix) for mesh in meshes]


def test_light_fields_ignore_size_place_mirrors_and_the_turns_of_a_dodecahedron() -> None:
    meshes = boxes(6, 0)
    own = described(meshes)
    distances = light_field_matrix(own)
    assert (distances == distances.T).all()
    assert np.diag(distances).tolist() == [0] * 6
    others = distances[~np.eye(6, dtype=bool)].min()
    size_and_place = trimesh.transformations.scale_matrix(0.5)
    size_and_place[:3, 3] = (0.1, 0.2, -0.3)
    turn = trimesh.transformations.rotation_matrix
    for matrix in (
        size_and_place,
        np.diag([-1.0, 1, 1, 1]),
        turn(np.pi, (0, 0, 1)),
        turn(2 * np.pi / 3, (1, 1, 1)),
        turn(2 * np.pi / 5, (1, 0, (1 + 5**0.5) / 2)),
    ):
        again = light_field_matrix(own, described(moved(meshes, matrix)))
        assert np.diag(again).max() < 0.4 * others
        assert (again.argmin(axis=1) == np.arange(6)).all()
    little = np.diag(light_field_matrix(own, described(moved(meshes, turn(0.03, (0, 0, 1))))))
    more = np.diag(light_field_matrix(own, described(moved(meshes, turn(0.3, (0, 0, 1))))))
    assert (little < more).all(), "other turns are seen by degrees"


def test_light_fields_see_a_missing_part_that_chamfer_hardly_sees() -> None:
    stool = [trimesh.creation.box((1, 1, 0.1))] + [
        trimesh.creation.box((0.06, 0.06, 0.8)).apply_translation((x, y, -0.4))
        for x in (-0.4, 0.4)
        for y in (-0.4, 0.4)
    ]
    whole, broken = trimesh.util.concatenate(stool), trimesh.util.concatenate(stool[:-1])
    finer = whole.subdivide()
    distance = light_field_matrix(described([whole]), described([broken, finer]))[0]
    assert distance[0] > 20 * distance[1]
    with pytest.raises(NfgenError, match="silhouette is empty"):
        light_fields(np.zeros((1, 10, SIZE, SIZE), dtype=bool))
    with pytest.raises(NfgenError, match="of shape"):
        light_fields(np.zeros((1, 9, SIZE, SIZE), dtype=bool))


def test_views_show_shading_and_depth_from_around() -> None:
    ball = trimesh.creation.icosphere(4, 0.6)
    views = views_of(ball)
    assert views.shape == (12, 2, 64, 64)
    areas = (views[:, 1] > 0).sum(axis=(1, 2)) * (2.5 / 64) ** 2
    assert areas == pytest.approx(np.pi * 0.6**2, rel=0.08)
    near, far = views_of(ball.copy().apply_translation(0.3 * view_directions()[0])), views_of(ball)
    assert near[0, 1].max() > far[0, 1].max(), "what is nearer is brighter"
    assert not views_of(None).any()
    assert not views_of(trimesh.Trimesh()).any()


def pictures(count: int, seed: int, wave: float) -> np.ndarray:
    """Discs of any brightness, place and size, with or without waves: nuisance that is larger than what is sought."""
    rng = np.random.default_rng(seed)
    down, across = np.mgrid[:32, :32]
    made = np.zeros((count, 4, 2, 32, 32))
    for picture in made.reshape(-1, 2, 32, 32):
        middle, radius, level, phase = (
            rng.uniform(12, 20, 2),
            rng.uniform(8, 12),
            rng.uniform(80, 170),
            rng.uniform(0, 6),
        )
        there = np.hypot(down - middle[0], across - middle[1]) < radius
        picture[0] = there * (level + wave * np.sin(across * 1.2 + phase))
        picture[1] = there * 120
    return made.astype(np.uint8)


def test_a_network_finds_waves_where_they_are_and_nothing_where_nothing_is() -> None:
    real = pictures(30, 0, 0)
    found = two_sample_test(pictures(30, 1, 30), real, pictures(20, 3, 0), seed=1, steps=60)
    assert found.accuracy["value"] > 0.85
    assert found.accuracy["low"] is not None
    assert found.accuracy["low"] > 0.6
    assert found.kid_beside is not None
    assert found.kid["value"] > 3 * abs(found.kid_beside["value"])
    wavy, there = found.evidence.mean(axis=(0, 1)), slice(2, 6)
    assert found.evidence.shape[:2] == (30, 4)
    assert wavy.mean() > 0, "the mean over places is the logit"
    assert wavy[there, there].shape == (2, 2)
    alike = two_sample_test(pictures(30, 2, 0), real, seed=1, steps=60)
    assert alike.accuracy["value"] < 0.7
    assert alike.kid_beside is None


def test_the_test_is_the_same_by_its_seed_and_leaves_torchs_generator_alone() -> None:
    made, real = pictures(10, 1, 30), pictures(11, 0, 0)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first = two_sample_test(made, real, seed=2, steps=6)
    assert torch.rand(1) == expected
    again, other = two_sample_test(made, real, seed=2, steps=6), two_sample_test(made, real, seed=3, steps=6)
    assert (first.evidence == again.evidence).all()
    assert (first.accuracy, first.kid) == (again.accuracy, again.kid)
    assert (first.evidence != other.evidence).any()
    with pytest.raises(NfgenError, match="too few"):
        two_sample_test(made[:9], real)
    with pytest.raises(NfgenError, match="pictures of shapes"):
        two_sample_test(made, real[:, :2])


def test_contrast_is_what_is_left_of_pictures_without_their_brightness() -> None:
    flat = np.zeros((1, 2, 2, 32, 32), dtype=np.uint8)
    flat[..., 8:24, 8:24] = 200
    contrast = local_contrast(torch.from_numpy(flat)).float()
    assert contrast.shape == (1, 2, 3, 32, 32)
    assert contrast[..., :2, :, :].abs().max() < 0.05
    assert (contrast[:, :, 2] > 0).sum() == 2 * 16 * 16


def test_kernel_distance_by_another_formula() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(7, 4, generator=generator), torch.randn(5, 4, generator=generator) + 1

    def kernel(x: torch.Tensor, y: torch.Tensor) -> float:
        return (float(x.double() @ y.double()) / 4 + 1) ** 3

    within = [np.mean([kernel(x, y) for i, x in enumerate(s) for j, y in enumerate(s) if i != j]) for s in (a, b)]
    between = np.mean([kernel(x, y) for x in a for y in b])
    assert kernel_distance(a, b) == pytest.approx(sum(within) - 2 * between)
    many, others = torch.randn(400, 4, generator=generator), torch.randn(400, 4, generator=generator)
    assert abs(kernel_distance(many, others)) < 0.1 < kernel_distance(many, others + 1)
