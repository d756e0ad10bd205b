"""Sections of the page: what each shows of scores, fits, tokens, reconstructions and images."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from nfgen.errors import ArtifactError
from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.fields.spec import FieldSpec
from nfgen.io import artifact, files
from nfgen.metrics import comparison_summary, evaluate_clouds
from nfgen.pipeline.sample_set import Sample, write_list
from nfgen.report import write_report
from nfgen.tokens.token_set import TokenSet
from nfgen.tokens.vocabulary import Vocabulary
from nfgen.viz.contact_sheet import save_png

from .pages import Page, alts, make_fields, make_samples, make_tokens, octahedron


def test_scores_stand_beside_ceiling_and_floor_with_intervals(page: Page, paths: dict[str, Path]) -> None:
    scores = json.loads((paths["samples"] / "evaluation.json").read_text())
    rows = {"cov": 100, "1_nna": 100, "mmd": 100}
    for part in (scores, scores["ceiling"], scores["floor"]["repeated"], scores["floor"]["noise"]):
        for key, factor in rows.items():
            digits = 2 if key == "mmd" else 1
            value, low, high = (f"{factor * part[key][end]:.{digits}f}" for end in ("value", "low", "high"))
            assert re.search(rf"{value}\s+\[{low}, {high}\]", page.words)
    for word in ("protocol nfgen", "seed 0", "16 points", "nfgen train tokens -o run", "6.3"):
        assert word in page.words


def test_scores_without_training_shapes_say_how_to_get_novelty(tmp_path: Path) -> None:
    make_samples(tmp_path / "samples", ("a",))
    rng = np.random.default_rng(0)
    scores = evaluate_clouds(rng.normal(size=(8, 16, 3)), rng.normal(size=(8, 16, 3)))
    files.write_json(tmp_path / "samples" / "evaluation.json", scores)
    assert "nfgen evaluate --train" in Page(write_report([tmp_path / "samples"])).words


def test_what_gives_samples_away_and_copies_are_shown(tmp_path: Path) -> None:
    make_samples(tmp_path / "samples", ("a",))
    rng = np.random.default_rng(0)
    clouds = [rng.normal(size=(12, 16, 3)) for _ in range(3)]
    scores = evaluate_clouds(*clouds[:2], train=clouds[2])
    scores["c2st"] = {"accuracy": {"value": 0.655, "low": 0.6, "high": 0.7}, "real": None}
    files.write_json(tmp_path / "samples" / "evaluation.json", scores)
    save_png(tmp_path / "samples" / "giveaways.png", np.full((16, 32, 3), 200, np.uint8))
    page = Page(write_report([tmp_path / "samples"]))
    assert "65.5 %" in page.words
    assert [alt for alt in alts(page) if "classifier" in alt]
    copying = scores["copying"]["cd"]["generated"]
    assert f"{copying['z_u']:.1f}" in page.words


def test_the_page_says_what_would_make_it_better(tmp_path: Path) -> None:
    make_fields(tmp_path / "fields", ("a", "b", "c"))
    make_tokens(tmp_path / "tokens", ("a", "b", "c"))
    words = Page(write_report([tmp_path / "fields", tmp_path / "tokens"], tmp_path / "page.html")).words
    assert "3 shapes are few" in words


def test_field_sets_side_by_side_show_weights_and_what_lies_between_them(tmp_path: Path) -> None:
    for name in ("conditioned", "unconditioned"):
        make_fields(tmp_path / name, ("a", "b", "c"))
    page = Page(write_report([tmp_path / "conditioned", tmp_path / "unconditioned"], tmp_path / "page.html"))
    assert "Field sets side by side" in page.headings
    labels = [button["data-label"] for button in page.all("button") if "data-model" in button]
    layers = ("w_0", "b_0", "w_1", "b_1")
    for name in ("conditioned", "unconditioned"):
        assert {f"{name}: a", f"{name}: b", f"{name}: halfway between two fields"} <= set(labels)
    for layer in layers:
        # Of two fields in each of the two sets, and once in the part of each set.
        assert len([alt for alt in alts(page) if alt.startswith(f"Heat map of the weights {layer},")]) == 6
        assert len([alt for alt in alts(page) if alt.startswith(f"Heat map of the deltas {layer},")]) == 2


def test_a_fit_is_shown_over_its_steps(tmp_path: Path) -> None:
    fields = make_fields(tmp_path / "fields", ("a", "b", "c"))
    steps = torch.tensor([0, 1, 40])
    stages = torch.stack([octahedron((0.8, 0.8, 0.8)).expand(2, -1), fields.weights[:2], fields.weights[:2]])
    kept = {"steps": steps, "weights": stages, "losses": torch.rand(40, 2)}
    files.write_tensors(tmp_path / "fields" / "snapshots.safetensors", kept)
    page = Page(write_report([tmp_path / "fields"]))
    for id in ("a", "b"):
        assert [alt for alt in alts(page) if alt.startswith(f"{id} after")] == [
            f"{id} after {n} steps" for n in (0, 1, 40)
        ]
    assert any("after each of the steps 0, 1, 40" in alt for alt in alts(page))
    assert any("Loss of a fit" in str(svg["aria-label"]) for svg in page.all("svg"))
    files.write_tensors(tmp_path / "fields" / "snapshots.safetensors", {**kept, "weights": stages[..., :5]})
    with pytest.raises(ArtifactError, match="of other fields"):
        write_report([tmp_path / "fields"])


def test_a_sequence_stands_beside_its_codebook(tmp_path: Path) -> None:
    make_tokens(tmp_path / "tokens", ("a", "b"))
    (tmp_path / "tokens" / "tokenizer").mkdir()
    file = tmp_path / "tokens" / "tokenizer" / "codebook.safetensors"
    files.write_tensors(file, {"vectors": torch.rand(16, 3).half()})
    page = Page(write_report([tmp_path / "tokens"]))
    assert "They begin 0 1 2 3" in re.sub(r"\s+", " ", page.words)
    assert any("16 codes" in alt and "its 3 numbers" in alt for alt in alts(page))
    assert any("The 3 numbers of each token of a," in alt for alt in alts(page))
    files.write_tensors(file, {"vectors": torch.rand(9, 3).half()})
    with pytest.raises(ArtifactError, match="no codebook of 16"):
        write_report([tmp_path / "tokens"])


def test_codes_that_stand_for_no_vector_are_shown_without(tmp_path: Path) -> None:
    """As vq's tokens for the box of a shape, which come behind those of its codebook."""
    none = torch.tensor([-1])
    vocabulary = Vocabulary(length=4, codes=16, ranges=((10, 16), (0, 10), (0, 10), (0, 10)))
    tokens = TokenSet(vocabulary, torch.tensor([[12, 3, 4, 9]]), ("a",), none, none == 0)
    with artifact.writing(tmp_path / "tokens", "tokens") as folder:
        tokens.write(folder)
    (tmp_path / "tokens" / "tokenizer").mkdir()
    file = tmp_path / "tokens" / "tokenizer" / "codebook.safetensors"
    files.write_tensors(file, {"vectors": torch.rand(10, 3).half()})
    assert any("10 codes" in alt for alt in alts(Page(write_report([tmp_path / "tokens"]))))


