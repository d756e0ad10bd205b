"""What the README says is true: its code runs, its commands and files exist."""

import re
from pathlib import Path

import pytest

from nfgen.cli.main import main
from nfgen.fitting.config import FitConfig, PointSamplingConfig

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_python_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(code.strip().splitlines()) < 10
    # The same calls, on fewer and coarser things.
    smaller = {
        '"chair", "shapes", n=64': '"chair", "shapes", n=4, resolution=32',
        '"fields")': '"fields", config=FIT, samples=SAMPLES, workers=1)',
        "minutes=2": "max_tokens=11, probes=4, width=16, channels=16, decoder_blocks=1, steps=200, points=96",
        "minutes=1": "steps=10, batch_size=4",
        '"out", n=16, require_surface=True': '"out", n=3, require_surface=True, resolution=24',
        '"out", "shapes"': '"out", "shapes", points=64, pictures=False',
    }
    for text, less in smaller.items():
        assert text in code
        code = code.replace(text, less, 1)
    settings = {
        "FIT": FitConfig(steps=60, points=256),
        "SAMPLES": PointSamplingConfig(near=768, uniform=256, near_eval=64, uniform_eval=256),
    }
    monkeypatch.chdir(tmp_path)
    exec(code, settings)
    assert "value" in capsys.readouterr().out


def test_every_command_of_the_readme_exists() -> None:
    named = set(
        re.findall(r"nfgen ([a-z]+)\b", "\n".join(re.findall(r"^    nfgen .*|`nfgen [a-z]+", README, re.MULTILINE)))
    )
    assert named <= set(main.commands)
    assert {"fit", "train", "generate", "evaluate", "report"} <= named


def test_every_file_and_target_of_the_readme_exists() -> None:
    for path in re.findall(r"\]\(([\w./-]+)\)", README):
        assert (ROOT / path).is_file(), path
    targets = set(re.findall(r"(?<!nfgen )\bmake (\w+)", README))
    assert targets <= set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    if not (ROOT / "nfgen").is_dir():
        return  # the tests of a wheel, whose source lies elsewhere
    for folder in re.findall(r"^\| `(\w+)/`", README, re.MULTILINE):
        assert (ROOT / folder).is_dir()


@pytest.mark.skipif(not (ROOT / ".ci").is_dir(), reason="the gate needs the checkout")
def test_the_gate_runs_the_readme_s_tests_and_all_other_checks() -> None:
    gate, checks = (ROOT / ".ci" / "run").read_text(), (ROOT / "Makefile").read_text()
    assert "make test" in README
    (all_checks,) = re.findall(r"^check: (.+)$", checks, re.MULTILINE)
    assert {f"make {name}" for name in all_checks.split()} <= set(gate.splitlines())
