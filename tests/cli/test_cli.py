"""The command line from end to end, and what it says to mistakes."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from nfgen.cli.main import main
from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet

from ..commands import run

FAST_FIT = ["--steps", "150", "--points", "512", "--near", "1536", "--uniform", "512", "--workers", "1", "--quiet"]
FAST_VQ = ["--max-tokens", "11", "--levels", "8,5", "--probes", "4", "--width", "16", "--channels", "16",
           "--decoder-blocks", "1", "--batch-size", "8", "--points", "128"]  # fmt: skip

SMALL_MODEL = ["--layers", "1", "--width", "32", "--heads", "1"]


@pytest.fixture(scope="module")
def chairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight chairs and the fields fitted to them."""
    folder = tmp_path_factory.mktemp("chairs")
    run("shapes", "chair", "-n", 8, "--resolution", 32, "--quiet", "-o", folder / "shapes")
    run("fit", folder / "shapes", *FAST_FIT, "-o", folder / "fields")
    return folder


def test_from_shapes_to_scores(chairs: Path, tmp_path: Path) -> None:
    assert FieldSet.load(chairs / "fields").base is not None
    tokens = run("tokenize", chairs / "fields", "--tokenizer", "histogram", "--bins", 64, "--heldout", 0.25, "--json",
                 "--quiet", "-o", tmp_path / "tokens")  # fmt: skip
    report = json.loads(tokens.stdout)
    assert report["iou_after"]["heldout"] > 0.8 * report["iou_before"]["heldout"]
    run("train", tmp_path / "tokens", "--steps", 3, "--batch-size", 2, *SMALL_MODEL, "--quiet",
        "-o", tmp_path / "run")  # fmt: skip
    run("generate", tmp_path / "run", "-n", 2, "--resolution", 16, "--quiet", "-o", tmp_path / "out")
    samples = json.loads((tmp_path / "out" / "samples.json").read_text())
    wanted = {"file", "field", "picture", "tokens", "seed", "class", "empty", "nearest"}
    assert len(samples) == 2
    assert all(wanted <= set(sample) for sample in samples)
    for sample in samples:
        assert Field.load(tmp_path / "out" / sample["field"]).spec.size == 3712
        assert sample["empty"] == (sample["file"] is None)
    scores = json.loads(run("evaluate", chairs / "shapes", "--reference", chairs / "shapes", "--points", 64, "--json",
                            "--no-pictures", "--quiet").stdout)  # fmt: skip
    assert {"mmd", "cov", "1_nna", "novelty", "validity", "ceiling", "floor", "protocol", "points"} <= set(scores)
    assert scores["1_nna"]["value"] < 0.5, "every shape's nearest neighbour is its own copy in the other set"


def test_from_fields_to_meshes_by_vq(chairs: Path, tmp_path: Path) -> None:
    run("train", chairs / "fields", "--tokenizer", "vq", *FAST_VQ, "--tokenizer-steps", 150,
        "--tokenizer-batch-size", 8, "--views", 1,
        "--steps", 30, "--batch-size", 4, *SMALL_MODEL, "--sample-every", 20, "--quiet",
        "-o", tmp_path / "run")  # fmt: skip
    assert list((tmp_path / "run" / "pictures").glob("*.png"))
    run("generate", tmp_path / "run", "-n", 2, "--require-surface", "--resolution", 24, "--format", "obj", "--quiet",
        "-o", tmp_path / "out")  # fmt: skip
    assert "nfgen" in (tmp_path / "out" / "index.html").read_text()
    for file in (tmp_path / "out").glob("*.obj"):
        mesh = trimesh.load_mesh(file)
        assert mesh.is_watertight
        assert mesh.volume > 0
    again = run("generate", tmp_path / "run", "-n", 1, "--require-surface", "--resolution", 24, "--format", "obj",
                "--turntable", "gif", "--quiet", "-o", tmp_path / "again")  # fmt: skip
    assert (tmp_path / "again" / "sample-0000.gif").is_file()
    assert "1 sample in" in again.output
    first = [(tmp_path / name / "sample-0000.safetensors").read_bytes() for name in ("out", "again")]
    assert first[0] == first[1], "a sample depends on its seed and index, not on how many are made"
    page = run("report", tmp_path / "out", "--quiet")
    assert "index.html" in page.output
    assert (tmp_path / "out" / "index.html").stat().st_size > 1000
    words = ["generate", str(tmp_path / "run"), "-n", "1", "--quiet", "-o", str(tmp_path / "last")]
    code = f"import sys; from nfgen.cli.main import main; main({words}, standalone_mode=False); "
    unneeded = ("torch._dynamo", "sympy", "vector_quantize_pytorch", "huggingface_hub")
    code += f"print([m for m in {unneeded} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]", "a first mesh waits for libraries that it does not need"


