"""Another package's tokenizer and model work like the built-in ones; a broken package harms only itself."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from nfgen.errors import ConfigError
from nfgen.fields.field_set import FieldSet
from nfgen.tokenizers import registry

from ..commands import run as command

EXAMPLE = Path(__file__).parent / "example_plugin"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example package as pip installs it."""
    pytest.importorskip("hatchling", reason="the package's build backend is not installed")
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    done = subprocess.run([*pip, "--target", str(folder), str(EXAMPLE)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_example_is_listed_trains_and_generates(
    installed: Path, tiny_fields: FieldSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(installed))
    listed = json.loads(command("info", "--tokenizers", "--models", "--json").stdout)
    assert listed["tokenizers"]["rounding"]["settings"] == {"codes": 64, "deviations": 3.0}
    assert "at each place" in listed["models"]["independent"]["what"]
    tiny_fields.save(tmp_path / "fields")
    command("tokenize", tmp_path / "fields", "--tokenizer", "rounding", "--codes", 32, "--quiet",
            "-o", tmp_path / "tokens")  # fmt: skip
    report = json.loads((tmp_path / "tokens" / "report.json").read_text())
    assert report["iou_after"]["train"] > 0.95 * report["iou_before"]["train"]
    command("train", tmp_path / "tokens", "--model", "independent", "--steps", 3, "--batch-size", 4, "--quiet",
            "-o", tmp_path / "run")  # fmt: skip
    command("generate", tmp_path / "run", "-n", 2, "--resolution", 16, "--quiet", "-o", tmp_path / "out")
    assert len(json.loads((tmp_path / "out" / "samples.json").read_text())) == 2
    loaded = registry.load(tmp_path / "run" / "tokenizer")
    tokens = loaded.encode(tiny_fields.weights)
    assert torch.equal(loaded.encode(loaded.decode(tokens)), tokens)


BROKEN = {
    "missing": ("no_such_module:Thing", "does not load"),
    "absent": ("json:NoSuchThing", "does not load"),
    "stranger": ("json:JSONDecoder", "is no Tokenizer"),
    "misnamed": ("nfgen.tokenizers.weights.identity:IdentityTokenizer", "has the name 'identity'"),
    "quitter": ("quitter_of_a_test:Thing", "does not load"),
}


def test_a_broken_package_harms_only_itself(
    tiny_fields: FieldSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = tmp_path / "broken-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, (value, _) in BROKEN.items()]
    # It also claims a name that is built in.
    (about / "entry_points.txt").write_text("\n".join(["[nfgen.tokenizers]", *lines, "identity = json:loads", ""]))
    (tmp_path / "quitter_of_a_test.py").write_text("raise SystemExit(3)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    listed = json.loads(command("info", "--tokenizers", "--json").stdout)["tokenizers"]
    for name, (_, reason) in BROKEN.items():
        assert listed[name]["what"].startswith("broken: ")
        assert reason in listed[name]["what"]
        with pytest.raises(ConfigError, match=reason):
            registry.find(name)
    assert "broken" not in listed["identity"]["what"]
    assert registry.find("identity").name == "identity"
    tiny_fields.save(tmp_path / "fields")
    command("tokenize", tmp_path / "fields", "--tokenizer", "identity", "--quiet", "-o", tmp_path / "tokens")
    said = command("tokenize", tmp_path / "fields", "--tokenizer", "missing", "-o", tmp_path / "no", status=2).stderr
    assert len(said.strip().splitlines()) == 2
