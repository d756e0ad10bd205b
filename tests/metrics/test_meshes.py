"""Validity of meshes, agreement of pairs, and the Fréchet distance."""

import json

import numpy as np
import pytest
import trimesh

from nfgen.errors import NfgenError, ShapeError
from nfgen.metrics import (
    compare_meshes,
    comparison_summary,
    feature_distance,
    frechet_distance,
    iou,
    largest_share,
    mesh_validity,
    surface_agreement,
    train_classifier,
    validity_summary,
    volume_iou,
)


def box(size: float = 1.0, at: tuple[float, float, float] = (0, 0, 0)) -> trimesh.Trimesh:
    return trimesh.creation.box((size, size, size), transform=trimesh.transformations.translation_matrix(at))


def open_box() -> trimesh.Trimesh:
    mesh = box()
    mesh.update_faces(np.arange(len(mesh.faces)) > 0)
    return mesh


def turned(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    mesh = mesh.copy()
    mesh.invert()
    return mesh


def test_validity_of_known_solids() -> None:
    one = mesh_validity(box())
    assert (one.watertight, one.outward, one.bodies, one.cavities, one.genus) == (True, True, 1, 0, 0)
    assert one.volume == pytest.approx(1)
    assert mesh_validity(trimesh.creation.torus(1, 0.3)).genus == 1
    assert mesh_validity(trimesh.util.concatenate([trimesh.creation.torus(1, 0.3), box(1, (5, 0, 0))])).genus == 1
    two = mesh_validity(trimesh.util.concatenate([box(), box(2, (5, 0, 0))]))
    assert (two.bodies, two.single) == (2, False)
    assert two.largest_share == pytest.approx(8 / 9)
    hollow = mesh_validity(trimesh.util.concatenate([box(2), turned(box(1))]))
    assert (hollow.bodies, hollow.cavities, hollow.single) == (1, 1, True)
    assert hollow.volume == pytest.approx(7)


def test_solids_that_touch_at_a_vertex_are_two() -> None:
    pair = trimesh.util.concatenate([box(1), box(1, (1, 1, 1))])
    pair.merge_vertices()
    assert len(pair.vertices) == 15
    touching = mesh_validity(pair)
    assert (touching.bodies, touching.genus, touching.volume) == (2, 0, pytest.approx(2))


def test_validity_of_broken_meshes() -> None:
    assert not mesh_validity(turned(box())).outward
    assert mesh_validity(turned(box())).bodies == 1
    opened = mesh_validity(open_box())
    assert (opened.nonempty, opened.watertight, opened.outward, opened.genus, opened.volume) == (
        *(True, False, False),
        *(None, None),
    )
    assert not mesh_validity(None).nonempty
    assert not mesh_validity(trimesh.Trimesh()).nonempty


def test_the_largest_share_alone_is_that_of_the_whole_examination() -> None:
    pair = trimesh.util.concatenate([box(), box(2, (5, 0, 0))])
    hollow = trimesh.util.concatenate([box(2), turned(box(1)), box(0.5, (4, 0, 0))])
    opened = trimesh.util.concatenate([open_box(), box(2, (5, 0, 0))])
    for mesh in (None, trimesh.Trimesh(), box(), pair, turned(pair), hollow, opened):
        assert largest_share(mesh) == pytest.approx(mesh_validity(mesh).largest_share)


def test_validity_shares_count_the_empty_ones() -> None:
    pair = trimesh.util.concatenate([box(), box(1, (5, 0, 0))])
    result = validity_summary([box(), None, open_box(), pair])
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert (result["nonempty"], result["watertight"], result["single_body"], result["valid"]) == (0.75, 0.5, 0.5, 0.25)
    assert validity_summary([None])["largest_share"] is None
    with pytest.raises(NfgenError, match="no meshes"):
        validity_summary([])


def test_agreement_of_two_parallel_planes_by_hand() -> None:
    side = np.linspace(0, 1, 10)
    flat = np.array([(x, y, 0.0) for x in side for y in side])
    up, tilted = np.tile([0, 0, 1.0], (100, 1)), np.tile([0, 0.6, -0.8], (100, 1))
    result = surface_agreement(flat, up, flat + np.array([0, 0, 0.03]), tilted)
    assert result["cd"] == pytest.approx(2 * 0.03**2)
    assert (result["f_score_1"], result["f_score_2"]) == (0, 1)  # 0.03 lies between 1 % and 2 % of 2
    assert result["normal_consistency"] == pytest.approx(0.8)
    assert result["hausdorff_95"] == pytest.approx(0.03)


def test_f_score_is_the_harmonic_mean_of_both_ways() -> None:
    true = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0]])
    normals = np.tile([1.0, 0, 0], (4, 1))
    result = surface_agreement(true[:1], normals[:1], true, normals)
    assert result["f_score_1"] == pytest.approx(2 * 1 * 0.25 / 1.25)


