"""Artifacts of each kind, in the folder that one is in: whole ones, and ones to damage."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .walking import Places


@pytest.fixture(scope="session")
def stored_places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    return Places(tmp_path_factory.mktemp("walk"))


@pytest.fixture
def places(stored_places: Places, monkeypatch: pytest.MonkeyPatch) -> Iterator[Places]:
    """Whole artifacts, which no test may change."""
    monkeypatch.chdir(stored_places.folder)
    yield stored_places
    stored_places.clear()


@pytest.fixture
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """Artifacts to damage."""
    monkeypatch.chdir(tmp_path)
    return Places(tmp_path)
