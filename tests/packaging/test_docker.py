"""The Dockerfile fits the package: it copies all that a wheel is built from, and what it names exists."""

import json
import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from nfgen.cli.main import main

from ..commands import run

ROOT = Path(__file__).parents[2]
if not (ROOT / "Dockerfile").is_file():
    pytest.skip("the Dockerfile is not here", allow_module_level=True)

DOCKERFILE = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
STEPS = [tuple(line.split(None, 1)) for line in DOCKERFILE.splitlines() if line and not line.startswith("#")]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ARGUMENTS = dict((text.split("=", 1)) for word, text in STEPS if word == "ARG")
COPIED = {name for word, text in STEPS if word == "COPY" and "--from" not in text for name in text.split()[:-1]}


def test_it_copies_all_that_a_wheel_is_built_from() -> None:
    project, wheel = PROJECT["project"], PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {"pyproject.toml", project["readme"], *project["license-files"], *wheel["only-include"]} == COPIED


def test_what_is_copied_is_not_ignored() -> None:
    """The last rule that fits decides, as Docker has it."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]

    def ignored(name: str) -> bool:
        return [rule for rule in rules if fnmatch(name, rule.lstrip("!"))][-1][0] != "!"

    assert {path.name for path in ROOT.iterdir() if not ignored(path.name)} == COPIED


def test_what_is_installed_exists() -> None:
    assert set(ARGUMENTS["EXTRAS"].split(",")) <= set(PROJECT["project"]["optional-dependencies"])
    pins = set((ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines())
    assert set(re.findall(r"uv==[\d.]+", DOCKERFILE)) <= pins
    assert f">={ARGUMENTS['PYTHON']}" == PROJECT["project"]["requires-python"]


def test_it_starts_the_command() -> None:
    (entry,) = (json.loads(text) for word, text in STEPS if word == "ENTRYPOINT")
    (words,) = (json.loads(text) for word, text in STEPS if word == "CMD")
    assert entry == ["nfgen"]
    assert set(entry) <= set(PROJECT["project"]["scripts"])
    assert "Commands:" in run(*words).output


def test_the_page_about_it_names_its_arguments_and_real_commands() -> None:
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    lines = [line for line in page.splitlines() if line.strip().startswith("docker ")]
    assert {name for line in lines for name in re.findall(r"--build-arg (\w+)=", line)} <= set(ARGUMENTS)
    commands = [re.search(r" nfgen(?::cuda)? (\w+)", line) for line in lines if line.strip().startswith("docker run")]
    assert commands
    assert all(found and found[1] in main.commands for found in commands)