def test_a_solid_agrees_with_itself_and_overlaps_by_the_known_share() -> None:
    def cube(shift: float):
        return lambda p: (np.abs(p - [shift, 0, 0]) < 0.5).all(axis=1)

    same = compare_meshes(box(), box(), cube(0), cube(0))
    assert same["iou"] == 1
    assert same["f_score_1"] > 0.99  # the sampling must not cost what a reconstruction is judged by
    assert same["f_score_2"] > 0.99
    # Two unit cubes, half of one in the other: 0.5 / 1.5; the standard error at 100,000 points is 0.003.
    assert volume_iou(cube(0), cube(0.5)) == pytest.approx(1 / 3, abs=0.012)
    assert same == compare_meshes(box(), box(), cube(0), cube(0))


def test_empty_reconstructions_count_as_wrong_and_have_no_distance() -> None:
    nothing = compare_meshes(None, box())
    assert (nothing["cd"], nothing["f_score_1"], nothing["iou"]) == (None, 0, None)
    summary = comparison_summary([nothing, compare_meshes(box(), box())])
    assert summary["cd"]["pairs"] == 1
    assert summary["f_score_2"]["mean"] == pytest.approx(0.5, abs=0.01)
    json.dumps(summary, allow_nan=False)
    with pytest.raises(ShapeError, match="true mesh"):
        compare_meshes(box(), trimesh.Trimesh())


def test_iou_of_arrays_and_its_complaints() -> None:
    assert iou(np.array([True, True, False]), np.array([True, False, False])) == 0.5
    assert iou(np.zeros(3, bool), np.zeros(3, bool)) == 1
    with pytest.raises(NfgenError, match="int"):
        iou(np.ones(3, int), np.ones(3, bool))
    with pytest.raises(NfgenError, match="shapes"):
        iou(np.ones(3, bool), np.ones(4, bool))
    with pytest.raises(NfgenError, match="NaN"):
        surface_agreement(np.full((2, 3), np.nan), np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 3)))


def test_frechet_distance_of_gaussians_by_hand() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=(20_000, 2))
    b = rng.normal(size=(20_000, 2)) * [2, 3] + [1, 0]
    # Means 1 apart; deviations 1, 1 against 2, 3: 1 + (2 - 1)^2 + (3 - 1)^2.
    assert frechet_distance(a, b) == pytest.approx(6, rel=0.05)
    assert frechet_distance(a[:100], a[:100]) == pytest.approx(0, abs=1e-9)
    with pytest.raises(NfgenError, match="features of shapes"):
        frechet_distance(a[:1], b)


def test_features_of_a_classifier_tell_kinds_of_shapes_apart() -> None:
    rng = np.random.default_rng(0)

    def shapes(flat: bool, count: int) -> np.ndarray:
        points = rng.normal(size=(count, 64, 3))
        points /= np.linalg.norm(points, axis=2, keepdims=True)
        return (points * ([1, 1, 0.2] if flat else [1, 1, 1])).astype(np.float32)

    clouds = np.concatenate([shapes(True, 40), shapes(False, 40)])
    model = train_classifier(clouds, np.repeat([0, 1], 40), epochs=10, seed=1)
    same, other = shapes(True, 40), shapes(False, 40)
    assert feature_distance(clouds[:40], other, model) > 5 * feature_distance(clouds[:40], same, model)
    again = train_classifier(clouds, np.repeat([0, 1], 40), epochs=10, seed=1)
    assert feature_distance(same, other, again) == feature_distance(same, other, model)
    with pytest.raises(NfgenError, match="one class"):
        train_classifier(clouds, np.zeros(80, int))
    with pytest.raises(NfgenError, match="labels"):
        train_classifier(clouds, np.zeros(3, int))
