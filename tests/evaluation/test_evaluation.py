"""Evaluation of files: sets and pairs, what is written and printed, frames, classifiers, novelty of weights."""

import json
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from nfgen.errors import ConfigError, NfgenError
from nfgen.evaluation import evaluate, evaluate_pairs, pair_lines, score_lines, weight_space
from nfgen.fields.field_set import FieldSet
from nfgen.io import artifact, files
from nfgen.metrics import two_sample
from nfgen.metrics.surfaces import ripple
from nfgen.pipeline.make_shapes import write_shapes
from nfgen.pipeline.sample_set import Sample, write_list
from nfgen.viz.contact_sheet import save_png

from ..commands import run
from ..report.pages import SPEC, octahedron

WIDTHS = ((0.3, 0.6, 0.9), (0.9, 0.4, 0.5), (0.6, 0.9, 0.3))


def boxes(folder: Path, count: int, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for i in range(count):
        trimesh.creation.box(rng.uniform(0.2, 1, 3)).export(folder / f"box-{i}.off")
    return folder


def balls(folder: Path, count: int, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for i in range(count):
        ball = trimesh.creation.icosphere(subdivisions=1)
        ball.apply_scale(rng.uniform(0.5, 1, 3)).export(folder / f"ball-{i}.off")
    return folder


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    for seed, (name, count) in enumerate((("made", 5), ("reference", 6), ("train", 8))):
        boxes(folder / name, count, seed)
    return folder


def test_the_scores_of_files_are_printed_beside_all_that_they_depend_on(sets: Path, tmp_path: Path) -> None:
    arguments = {"train": sets / "train", "points": 64, "emd": 16, "seed": 3}
    scores = evaluate(sets / "made", sets / "reference", out=tmp_path / "out", **arguments)
    assert files.read_json(tmp_path / "out" / "evaluation.json") == scores
    assert scores == evaluate(sets / "made", sets / "reference", **arguments), "same seed, same scores"
    assert (scores["generated"], scores["reference"], scores["points"], scores["seed"]) == (5, 6, 64, 3)
    assert scores["validity"]["valid"] == 1
    text = "\n".join(score_lines(scores))
    for words in ("5 generated against 6 reference", "64 points", "protocol nfgen", "seed 3", "95 % intervals",
                  "real (ceiling)", "one repeated", "noise", "EMD, 16 points", "JSD", "real, unseen", "near copies",
                  "watertight", "median genus 0", "median volume", "one body", "consistent sign"):  # fmt: skip
        assert words in text
    low, high = (100 * scores["cov"][end] for end in ("low", "high"))
    assert f"[{low:.2f}, {high:.2f}]" in text
    plot = ElementTree.parse(tmp_path / "out" / "novelty.svg").getroot()
    dots = [circle for circle in plot.iter() if circle.tag.endswith("circle") and "dot" in circle.get("class", "")]
    assert len(dots) == 5 + 6


def test_pictures_are_judged_and_what_gave_samples_away_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(two_sample, "STEPS", 4)  # how well the network learns is tested elsewhere
    for seed, name in enumerate(("made", "reference")):
        boxes(tmp_path / name, 10, seed)
    shutil.copytree(tmp_path / "made", tmp_path / "train")
    out = tmp_path / "out"
    scores = evaluate(tmp_path / "made", tmp_path / "reference", train=tmp_path / "train", points=512, out=out)
    c2st = scores["c2st"]
    assert (c2st["shapes"], c2st["views"], c2st["pictures_of"]) == ([10, 10], 12, "files")
    for key in ("accuracy", "real"):
        assert c2st[key]["low"] <= c2st[key]["value"] <= c2st[key]["high"]
    assert set(c2st["kid"]) == set(c2st["kid_real"]) == {"value", "low", "high"}
    assert scores["normals"]["ripple"] < 1 > scores["normals"]["ripple_real"], "boxes are flat"
    light_field = scores["light_field"]
    assert light_field["novelty"]["ratio"]["value"] < 0.01, "all samples are copies"
    assert set(light_field["ceiling"]) == {"mmd", "cov", "1_nna", "precision", "recall"}
    for distance in ("cd", "light_field"):
        assert scores["copying"][distance]["generated"]["copies"], distance
        assert scores["copying"][distance]["generated"]["z_u"] < -3
    text = "\n".join(score_lines(scores))
    for words in ("too few to tell [", "C2ST", "real against real", "KID", "ripple of normals", "in one piece",
                  "by light-field distance", "copies"):  # fmt: skip
        assert words in text
    with Image.open(out / "giveaways.png") as sheet:
        assert sheet.width == 3 * 2 * 192
    few = evaluate(tmp_path / "made", tmp_path / "reference", points=32, limit=4)
    assert few["c2st"] is None
    assert "C2ST: too few to tell" in "\n".join(score_lines(few))
    without = evaluate(tmp_path / "made", tmp_path / "reference", points=32, pictures=False)
    assert without["light_field"] is without["c2st"] is without["normals"] is None


def test_fits_stand_for_voxels_in_pictures(tmp_path: Path) -> None:
    fields = make_fields(tmp_path / "fields")
    boxes(tmp_path / "made", 3, 0)
    scores = evaluate(tmp_path / "made", boxes(tmp_path / "real", 4, 1), points=32, fits=tmp_path / "fields")
    assert scores["normals"]["ripple_real"] == pytest.approx(
        float(np.median([ripple(fields[i].mesh(96)) for i in range(len(fields))]))
    )


def test_json_is_all_there_is_on_standard_output_and_the_command_line_is_kept(sets: Path, tmp_path: Path) -> None:
    words = ("evaluate", sets / "made", "--reference", sets / "reference", "--points", 64, "--json", "-o", tmp_path)
    scores = json.loads(run(*words).stdout)
    stored = files.read_json(tmp_path / "evaluation.json")
    assert stored.pop("command") == " ".join(["nfgen", *map(str, words)])
    assert stored == scores
    assert scores["novelty"] is None
    assert "--train" in run(*words[:-3], "--quiet").stdout, "what is missing is said"


def test_every_protocol_can_be_named(sets: Path) -> None:
    words = ("evaluate", sets / "made", "--reference", sets / "reference", "-n", 4, "--no-pictures", "--quiet",
             "--json")  # fmt: skip
    assert json.loads(run(*words, "--protocol", "nef-gpt", "--points", 64).stdout)["protocol"] == "nef-gpt"
    scores = json.loads(run(*words, "--protocol", "hyperdiffusion").stdout)
    assert (scores["protocol"], scores["points"], scores["generated"]) == ("hyperdiffusion", 2048, 4)
    assert "'fid'" in run(*words, "--protocol", "fid", status=2).stderr


def test_what_cannot_be_read_counts_as_empty(sets: Path, tmp_path: Path) -> None:
    made = boxes(tmp_path / "made", 3, 9)
    (made / "words.obj").write_text("These are words and no mesh.\n")
    scores = evaluate(made, sets / "reference", points=32, pictures=False)
    assert scores["generated"] == 3
    assert scores["validity"]["nonempty"] == 0.75


def test_a_classifier_is_trained_on_labelled_shapes_kept_and_taken_again(sets: Path, tmp_path: Path) -> None:
    boxes(tmp_path / "kinds" / "box", 6, 10)
    balls(tmp_path / "kinds" / "ball", 6, 11)
    common = {"points": 48, "train": sets / "train", "pictures": False}
    scores = evaluate(sets / "made", sets / "reference", classifier=tmp_path / "kinds", out=tmp_path / "out", **common)
    about = scores["classifier"]
    assert about["classes"] == ["ball", "box"]
    assert 0 <= about["accuracy"] <= 1
    assert "not FPD on PointNet++" in "\n".join(score_lines(scores))
    kept = tmp_path / "out" / "classifier.safetensors"
    again = evaluate(sets / "made", sets / "reference", classifier=kept, **common)
    assert again["frechet"] == scores["frechet"]
    strange = evaluate(balls(tmp_path / "balls", 5, 12), sets / "reference", classifier=kept, **common)
    assert strange["frechet"]["value"] > 3 * scores["frechet"]["value"], "balls are further from boxes than boxes"
    with pytest.raises(NfgenError, match="two at least"):
        evaluate(sets / "made", sets / "reference", classifier=sets / "train", **common)


def make_fields(folder: Path) -> FieldSet:
    stacked = torch.stack([octahedron(widths) for widths in WIDTHS])
    ids = tuple(f"shape-{i}.obj" for i in range(len(WIDTHS)))
    settings = {"samples": {"normalize": "none"}}
    frames = torch.tensor([[0, 0, 0, 0.95]], dtype=torch.float64).expand(3, -1)  # `none` leaves the margin
    fields = FieldSet(
        SPEC, stacked, ids, torch.full((3,), -1), base=stacked.mean(0), transforms=frames, settings=settings
    )
    fields.save(folder)
    return fields


def make_samples(folder: Path, fields: FieldSet, run: str = "gone") -> None:
    """Copies of the second field, the last of which lost its surface."""
    with artifact.writing(folder, "samples") as path:
        samples = []
        for i in range(3):
            fields[1].save(path / f"{i}.safetensors")
            fields[1].mesh(16).export(path / f"{i}.glb")
            save_png(path / f"{i}.png", np.zeros((4, 4, 3), np.uint8))
            samples.append(Sample(f"{i}.glb", f"{i}.safetensors", f"{i}.png", [1], 0, i, None, False, None))
        samples.append(Sample(None, "0.safetensors", "0.png", [1], 0, 3, None, True, None))
        write_list(path, samples, {"frame": None, "run": run})


def test_copies_are_found_out_by_weights_and_beside_noised_training_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weight_space, "RESOLUTION", 16)
    fields = make_fields(tmp_path / "fields")
    make_samples(tmp_path / "samples", fields)
    train = tmp_path / "train"
    train.mkdir()
    for i, id in enumerate(fields.ids):
        fields[i].mesh(16).export(train / id)
    reference = boxes(tmp_path / "reference", 4, 20)
    scores = evaluate(
        tmp_path / "samples", reference, train=train, fields=tmp_path / "fields", points=64, pictures=False
    )
    assert scores["weights"]["nearest"] == ["shape-1.obj"] * 4
    assert scores["weights"]["median"] == 0
    assert scores["weights"]["share_near_copies"] == 1
    assert scores["validity"]["nonempty"] == 0.75
    assert set(scores["novelty"]["noise"]) == {"0.02", "0.04"}
    text = "\n".join(score_lines(scores))
    assert "weights + 0.02" in text
    assert "nearest in weight space" in text
    assert (tmp_path / "samples" / "evaluation.json").is_file(), "the scores of samples are kept with them"
    with pytest.raises(ConfigError, match="needs the training shapes"):
        evaluate(tmp_path / "samples", reference, fields=tmp_path / "fields")


def test_one_set_of_shapes_is_split_by_what_the_run_learned_from(tmp_path: Path) -> None:
    fields = make_fields(tmp_path / "fields")
    shapes = boxes(tmp_path / "shapes", 9, 3)
    with artifact.writing(tmp_path / "run", "run") as folder:
        artifact.write_config(folder, "run", {"train_ids": [f"box-{i}.off" for i in range(6)]})
    make_samples(tmp_path / "samples", fields, str(tmp_path / "run"))
    one = evaluate(tmp_path / "samples", shapes, train=shapes, points=64, pictures=False)
    for name, ids in (("learned", range(6)), ("unseen", range(6, 9))):
        (tmp_path / name).mkdir()
        for i in ids:
            shutil.copy(shapes / f"box-{i}.off", tmp_path / name)
    two = evaluate(tmp_path / "samples", tmp_path / "unseen", train=tmp_path / "learned", points=64, pictures=False)
    assert one["reference"] == two["reference"] == 3
    assert one["mmd"] == two["mmd"]
    assert one["novelty"] == two["novelty"]
    make_samples(tmp_path / "orphans", fields)
    with pytest.raises(NfgenError, match="learned from 0 shapes"):
        evaluate(tmp_path / "orphans", shapes, train=shapes, points=64, pictures=False)


def test_one_shape_held_out_is_told_with_how_to_have_more(tmp_path: Path) -> None:
    fields = make_fields(tmp_path / "fields")
    shapes = boxes(tmp_path / "shapes", 5, 3)
    (shapes / "broken.obj").write_text("no mesh\n")  # never learned from, but no reference either
    with artifact.writing(tmp_path / "run", "run") as folder:
        artifact.write_config(folder, "run", {"train_ids": [f"box-{i}.off" for i in range(4)]})
    make_samples(tmp_path / "samples", fields, str(tmp_path / "run"))
    with pytest.raises(NfgenError, match="held out one usable shape") as caught:
        evaluate(tmp_path / "samples", shapes, train=shapes, points=64, pictures=False)
    assert "--heldout" in caught.value.remedy
    assert "--reference" in caught.value.remedy
    with pytest.raises(NfgenError, match="reference holds one usable shape"):
        evaluate(tmp_path / "samples", boxes(tmp_path / "reference", 1, 3), points=64, pictures=False)


def test_pairs_of_files_by_hand(tmp_path: Path) -> None:
    for name, factor in (("true", 10.0), ("same", 10.0), ("half", 5.0)):
        folder = tmp_path / name
        folder.mkdir()
        trimesh.creation.box((factor, factor, factor)).export(folder / "cube.off")
    result = evaluate_pairs(tmp_path / "same", tmp_path / "true")
    assert result["iou"]["mean"] == 1
    assert result["f_score_1"]["mean"] > 0.98
    assert result["normal_consistency"]["mean"] > 0.97
    # Cubes of sides 1.9 and 0.95 in the frame of the true one, which leaves a margin: an eighth of the volume.
    half = evaluate_pairs(tmp_path / "half", tmp_path / "true")
    assert half["iou"]["mean"] == pytest.approx(1 / 8, abs=0.01)
    assert half["f_score_2"]["mean"] == 0
    # 5.4 % of a true face lies beyond the circle of 0.475 about the corners of the square that faces it, 0.475 below.
    assert half["hausdorff_95"]["mean"] == pytest.approx(0.475 * 2**0.5, abs=0.01)
    assert half["pairs"][0]["id"] == "cube.off"


def test_pairs_of_fields_are_compared_in_their_frame_and_kept_with_them(tmp_path: Path) -> None:
    fields = make_fields(tmp_path / "fields")
    true = tmp_path / "true"
    true.mkdir()
    for i, id in enumerate(fields.ids[:2]):
        fields.mesh(i, 48).export(true / id)
    (true / "shape-2.obj").write_text("no mesh\n")
    printed = run("evaluate", tmp_path / "fields", "--reference", true, "--pairs", "--quiet").stdout
    for words in ("normals off, median", "thin parts kept", "eikonal error", "2 pairs", "Chamfer distance",
                  "F-score at 1 %", "F-score at 2 %", "IoU", "normal consistency",
                  "Hausdorff 95 %", "skipped shape-2.obj"):  # fmt: skip
        assert words in printed
    stored = files.read_json(tmp_path / "fields" / "reconstruction.json")
    assert stored["iou"]["mean"] > 0.9
    assert stored["normal_angle_median"]["mean"] < 1, "octahedra are flat"
    assert stored["eikonal"]["mean"] == pytest.approx((1 / 6 + 0.3556) / 2, abs=1e-3), (
        "the slope of an octahedron is known"
    )
    assert [pair["id"] for pair in stored["pairs"]] == list(fields.ids[:2])
    assert [entry["id"] for entry in stored["skipped"]] == ["shape-2.obj"]
    assert pair_lines(stored)[0] == "2 pairs, seed 0"


def test_built_in_shapes_are_judged_by_their_exact_normals(tmp_path: Path) -> None:
    write_shapes("chair", tmp_path / "true", n=2, seed=4, resolution=64)
    write_shapes("chair", tmp_path / "coarse", n=2, seed=4, resolution=32)
    itself = evaluate_pairs(tmp_path / "true", tmp_path / "true")
    assert itself["normals_of"] == "exact distances"
    assert 0 < itself["normal_angle_median"]["mean"] < 4, "a mesh of 64 cells is not the true surface"
    assert itself["thin_kept"]["mean"] > 0.99
    assert itself["eikonal"]["mean"] is None, "meshes have no slope"
    coarse = evaluate_pairs(tmp_path / "coarse", tmp_path / "true")
    assert coarse["normal_angle_median"]["mean"] > 1.5 * itself["normal_angle_median"]["mean"]
    for id in ("chair-00000", "chair-00001"):
        (tmp_path / "files").mkdir(exist_ok=True)
        shutil.copy(tmp_path / "true" / f"{id}.obj", tmp_path / "files")
    by_mesh = evaluate_pairs(tmp_path / "true", tmp_path / "files")
    assert by_mesh["normals_of"] == "meshes"
    assert by_mesh["normal_angle_95"]["mean"] < 0.01
    assert "true normals are of the meshes" in pair_lines(by_mesh)


def test_pairs_without_partners_and_options_of_sets_are_refused(sets: Path, tmp_path: Path) -> None:
    fields = make_fields(tmp_path / "fields")
    with pytest.raises(NfgenError, match=fields.ids[0]) as caught:
        evaluate_pairs(tmp_path / "fields", sets / "train")
    assert "box-0.off" in caught.value.remedy
    words = ("evaluate", tmp_path / "fields", "--reference", sets / "train", "--pairs")
    assert "--pairs compares" in run(*words, "--train", sets / "train", status=2).stderr
    assert "--emd has no meaning for pairs" in run(*words, "--emd", 16, status=2).stderr
