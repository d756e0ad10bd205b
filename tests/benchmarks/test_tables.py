"""No figure of a table in the documentation is copied by hand."""

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "tables.py"

if not SCRIPT.is_file():
    pytest.skip("the benchmarks are not here", allow_module_level=True)


def test_tables_are_as_the_results_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    spec = importlib.util.spec_from_file_location("tables", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    pages = {page: page.read_text() for page in tables.pages()}
    assert sum("<!-- table: " in text for text in pages.values()) >= 2
    for page, text in pages.items():
        assert text == tables.renewed(text), f"{page}: python benchmarks/tables.py writes its tables again"
    changed = pages[tables.ROOT / "README.md"].replace("generated |", "generated | 1", 1)
    assert tables.renewed(changed) == pages[tables.ROOT / "README.md"]
