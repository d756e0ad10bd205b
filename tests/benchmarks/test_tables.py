"""No figure of a table in the documentation is copied by hand."""

import sys

import pytest

from ..scripts import load_script


def test_tables_are_as_the_results_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    tables = load_script("tables")
    pages = {page: page.read_text() for page in tables.pages()}
    assert sum("<!-- table: " in text for text in pages.values()) >= 2
    for page, text in pages.items():
        assert text == tables.renewed(text), f"{page}: python benchmarks/tables.py writes its tables again"
    changed = pages[tables.ROOT / "README.md"].replace("generated |", "generated | 1", 1)
    assert tables.renewed(changed) == pages[tables.ROOT / "README.md"]
