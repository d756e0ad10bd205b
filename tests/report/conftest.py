"""Artifacts of every kind, and the page of all of them."""

from pathlib import Path

import pytest

from nfgen.report import write_report

from .pages import Page, make_all


@pytest.fixture(scope="session")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_all(tmp_path_factory.mktemp("artifacts") / "demo")


@pytest.fixture(scope="session")
def page(paths: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(write_report(list(paths.values()), tmp_path_factory.mktemp("page") / "all.html"))
