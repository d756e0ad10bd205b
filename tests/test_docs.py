"""The documentation is true: its commands and code run in their order, its links lead somewhere."""

import contextlib
import gzip
import re
import shlex
import shutil
import struct
import subprocess
import sys
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from click.testing import CliRunner

from nfgen.cli.main import main
from nfgen.fields.field import Field
from nfgen.fields.mlp import ACTIVATIONS, initial_weights
from nfgen.fields.spec import FieldSpec

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))

if not DOCS.is_dir():
    pytest.skip("the documentation is not here", allow_module_level=True)

SMALL = {
    "shapes": "-n 5 --resolution 24",
    "fit": "--steps 40 --points 192 --near 512 --uniform 256 --near-eval 32 --uniform-eval 128 --workers 1",
    "tokenize": "--heldout 0.2",
    "train": "--heldout 0.2 --steps 3 --batch-size 4 --layers 1 --width 16 --heads 1 --sample-every 0",
    "generate": "-n 2 --resolution 12",
    "edit": "-n 2 --resolution 12 --fit-steps 20",
    "evaluate": "--points 32 --no-pictures",
    "export": "--resolution 12",
}
"""What makes every command short; an option given twice counts as it was given last."""

SMALL_VQ = (
    "--max-tokens 11 --levels 8,5 --probes 4 --channels 16 --decoder-blocks 1 --tokenizer-batch-size 4 "
    "--tokenizer-points 64 --tokenizer-steps 100 --tokenizer-width 16"
)
SMALLER_CODE = {
    '"chair", "chairs-py", n=16': '"chair", "chairs-py", n=4, resolution=24',
    '"fields-py")': '"fields-py", config=nfgen.FitConfig(steps=20, points=128), workers=1)',
    "TrainConfig(minutes=1)": "TrainConfig(steps=2, batch_size=2)",
    '"run-py", config': "\"run-py\", model_settings={'layers': 1, 'width': 16, 'heads': 1}, config",
    'run, "out-py", n=4)': 'run, "out-py", n=2, resolution=12)',
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(text: str) -> None:
    result = CliRunner().invoke(main, shlex.split(text)[1:])
    assert result.exit_code == 0, f"{text}\n{result.output}"


def shortened(line: str) -> str:
    """The line of a page with settings that make it quick; `--minutes` and the like stay, and are never reached."""
    name = shlex.split(line)[1]
    line = re.sub(r" --minutes \d+", " --minutes 9" if name == "train" else "", line)
    small = "-n 2" if "--pairs" in line else SMALL.get(name, "")
    if name in ("train", "tokenize") and "--tokenizer vq" in line:
        small += " " + (SMALL_VQ if name == "train" else SMALL_VQ.replace("--tokenizer-", "--"))
    return f"{line} {small} --quiet" if name not in ("info", "completion", "doctor") else line


def run_page(name: str) -> None:
    """Run all blocks of a page in their order: a fence says `console` or `python` if it is to be run."""
    names: dict[str, object] = {}
    for language, block in re.findall(r"^```(console|python)\n(.*?)^```", (DOCS / name).read_text(), re.M | re.S):
        if language == "console":
            for line in block.strip().splitlines():
                command(shortened(line))
            continue
        for text, less in SMALLER_CODE.items():
            block = block.replace(text, less)
        exec(compile(block, name, "exec"), names)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fields, a run and its samples, as an earlier page leaves them."""
    place = tmp_path_factory.mktemp("made")
    with contextlib.chdir(place):
        for line in (
            "nfgen shapes chair -o chairs",
            "nfgen fit chairs -o fields",
            "nfgen train fields --tokenizer identity -o run",
            "nfgen generate run -o out",
        ):
            command(shortened(line))
    return place


@pytest.fixture
def after_a_run(made: Path, folder: Path) -> None:
    shutil.copytree(made, folder, dirs_exist_ok=True)


def test_the_first_page(folder: Path) -> None:
    run_page("index.md")
    assert (folder / "out" / "index.html").is_file()


def test_chairs(folder: Path) -> None:
    run_page("tutorials/chairs.md")
    assert (folder / "out" / "evaluation.json").is_file()


def test_own_meshes(folder: Path) -> None:
    (folder / "my_meshes").mkdir()
    for i in range(21):
        trimesh.creation.box((1, 1 + i / 5, 1 + i / 9)).export(folder / "my_meshes" / f"box-{i:02}.stl")
    run_page("tutorials/own-meshes.md")
    assert len(list((folder / "out").glob("*.stl"))) == 2


def test_mnist(folder: Path) -> None:
    rows, columns = np.mgrid[:28, :28]
    images = np.stack([255 * (abs(rows - 14) + abs(columns - 14) * (1 + i % 3) < 10) for i in range(12)]).astype(
        np.uint8
    )
    head = struct.pack(">IIII", 0x803, len(images), 28, 28)
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + images.tobytes()))
    labels = np.array([7, 1, 3] * 4, np.uint8)
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(
        gzip.compress(struct.pack(">II", 0x801, len(labels)) + labels.tobytes())
    )
    run_page("tutorials/mnist.md")
    assert (folder / "sevens" / "samples.json").is_file()


@pytest.mark.parametrize("page", ["tokenizers.md", "add-a-tokenizer.md", "sharing.md", "editing.md"])
@pytest.mark.usefixtures("after_a_run")
def test_pages_about_a_run(page: str) -> None:
    run_page(page)


@pytest.mark.usefixtures("after_a_run")
def test_exports_and_twenty_lines_of_numpy(folder: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    run_page("exports.md")
    page = (DOCS / "exports.md").read_text()
    block = next(block for block in re.findall(r"```python\n(.*?)```", page, re.S) if "def field" in block)
    assert "torch" not in block
    assert len([line for line in block.splitlines() if line and not line.startswith("import")]) <= 20
    for name in (*ACTIVATIONS, tuple(ACTIVATIONS)[-4:]):
        spec = FieldSpec(activation=name, frequencies=3, output_bias=name != "gelu")
        one = Field(spec, initial_weights(spec, 1, torch.Generator().manual_seed(3))[0])
        one.save(folder / "out" / "sample-0000.safetensors")
        names: dict = {}
        exec(block, names)
        points = torch.rand(100, spec.dims) * 2 - 1
        # The sine's frequency of 30 a layer makes more of every rounding.
        assert names["field"](points.numpy()) == pytest.approx(
            one(points).numpy(), abs=1e-3 if "sine" in name else 1e-5
        )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        path, _, anchor = target.partition("#")
        if "://" in path:
            continue
        file = (page.parent / path) if path else page
        assert file.is_file(), f"{page.name}: {target}"
        if anchor:
            titles = re.findall(r"^#+ (.*)$", file.read_text(), re.M)
            slugs = {re.sub(r"[^\w]+", "-", title.lower()).strip("-") for title in titles}
            assert anchor in slugs, f"{page.name}: {target}"


def test_commands_and_options_that_pages_name_exist() -> None:
    known = {flag for one in main.commands.values() for parameter in one.params for flag in parameter.opts}
    for page in PAGES:
        text = page.read_text()
        for name in re.findall(r"`nfgen ([a-z]+)", text):
            assert name in main.commands, f"{page.name}: nfgen {name}"
        for name, rest in re.findall(r"^(?:    )?nfgen ([a-z]+)(.*)$", text, re.M):
            assert name in main.commands, f"{page.name}: nfgen {name}{rest}"
    assert "--dry-run" in known


@pytest.mark.skipif(find_spec("mkdocstrings") is None, reason="the extra docs is not installed")
@pytest.mark.skipif(not (ROOT / "models").is_dir(), reason="the API pages need the checkout")
@pytest.mark.skipif("tokenizers" in packages_distributions(), reason="mkdocs takes Hugging Face's tokenizers for ours")
def test_the_site_is_built_without_a_warning(folder: Path) -> None:
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--config-file", str(ROOT / "mkdocs.yml")]
    done = subprocess.run([*build, "--site-dir", str(folder / "site")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for page in PAGES:
        assert (folder / "site" / page.relative_to(DOCS).with_suffix("")).exists() or page.stem == "index"
    assert "FieldSpec" in (folder / "site" / "api" / "index.html").read_text()
