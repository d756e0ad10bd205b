"""The examination of a machine, the shell's completion, and what the command line waits for."""

import json
import os
import subprocess
import sys

import pytest
import torch
from click.testing import CliRunner

from nfgen.cli.main import main
from nfgen.pipeline import doctor

LARGE = ("torch", "numpy", "scipy", "trimesh", "skimage", "PIL", "einops")


@pytest.fixture(scope="module")
def found() -> dict:
    return json.loads(CliRunner().invoke(main, ["doctor", "--json"]).stdout)


def test_what_is_found_is_so(found: dict) -> None:
    assert (
        found["versions"]["torch"] == torch.__version__.split("+")[0] or found["versions"]["torch"] == torch.__version__
    )
    assert {"click", "numpy", "safetensors", "trimesh"} <= set(found["versions"])
    assert found["errors"] == []
    assert found["devices"]["found"][0].startswith("cpu")
    assert found["devices"]["auto"] in ("cpu", *found["devices"]["found"])
    assert found["devices"]["why"]
    assert found["threads"]["torch"] == torch.get_num_threads()
    assert 1e8 < found["precision"]["float32_flops"] < 1e15
    assert {"vq", "identity"} <= set(found["components"]["tokenizers"])
    assert all(free > 0 for free in found["disk_free"].values())


def test_the_text_says_the_same(found: dict) -> None:
    text = "\n".join(doctor.lines(found))
    assert f"torch {found['versions']['torch']}" in text
    assert "nfgen can work here" in text


def test_what_is_wrong_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_dependencies", lambda: ["torch", "no-such-package"])
    monkeypatch.setattr(doctor, "LITTLE_DISK", 1e30)
    monkeypatch.setattr(doctor.machine, "processors", lambda: 0)
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 1
    assert "error: no-such-package is not installed" in result.output
    assert "set OMP_NUM_THREADS" in result.output
    assert "are free in the working folder" in result.output
    assert "nfgen can work here" not in result.output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell(shell: str) -> None:
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0, result.output
    assert f"_NFGEN_COMPLETE={shell}_complete" in result.stdout
    assert "start a new shell" in result.stderr


def test_bash_is_told_the_commands_and_options() -> None:
    def completed(words: str, position: int) -> list[str]:
        asked = {"_NFGEN_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(position)}
        code = "from nfgen.cli.main import main; main(prog_name='nfgen')"
        done = subprocess.run(
            [sys.executable, "-c", code], env=os.environ | asked, capture_output=True, text=True, check=True
        )
        return [line.partition(",")[2] for line in done.stdout.splitlines()]

    assert completed("nfgen ge", 1) == ["generate"]
    assert "--temperature" in completed("nfgen generate run --te", 3)


def test_help_waits_for_no_large_library() -> None:
    code = (
        "import sys; from nfgen.cli.main import main; main(['--help'], standalone_mode=False); "
        f"print([name for name in {LARGE} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
