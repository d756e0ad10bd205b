"""A Space in a folder: the run, the code and what it needs; and its way to the Hub."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from nfgen.pipeline.run import Run

from ..commands import run as command
from ..io import stub_hub

pytest.importorskip("gradio", reason="the extra app is not installed")
hub_library = pytest.importorskip("huggingface_hub", reason="the extra hub is not installed")
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture(scope="module")
def space(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("space") / "draw-boxes"
    command("push", run, "--space", "--license", "mit", "-o", out)
    return out


def test_the_head_of_its_readme_is_what_the_hub_asks_for(space: Path) -> None:
    head = yaml.safe_load((space / "README.md").read_text(encoding="utf-8").split("---")[1])
    assert head["title"] == "draw-boxes"
    assert head["sdk"] == "gradio"
    assert (space / head["app_file"]).is_file()
    assert head["license"] == "mit"


def test_it_holds_the_run_and_what_it_needs(space: Path, run: Path) -> None:
    assert Run.load(space / "run").train_ids == Run.load(run).train_ids
    needed = (space / "requirements.txt").read_text().split()
    assert any(line.startswith("gradio") for line in needed)
    assert any(line.startswith("torch") for line in needed)
    assert not any(line.startswith(("ray", "mkdocs", "mypy")) for line in needed)
    places = [str(run.parent), str(space)]
    for file in space.rglob("*"):
        if file.suffix in (".json", ".md", ".txt", ".jsonl"):
            assert not any(place in file.read_text(encoding="utf-8") for place in places), file


def test_its_code_is_whole_and_its_own(space: Path) -> None:
    code = "import nfgen, nfgen.app, nfgen.cli.main; print(nfgen.__file__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=space, capture_output=True, text=True, check=True,
                          env={"PYTHONPATH": str(space), "PATH": ""})  # fmt: skip
    assert Path(done.stdout.strip()).parent == space / "nfgen"
    compile((space / "app.py").read_text(), "app.py", "exec")


def test_it_is_pushed_as_a_space(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_library.constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    monkeypatch.setattr(hub_library.constants, "HF_HUB_DISABLE_XET", True)
    with stub_hub.running() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        monkeypatch.setenv("HF_TOKEN", "a-token-of-the-stub")
        said = command("push", run, "owner/draw", "--space", "--private").output
    assert f"{hub.address}/owner/draw/commit/" in said
    assert hub.kind == "spaces"
    assert {"app.py", "requirements.txt", "README.md", "run/model.safetensors", "nfgen/app/page.py"} <= set(hub.files)
    assert not any("__pycache__" in name for name in hub.files)