@pytest.mark.filterwarnings("ignore::nfgen.errors.CollapsedCodebookWarning")  # of so short a training
def test_diffusion_writes_different_fields_from_graphs_or_weights(chairs: Path, tmp_path: Path) -> None:
    run("train", chairs / "fields", "--tokenizer", "identity", "--model", "diffusion", "--steps", 3, "--batch-size", 4,
        "--denoise-steps", 5, *SMALL_MODEL, "--quiet", "-o", tmp_path / "run")  # fmt: skip
    for name, count in (("out", 2), ("again", 1)):
        run("generate", tmp_path / "run", "-n", count, "--resolution", 16, "--quiet", "-o", tmp_path / name)
    first, other = (Field.load(tmp_path / "out" / f"sample-000{i}.safetensors").weights for i in (0, 1))
    again = Field.load(tmp_path / "again" / "sample-0000.safetensors").weights
    torch.testing.assert_close(first, again, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(first, other, atol=1e-3)
    run("tokenize", chairs / "fields", "--tokenizer", "graph", *FAST_VQ, "--steps", 60,
        "--learning-rate", 0.004, "--encoder-blocks", 1, "--edge-channels", 4, "--quiet",
        "-o", tmp_path / "tokens")  # fmt: skip
    wrong = run("train", tmp_path / "tokens", "--model", "diffusion", "--quiet", "-o", tmp_path / "no", status=2)
    assert "diffusion model does not support discrete tokens" in wrong.output


def test_a_folder_of_good_and_broken_shapes(tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    trimesh.creation.icosphere(subdivisions=2).export(folder / "ball.obj")
    trimesh.creation.box((1, 2, 1)).export(folder / "box.off")
    occupancy = np.zeros((2, 16, 16, 16), np.uint8)
    occupancy[:, 4:12, 4:12, 2:14] = 1
    np.savez(folder / "grids.npz", voxels=np.packbits(occupancy.reshape(2, -1), axis=1), shape=np.array([16, 16, 16]))
    (folder / "empty.obj").write_bytes(b"")
    (folder / "words.obj").write_text("These are words and no mesh.\n")
    (folder / "nan.off").write_text("OFF\n3 1 0\nnan 0 0\n1 0 0\n0 1 0\n3 0 1 2\n")
    result = run("fit", folder, *FAST_FIT, "-o", tmp_path / "fields")
    report = json.loads((tmp_path / "fields" / "fit_report.json").read_text())
    assert [entry["id"] for entry in report["fields"]] == ["ball.obj", "box.off", "grids.npz#0", "grids.npz#1"]
    assert {entry["id"] for entry in report["skipped"]} == {"empty.obj", "words.obj", "nan.off"}
    assert all(entry["id"] in result.stderr and entry["reason"] in result.stderr for entry in report["skipped"])
    assert all(entry["iou"] > 0.8 for entry in report["fields"])
    run("fit", folder, *FAST_FIT, "--strict", "-o", tmp_path / "strict", status=2)
    assert not (tmp_path / "strict").exists()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["fit", "nowhere", "-o", "OUT"], "nowhere"),
        (["fit", "SHAPES", "--spec", "nonsense", "-o", "OUT"], "no field spec 'nonsense'"),
        (["fit", "SHAPES", "--stepz", "3", "-o", "OUT"], "no option --stepz"),
        (["fit", "SHAPES", "--steps", "-3", "-o", "OUT"], "steps must be greater than 0"),
        (["fit", "SHAPES", "--spec", "talk-2d", "-o", "OUT"], "3-D"),
        (["fit", "SHAPES", "-o", "FIELDS"], "exists already"),
        (["tokenize", "FIELDS", "--tokenizer", "nonsense", "-o", "OUT"], "no tokenizer 'nonsense'"),
        (["tokenize", "FIELDS", "--tokenizer", "histogram", "--bins", "many", "-o", "OUT"], "bins must be"),
        (["tokenize", "SHAPES", "-o", "OUT"], "not fields"),
        (["train", "FIELDS", "--model", "nonsense", "-o", "OUT"], "no model 'nonsense'"),
        (["train", "nowhere", "-o", "OUT"], "does not exist"),
        (["generate", "FIELDS", "-o", "OUT"], "not run"),
        (["evaluate", "nowhere", "--reference", "SHAPES"], "nowhere"),
        (["info", "nowhere"], "does not exist"),
        (["shapes", "spaceship", "-o", "OUT"], "no family"),
    ],
)
def test_a_mistake_is_one_line_of_problem_and_one_of_remedy(
    chairs: Path, tmp_path: Path, words: list[str], problem: str
) -> None:
    places = {"SHAPES": chairs / "shapes", "FIELDS": chairs / "fields", "OUT": tmp_path / "out"}
    result = run(*(places.get(word, word) for word in words), status=2)
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 2
    assert problem in lines[0]
    assert "Traceback" not in result.output
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob("out.*")), "nothing is left behind"


