"""Looks at held-out shapes are counted by what these hold."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def looks() -> ModuleType:
    if not BENCHMARKS.is_dir():
        pytest.skip("the source is not here")
    spec = importlib.util.spec_from_file_location("reference_looks", BENCHMARKS / "reference_looks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_same_shapes_under_another_name_are_looked_at_again(looks: ModuleType, tmp_path: Path) -> None:
    counted = tmp_path / "looks.json"
    for name in ("a", "b"):
        (tmp_path / name / "chairs").mkdir(parents=True)
        (tmp_path / name / "chairs" / "one.obj").write_text("v 0 0 0")
    assert looks.count_look(tmp_path / "a", "first", counted) == 1
    assert looks.count_look(tmp_path / "b", "second", counted) == 2
    assert looks.count_look(tmp_path / "a" / "chairs" / "one.obj", "as a file", counted) == 3
    (tmp_path / "b" / "chairs" / "one.obj").write_text("v 0 0 1")
    assert looks.count_look(tmp_path / "b", "other shapes", counted) == 1