def test_reconstructions_and_the_command_lines_of_evaluations_are_shown(tmp_path: Path) -> None:
    make_fields(tmp_path / "fields", ("a", "b"))
    make_samples(tmp_path / "samples", ("a",))
    figures = {"cd": 0.0123, "f_score_1": 0.91, "f_score_2": 0.97, "iou": 0.88, "normal_consistency": 0.93}
    pairs = comparison_summary([{**figures, "hausdorff_95": 0.045}, {**figures, "hausdorff_95": None}])
    command = "nfgen evaluate fields --pairs"
    files.write_json(tmp_path / "fields" / "reconstruction.json", {**pairs, "seed": 4, "command": command})
    scores = files.read_json(tmp_path / "samples" / "evaluation.json")
    files.write_json(tmp_path / "samples" / "evaluation.json", {**scores, "command": "nfgen evaluate samples"})
    page = Page(write_report([tmp_path / "samples", tmp_path / "fields"]))
    assert "Reconstruction" in page.headings
    for words in ("1.23", "91", "97", "0.88", "0.93", "0.045", "seed 4", command, "nfgen evaluate samples"):
        assert words in page.words


def test_images_are_shown_as_pictures(tmp_path: Path) -> None:
    spec = FieldSpec(dims=2, frequencies=0, hidden=(4,), activation="relu", output_bias=True)
    rows = torch.cat([torch.eye(2), -torch.eye(2)]).flatten()
    weights = torch.cat([rows, torch.zeros(4), torch.ones(4), torch.tensor([-0.5])])
    FieldSet(spec, weights[None], ("square",), torch.tensor([-1])).save(tmp_path / "fields")
    with artifact.writing(tmp_path / "samples", "samples") as folder:
        Field(spec, weights).save(folder / "s.safetensors")
        picture = np.zeros((16, 16, 3), np.uint8)
        save_png(folder / "s.png", picture)
        save_png(folder / "s.image.png", picture)
        nearest = {"id": "square", "distance": 0.0}
        sample = Sample("s.image.png", "s.safetensors", "s.png", [1], 0, 0, None, False, nearest)
        write_list(folder, [sample], {"frame": None})
    page = Page(write_report([tmp_path / "samples", tmp_path / "fields"]))
    assert not [button for button in page.all("button") if "data-model" in button]
    tiles = [image for image in page.all("img") if "tile" in str(image.get("class"))]
    assert len(tiles) == 2


def test_a_mesh_that_was_deleted_leaves_its_card(tmp_path: Path) -> None:
    make_samples(tmp_path / "samples", ("a", "b"))
    (tmp_path / "samples" / "sample-0000.glb").unlink()
    page = Page(write_report([tmp_path / "samples"]))
    assert len(page.all("article")) == 3
    assert len([button for button in page.all("button") if "data-model" in button]) == 1
