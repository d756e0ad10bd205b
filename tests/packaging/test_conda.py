"""The conda recipe says what pyproject.toml says: version, requirements, command, licence."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import nfgen
from nfgen.cli.main import main

ROOT = Path(__file__).parents[2]
FILE = ROOT / "packaging" / "conda" / "recipe.yaml"
if not FILE.is_file():
    pytest.skip("the recipe is not here", allow_module_level=True)

RECIPE = yaml.safe_load(FILE.read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OTHER_NAMES = {"torch": "pytorch", "libigl": "igl", "mapbox-earcut": "mapbox_earcut"}
"""What conda-forge calls differently."""


def test_the_version_is_that_of_the_package() -> None:
    assert RECIPE["context"]["version"] == nfgen.__version__
    assert RECIPE["package"] == {"name": PROJECT["name"], "version": "${{ version }}"}


def test_it_requires_what_the_package_requires() -> None:
    wanted = {"python": ">=${{ python_min }}"}
    for requirement in PROJECT["dependencies"]:
        name, bounds = re.fullmatch(r"([\w-]+)(.*)", requirement).groups()
        wanted[OTHER_NAMES.get(name, name)] = bounds
    assert dict(line.split(" ", 1) for line in RECIPE["requirements"]["run"]) == wanted
    assert f">={RECIPE['context']['python_min']}" == PROJECT["requires-python"]


def test_it_is_built_by_the_backend_of_the_package() -> None:
    assert "hatchling" in RECIPE["requirements"]["host"]
    assert (FILE.parent / RECIPE["source"]["path"] / "pyproject.toml").is_file()


def test_it_has_the_command_and_the_licence() -> None:
    assert RECIPE["build"]["python"]["entry_points"] == [f"{name} = {to}" for name, to in PROJECT["scripts"].items()]
    assert RECIPE["about"]["summary"] == PROJECT["description"]
    assert RECIPE["about"]["license"] == PROJECT["license"]
    assert [RECIPE["about"]["license_file"]] == PROJECT["license-files"]


def test_its_tests_run_commands_that_exist() -> None:
    imports, script = RECIPE["tests"]
    for name in imports["python"]["imports"]:
        __import__(name)
    words = [line.split()[1] for line in script["script"]]
    assert all(word == "--version" or word in main.commands for word in words)
