"""The evaluation of whole sets: its keys, its protocols, novelty, and what it says to unusable input."""

import json

import numpy as np
import pytest
import torch

from nfgen import metrics
from nfgen.errors import ConfigError, NfgenError
from nfgen.metrics import (
    emd_matrix,
    evaluate_clouds,
    frechet_distance,
    nearest_weights,
    novelty_scores,
    protocol_named,
    score,
    weight_novelty,
)

KEYS = {
    *("enough", "jsd_pointflow", "precision", "recall", "copying", "duplicates"),
    *("mmd", "cov", "1_nna", "jsd", "novelty", "validity", "ceiling", "floor"),
    *("protocol", "points", "generated", "reference", "seed"),
}


ROW = {"mmd", "cov", "1_nna", "precision", "recall", "jsd", "jsd_pointflow"}


def ellipsoids(count: int, points: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(count, points, 3))
    directions /= np.linalg.norm(directions, axis=2, keepdims=True)
    return (directions * rng.uniform(0.2, 0.9, (count, 1, 3))).astype(np.float32)


def test_every_public_name_can_be_imported() -> None:
    for name in metrics.__all__:
        assert getattr(metrics, name).__class__.__name__ != "module", name


def test_an_evaluation_has_the_agreed_keys_and_is_json() -> None:
    generated, reference, train = (ellipsoids(count, 64, seed) for seed, count in enumerate((11, 12, 20)))
    result = evaluate_clouds(generated, reference, train, seed=5)
    assert set(result) == KEYS
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert (result["points"], result["generated"], result["reference"], result["seed"]) == (64, 11, 12, 5)
    assert set(result["mmd"]) == {"value", "low", "high"}
    assert set(result["ceiling"]) == set(result["floor"]["noise"]) == ROW
    assert result == evaluate_clouds(generated, reference, train, seed=5)
    assert set(evaluate_clouds(generated, reference)) == KEYS


def test_scores_order_real_shapes_before_a_repeated_one_before_noise() -> None:
    result = evaluate_clouds(ellipsoids(40, 128, 0), ellipsoids(40, 128, 1), ellipsoids(40, 128, 2))
    repeated, noise = result["floor"]["repeated"], result["floor"]["noise"]
    assert result["mmd"]["value"] < repeated["mmd"]["value"]
    assert repeated["cov"]["value"] == pytest.approx(1 / 40)
    assert repeated["1_nna"]["value"] > result["1_nna"]["value"] + 0.1
    assert noise["1_nna"]["value"] > 0.9
    assert result["1_nna"]["low"] < 0.5 < result["1_nna"]["high"]
    assert result["ceiling"]["1_nna"]["low"] < 0.5 < result["ceiling"]["1_nna"]["high"]


def test_copies_of_training_shapes_are_found_out_and_new_shapes_are_not() -> None:
    train, reference = ellipsoids(40, 128, 0), ellipsoids(30, 128, 1)
    copied = evaluate_clouds(train[:20] + np.float32(1e-4), reference, train)["novelty"]
    assert copied["ratio"]["value"] < 0.01
    assert copied["samples"]["share_near_copies"] == 1
    assert copied["samples"]["share_closer_to_train"] == 1
    assert copied["scatter"]["samples"]["train_index"] == list(range(20))
    fresh_clouds = ellipsoids(20, 128, 2)
    fresh = evaluate_clouds(fresh_clouds, reference, train)["novelty"]
    assert fresh["ratio"]["low"] < 1 < fresh["ratio"]["high"]
    assert fresh["samples"]["share_near_copies"] < 0.3
    noised = evaluate_clouds(fresh_clouds, reference, train, noised={"0.02": train[:5] + np.float32(0.001)})
    assert noised["novelty"]["noise"]["0.02"]["ratio"]["value"] < 0.1
    assert {**noised["novelty"], "noise": {}} == fresh, "what stands beside a score does not move it"


def test_novelty_by_hand() -> None:
    train = np.array([[0.0, 1, 4], [1, 0, 3], [4, 3, 0]])  # nearest others: 1, 1, 3
    result = novelty_scores(
        sample_train=np.array([[0.5, 2, 5], [6, 4, 2.0]]),
        sample_reference=np.array([[1.0, 9], [1.0, 9]]),
        reference_train=np.array([[1.0, 2, 3], [5, 3, 4]]),
        reference_reference=np.array([[0.0, 8], [8, 0]]),
        train_train=train,
    )
    assert result["copy_threshold"] == pytest.approx(1.0)
    assert result["ratio"]["value"] == pytest.approx(1.25 / 2)
    assert result["samples"]["share_near_copies"] == 0.5
    assert result["samples"]["share_closer_to_train"] == 0.5
    assert result["samples"]["expected_share_closer_to_train"] == pytest.approx(3 / 5)
    assert result["heldout"]["nearest_reference"] == 8
    with pytest.raises(NfgenError, match="training shapes themselves"):
        novelty_scores(np.ones((2, 3)), np.ones((2, 2)), np.zeros((2, 3)), np.ones((2, 2)), train)
    with pytest.raises(NfgenError, match="do not belong"):
        novelty_scores(np.ones((2, 3)), np.ones((2, 9)), np.ones((2, 3)), np.ones((2, 2)), train)


