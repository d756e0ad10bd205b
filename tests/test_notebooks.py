"""The notebooks run from an empty folder, cell by cell, and are fit to be read without running them."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nfgen.tokenizers import registry

FOLDER = Path(__file__).parent.parent / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LARGEST = 300_000  # bytes: pictures in notebooks are small, or a checkout grows by each run of them

if not NOTEBOOKS:
    pytest.skip("the notebooks are not here", allow_module_level=True)
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code(path: Path) -> list[dict]:
    """The cells of code of a notebook."""
    return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What runs cells in a kernel, here in the process of the tests: libraries are imported already."""
    pytest.importorskip("ipykernel", reason="the extra notebooks is not installed")
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    monkeypatch.setenv("NFGEN_TINY", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # the shell puts its own names there
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(registry, "BUILT_IN", dict(registry.BUILT_IN))  # a notebook adds its tokenizer
    monkeypatch.chdir(tmp_path)
    yield InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    InteractiveShell.clear_instance()


@pytest.mark.filterwarnings("default")  # as in a kernel
@every_notebook
def test_it_runs_from_an_empty_folder(path: Path, shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    for number, cell in enumerate(code(path)):
        source = "".join(cell["source"])
        done = shell.run_cell(source)
        if not done.success:
            error = done.error_before_exec or done.error_in_exec
            pytest.fail(f"{path.name}, cell of code {number}: {type(error).__name__}: {error}\n\n{source}")


@every_notebook
def test_it_installs_nfgen_only_where_it_is_missing(path: Path) -> None:
    first = "".join(code(path)[0]["source"])
    assert first.startswith("import importlib.util\n")
    assert 'find_spec("nfgen") is None' in first
    assert not [cell for cell in code(path)[1:] if re.search(r"^\s*[%!]", "".join(cell["source"]), re.M)]


@every_notebook
def test_it_can_be_read_as_it_is(path: Path) -> None:
    """It is small; what it shows was written without an error, and names no folder of a machine."""
    assert path.stat().st_size < LARGEST
    shown = [output for cell in code(path) for output in cell["outputs"]]
    assert {output["output_type"] for output in shown} <= {"stream", "execute_result", "display_data"}
    assert all(output.get("name") != "stderr" for output in shown)
    text = " ".join("".join(output.get("text", "")) for output in shown)
    assert not re.search(r"/(home|root|tmp|work|Users)/", text)
