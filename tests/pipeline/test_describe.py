"""`nfgen info`: what every kind of artifact and file says of itself, as text and as JSON."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from click.testing import CliRunner

from nfgen import __version__
from nfgen.cli.main import main
from nfgen.errors import ArtifactError
from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.fields.spec import FieldSpec
from nfgen.io import artifact, files
from nfgen.io.shipped import here
from nfgen.pipeline.describe import describe, lines
from nfgen.pipeline.sample_set import Sample, write_list
from nfgen.runtime.provenance import made_by
from nfgen.tokens.token_set import TokenSet
from nfgen.tokens.vocabulary import Vocabulary
from nfgen.viz.contact_sheet import save_png

SPEC = FieldSpec(frequencies=0, hidden=(4,))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    report = ({"id": "a", "iou": 0.75}, {"id": "b", "iou": 0.25})
    none = torch.full((2,), -1)
    with made_by(["fit", "my shapes", "-o", "fields"]):
        FieldSet(SPEC, torch.zeros(2, SPEC.size), ("a", "b"), none, report=report).save(folder / "fields")
    tokens = TokenSet(Vocabulary(length=3, codes=5), torch.zeros(2, 3).long(), ("a", "b"), none, none == 0)
    with artifact.writing(folder / "tokens", "tokens") as path:
        tokens.write(path)
    with artifact.writing(folder / "samples", "samples") as path:
        Field(SPEC, torch.zeros(SPEC.size)).save(path / "a.safetensors")
        sample = Sample(None, "a.safetensors", "a.png", [1], 0, 0, None, True, None)
        save_png(path / "a.png", np.zeros((4, 4, 3), np.uint8))
        write_list(path, [sample], {"frame": None})
    score = {"value": 0.6, "low": 0.5, "high": 0.7}
    files.write_json(folder / "samples" / "evaluation.json", {"mmd": score, "cov": score, "1_nna": score})
    (folder / "meshes" / "box").mkdir(parents=True)
    (folder / "meshes" / "ball").mkdir()
    trimesh.creation.box((1, 1, 2)).export(folder / "meshes" / "box" / "box.off")
    for name in ("ball", "globe"):
        trimesh.creation.icosphere(subdivisions=1).export(folder / "meshes" / "ball" / f"{name}.off")
    return folder


EXPECTED = {
    "fields": {"type": "fields", "fields": 2, "weights": SPEC.size, "mean_iou": 0.5},
    "tokens": {"type": "tokens", "fields": 2, "heldout": 0},
    "samples": {"type": "samples", "samples": 1, "empty": 1, "scores": {"mmd": 0.6, "cov": 0.6, "1_nna": 0.6}},
    "samples/a.safetensors": {"type": "field", "weights": SPEC.size},
    "meshes": {"type": "mesh", "shapes": 3, "classes": ["ball", "box"]},
    "meshes/box/box.off": {"type": "mesh", "vertices": 8, "faces": 12, "bodies": 1, "watertight": True},
    ".": {"type": "folder", "holds": {"fields": "fields", "samples": "samples", "tokens": "tokens"}},
}


@pytest.mark.parametrize("name", EXPECTED)
def test_everything_says_what_it_is_how_large_and_what_comes_next(name: str, folder: Path) -> None:
    found = describe(folder / name)
    assert {key: found[key] for key in EXPECTED[name]} == EXPECTED[name]
    assert found["what"]
    assert found["bytes"] > 0
    assert found["next"].startswith("nfgen ")
    assert str(folder / name) in found["next"]
    printed = CliRunner().invoke(main, ["info", str(folder / name), "--json"])
    assert json.loads(printed.stdout) == found
    text = "\n".join(lines(found))
    assert found["what"] in text
    assert "bytes" in text


def test_an_artifact_names_the_version_and_the_command_line_that_made_it(folder: Path) -> None:
    found = describe(folder / "fields")
    assert found["nfgen"] == __version__
    assert found["command"] == "nfgen fit 'my shapes' -o fields"
    assert "command" not in describe(folder / "tokens"), "a program made them"


def test_a_run_says_how_it_is_sampled_where_the_user_does_not() -> None:
    found = describe(here("chairs"))
    assert found["sampling"] == artifact.read_config(here("chairs"), "run")["sampling"]
    assert "require_body" in "\n".join(lines(found))
    assert lines({"none": {}, "known": {"nothing": None}, "some": 1}) == [f"{'some':<20} 1"]


def test_the_tokenizer_that_ships_says_that_a_model_knows_its_tokens() -> None:
    assert describe(here("base-3d"))["model"] == "gpt, which knows its tokens"


def test_what_is_nothing_of_ours_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="does not exist"):
        describe(tmp_path / "nowhere")
    with pytest.raises(ArtifactError, match="is not a folder that nfgen wrote"):
        describe(tmp_path)