def test_weights_of_a_copy_are_found_and_unrelated_ones_are_about_root_two_away() -> None:
    rng = np.random.default_rng(0)
    train = rng.normal(size=(20, 500))
    index, distance = nearest_weights(np.concatenate([train[[7]], rng.normal(size=(1, 500))]), train)
    assert index[0] == 7
    assert distance[0] == pytest.approx(0, abs=1e-6)
    assert distance[1] == pytest.approx(2**0.5, rel=0.1)
    with pytest.raises(NfgenError, match="of shapes"):
        nearest_weights(train[:, :10], train)
    with pytest.raises(NfgenError, match="are equal"):
        nearest_weights(train, np.ones((3, 500)))


def test_hyperdiffusion_ignores_place_and_size_and_clips_to_the_references() -> None:
    reference = ellipsoids(6, 2048, 0)
    generated = np.concatenate([reference * 3 + 1, ellipsoids(1, 2048, 1)])
    result = evaluate_clouds(generated, reference, protocol="hyperdiffusion")
    assert result["generated"] == 6
    assert result["mmd"]["value"] == pytest.approx(0, abs=1e-5)
    assert result["cov"]["value"] == 1
    assert protocol_named("hyperdiffusion").to_generate(10) == 11
    assert protocol_named("hyperdiffusion").to_generate(606) == 667
    with pytest.raises(NfgenError, match="5 generated shapes for 6") as caught:
        evaluate_clouds(generated[:5], reference, protocol="hyperdiffusion")
    assert "7 samples" in caught.value.remedy
    with pytest.raises(NfgenError, match="100 points"):
        evaluate_clouds(generated[:, :100], reference[:, :100], protocol="hyperdiffusion")


def test_nef_gpt_draws_with_replacement_which_raises_1_nna() -> None:
    generated, reference = ellipsoids(20, 64, 0), ellipsoids(20, 64, 1)
    drawn = evaluate_clouds(generated, reference, protocol="nef-gpt")
    whole = evaluate_clouds(generated, reference)
    assert drawn["1_nna"]["value"] > whole["1_nna"]["value"] + 0.1
    assert drawn["1_nna"]["low"] < drawn["1_nna"]["value"] < drawn["1_nna"]["high"]


def test_clouds_of_more_points_are_thinned_to_the_protocol() -> None:
    result = evaluate_clouds(ellipsoids(3, 2100, 0), ellipsoids(3, 2100, 1))
    assert result["points"] == 2048


def test_emd_of_every_set_is_that_of_its_matrices_and_states_its_points() -> None:
    generated, reference, train = ellipsoids(5, 64, 0), ellipsoids(5, 64, 1), ellipsoids(5, 64, 2)
    result = evaluate_clouds(generated, reference, train, emd_points=32, seed=3)
    rows = [result, result["ceiling"], result["floor"]["repeated"], result["floor"]["noise"]]
    assert [row["emd"]["points"] for row in rows] == [32] * 4
    pairs = (generated, None), (generated, reference), (reference, None)
    expected = score(*(emd_matrix(a, b, points=32, seed=3) for a, b in pairs), seed=3)
    assert {key: result["emd"][key] for key in expected} == expected
    assert result["floor"]["repeated"]["emd"]["cov"]["value"] == pytest.approx(1 / 5)
    assert "emd" not in evaluate_clouds(generated, reference)


def test_a_frechet_distance_is_that_of_the_features_of_any_classifier() -> None:
    class Size:
        """Features that can be worked out by hand: the extent along each axis."""

        def embed(self, clouds: torch.Tensor) -> torch.Tensor:
            return clouds.amax(dim=1) - clouds.amin(dim=1)

    generated, reference = ellipsoids(12, 64, 0) * np.float32(1.5), ellipsoids(12, 64, 1)
    result = evaluate_clouds(generated, reference, ellipsoids(12, 64, 2), classifier=Size())
    features = [clouds.max(axis=1) - clouds.min(axis=1) for clouds in (generated, reference)]
    assert result["frechet"]["value"] == pytest.approx(frechet_distance(*features), rel=1e-5)
    assert result["ceiling"]["frechet"]["value"] < result["frechet"]["value"]
    assert result["floor"]["repeated"]["frechet"]["value"] > result["ceiling"]["frechet"]["value"]


def test_novelty_of_weights_by_hand() -> None:
    train = np.array([[0.0, 0.0], [2.0, 0.0], [4.0, 0.0]])  # mean squared distance to the mean: 8 / 3
    unit = (8 / 3) ** 0.5
    found = weight_novelty(np.array([[0.0, 1.0], [4.0, 8.0]]), train)
    assert found["index"] == [0, 2]
    assert found["distance"] == pytest.approx([1 / unit, 8 / unit])
    assert found["median"] == pytest.approx(4.5 / unit)
    assert found["train_median"] == found["copy_threshold"] == pytest.approx(2 / unit)
    assert found["share_near_copies"] == 0.5


def test_unusable_sets_are_named() -> None:
    good = ellipsoids(4, 32, 0)
    with pytest.raises(ConfigError, match="unknown protocol 'fid'"):
        evaluate_clouds(good, good, protocol="fid")
    with pytest.raises(NfgenError, match="points a cloud differ: reference 32, generated 16"):
        evaluate_clouds(good[:, :16], good)
    with pytest.raises(NfgenError, match="generated holds one shape"):
        evaluate_clouds(good[:1], good)
    with pytest.raises(NfgenError, match="train is empty"):
        evaluate_clouds(good, good, good[:0])
    broken = good.copy()
    broken[2, 3, 1] = np.nan
    with pytest.raises(NfgenError, match="generated holds NaN or infinite coordinates, first in cloud 2"):
        evaluate_clouds(broken, good)