def test_settings_may_stand_before_the_nouns_and_nouns_may_be_many(chairs: Path, tmp_path: Path) -> None:
    first, second, *_ = sorted((chairs / "shapes").glob("*.obj"))
    run("fit", "--steps", 5, first, second, "--near", 64, "--uniform=64", "--workers", 1, "-o", tmp_path / "two")
    assert FieldSet.load(tmp_path / "two").ids == (first.name, second.name)
    assert "requires an argument" in run("fit", first, "-o", tmp_path / "no", "--steps", status=2).stderr
    assert "unexpected extra argument" in run("train", first, second, "-o", tmp_path / "no", status=2).stderr


def test_info_explains_every_artifact_and_file(chairs: Path, tmp_path: Path) -> None:
    assert "chair" in run("info", chairs / "shapes").output
    described = json.loads(run("info", chairs / "fields", "--json").stdout)
    assert described["fields"] == 8
    assert described["weights"] == 3712
    assert described["next"].startswith("nfgen train")
    mesh = next((chairs / "shapes").glob("*.obj"))
    assert json.loads(run("info", mesh, "--json").stdout)["watertight"] is True
    (tmp_path / "meshes" / "mine").mkdir(parents=True)
    shutil.copy(mesh, tmp_path / "meshes" / "mine")
    assert json.loads(run("info", tmp_path / "meshes", "--json").stdout)["shapes"] == 1
    (tmp_path / "nothing").mkdir()
    assert "not a folder that nfgen wrote" in run("info", tmp_path / "nothing", status=2).stderr
    assert set(json.loads(run("info", "--tokenizers", "--json").stdout)["tokenizers"]) >= {
        "identity",
        "histogram",
        "vq",
    }


def test_every_command_has_help_with_two_examples() -> None:
    for name in main.commands:
        text = run(name, "--help").output
        assert text.count("\n  nfgen " + name) == 2, text
