"""The notebooks run from an empty folder, cell by cell, and are fit to be read without running them."""

import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LARGEST = 300_000  # bytes: pictures in notebooks are small, or a checkout grows by each run of them
MINUTES = 20  # a cell that takes as long hangs

if not NOTEBOOKS:
    pytest.skip("the notebooks are not here", allow_module_level=True)
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code(path: Path) -> list[dict]:
    """The cells of code of a notebook."""
    return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


@every_notebook
def test_it_runs_from_an_empty_folder(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient = pytest.importorskip("nbclient", reason="the extra notebooks is not installed")
    nbformat = pytest.importorskip("nbformat", reason="the extra notebooks is not installed")
    pytest.importorskip("ipykernel", reason="the extra notebooks is not installed")
    monkeypatch.setenv("NFGEN_TINY", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "jupyter"))
    folder = tmp_path / "empty"
    folder.mkdir()
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=60 * MINUTES, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    begun = []
    client.on_cell_execute = lambda cell, cell_index: begun.append(cell_index)
    try:
        client.execute()
    except nbclient.exceptions.CellExecutionError as error:
        why = f"{error.ename}: {error.evalue}"
        pytest.fail(f"{path.name}, cell {begun[-1]}: {why}\n\n{notebook.cells[begun[-1]].source}\n\n{error.traceback}")


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
