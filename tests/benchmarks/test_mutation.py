"""What the mutants of `benchmarks/mutation.py` meet is there."""

import ast
from pathlib import Path

import pytest

import nfgen

PACKAGE = Path(nfgen.__file__).parent
TESTS = Path(__file__).parent.parent
SCRIPT = TESTS.parent / "benchmarks" / "mutation.py"


def constant(name: str) -> list[str]:
    """A list of words in the script, which is not run: it sets the process up for itself."""
    for node in ast.parse(SCRIPT.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return list(ast.literal_eval(node.value))
    raise AssertionError(f"no {name} in {SCRIPT}")


@pytest.mark.skipif(not SCRIPT.is_file(), reason="the source is not here")
def test_its_tests_and_modules_exist() -> None:
    for place in constant("TESTS"):
        path, _, test = place.partition("::")
        assert (TESTS / path).exists(), place
        assert not test or f"def {test}(" in (TESTS / path).read_text(encoding="utf-8"), place
    for module in constant("DECODING"):
        assert (PACKAGE / Path(*module.split("."))).with_suffix(".py").is_file(), module
