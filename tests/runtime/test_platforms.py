"""What holds on every system: no module of one system alone, no links in what is built, any terminal, any device."""

import ast
import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

import nfgen
from nfgen.cli.main import main
from nfgen.models.generation import logits
from nfgen.models.generation.config import SamplingConfig
from nfgen.models.generation.logits import draw, uniforms
from nfgen.runtime import device

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PACKAGE = Path(nfgen.__file__).parent
TOP_FOLDERS = ("tokenizers", "models", "cli")
ONE_SYSTEM = {"fcntl", "resource", "pwd", "grp", "termios", "msvcrt", "winreg"}


def test_shapes_to_samples_without_what_only_some_systems_have(tmp_path: Path) -> None:
    command = [sys.executable, HERE / "hidden_modules.py", tmp_path]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "out" / "samples.json").exists()


def test_modules_of_one_system_are_imported_where_their_absence_is_expected() -> None:
    files = [*PACKAGE.rglob("*.py"), *(file for name in TOP_FOLDERS for file in (PACKAGE / name).rglob("*.py"))]
    found = []
    for file in files:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        guarded = {id(node) for block in ast.walk(tree) if isinstance(block, ast.Try) for node in block.body}
        for node in ast.walk(tree):
            names = {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
            names |= {node.module or ""} if isinstance(node, ast.ImportFrom) else set()
            if names & ONE_SYSTEM and id(node) not in guarded:
                found.append(f"{file.name}:{node.lineno}")
            if isinstance(node, ast.Attribute) and node.attr in ("sched_getaffinity", "kill", "fork", "getuid"):
                found.append(f"{file.name}:{node.lineno}")
    assert not found


@pytest.mark.parametrize("links_are", ["links", "text"])
def test_a_wheel_holds_the_whole_package_whatever_became_of_the_links(links_are: str, tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="the package's build backend is not installed")
    if not (ROOT / "pyproject.toml").exists() or not (ROOT / "tokenizers").is_dir():
        pytest.skip("the source is not here")
    tree = tmp_path / "tree"
    shutil.copytree(ROOT / "nfgen", tree / "nfgen", symlinks=True)
    for name in TOP_FOLDERS:
        shutil.copytree(ROOT / name, tree / name)
        if links_are == "text":  # as in the ZIP that GitHub offers
            (tree / "nfgen" / name).unlink()
            (tree / "nfgen" / name).write_text(f"../{name}")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree / name)
    build = "import sys; from hatchling import build; build.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, tmp_path / "dist"], cwd=tree, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {"nfgen/py.typed"}
    for folder in ("report/assets", "report/templates", "viz/templates"):
        wanted |= {f"nfgen/{folder}/{file.name}" for file in (tree / "nfgen" / folder).iterdir()}
    for root, below in [("nfgen", "nfgen"), *((name, f"nfgen/{name}") for name in TOP_FOLDERS)]:
        for file in (tree / root).rglob("*.py"):
            wanted.add(f"{below}/{file.relative_to(tree / root).as_posix()}")
    assert not wanted - names
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    # Found is enough: what they need takes seconds to import.
    found = "all(map(importlib.util.find_spec, ('nfgen.models.gpt', 'nfgen.tokenizers.base')))"
    script = f"import importlib.util, nfgen.cli.main; assert {found}; print(nfgen.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
    )
    assert Path(done.stdout.strip()).parent == tmp_path / "site" / "nfgen"


@pytest.mark.parametrize("words", [["--help"], ["generate", "--help"], ["fit", "--help"]])
def test_a_terminal_of_few_letters_gets_utf8(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="cp1252"))
    with pytest.raises(SystemExit) as ended:
        main(words)
    sys.stdout.flush()
    assert ended.value.code == 0
    assert written.getvalue().decode("utf-8")


def test_tokens_are_drawn_alike_on_devices_without_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = torch.randn(5, 40, generator=torch.Generator().manual_seed(0))
    numbers = uniforms(logits.generators(0, range(5)), 3)
    expected = draw(scores, numbers[0], SamplingConfig())
    # The meta device computes nothing, and shows by its name what is asked of it.
    monkeypatch.setattr(device, "WITHOUT_FLOAT64", ("meta",))
    kept = uniforms(logits.generators(0, range(5)), 3, torch.device("meta"))
    assert kept.device.type == "cpu"
    np.testing.assert_array_equal(kept, numbers)
    moved = scores.to("meta")
    monkeypatch.setattr(type(moved), "cpu", lambda tensor: scores if tensor is moved else tensor)
    drawn = draw(moved, kept[0], SamplingConfig())
    assert drawn.device.type == "meta"
    assert torch.equal(draw(scores, kept[0], SamplingConfig()), expected)
