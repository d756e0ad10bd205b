"""Dependencies point one way, floor by floor, and heavy libraries are imported only when they are needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import nfgen

PACKAGE = Path(nfgen.__file__).parent
VERBS = ("nfgen.pipeline", "nfgen.evaluation", "nfgen.demo")
"""What of nfgen/ brings tokenizers and models together; `nfgen` itself re-exports lazily."""


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def floor(module: str) -> int:
    """0 = nouns, 1 = tokenizers and models, 2 = verbs, 3 = command line."""
    if module.startswith(("nfgen.cli", "nfgen.__main__")):
        return 3
    if module.startswith(VERBS):
        return 2
    return 1 if module.startswith(("nfgen.tokenizers", "nfgen.models")) else 0


def imports(path: Path) -> set[str]:
    """Modules of nfgen that a file imports, wherever in the file."""
    package = module_name(path).split(".") if path.name == "__init__.py" else module_name(path).split(".")[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *((node.module or "").split(".") if node.module else [])])
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.split(".")[0] == "nfgen"}


# In a checkout these folders are links, which rglob does not follow.
FILES = sorted(
    {*PACKAGE.rglob("*.py"), *(f for name in ("tokenizers", "models", "cli") for f in (PACKAGE / name).rglob("*.py"))}
)


def test_the_floors_are_all_there() -> None:
    assert {floor(module_name(file)) for file in FILES} == {0, 1, 2, 3}


@pytest.mark.parametrize("file", FILES, ids=module_name)
def test_no_file_imports_upwards(file: Path) -> None:
    own = module_name(file)
    above = {name for name in imports(file) if floor(name) > floor(own)}
    assert not above, f"{own} imports {above}"


@pytest.mark.parametrize(("folder", "other"), [("tokenizers", "models"), ("models", "tokenizers")])
def test_tokenizers_and_models_do_not_know_each_other(folder: str, other: str) -> None:
    for file in (PACKAGE / folder).rglob("*.py"):
        assert not {name for name in imports(file) if name.startswith(f"nfgen.{other}")}, file


def test_the_command_line_starts_without_heavy_libraries() -> None:
    code = "import sys, nfgen.cli.main; print([m for m in ('torch', 'numpy', 'scipy', 'trimesh') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_tokenizing_needs_no_library_of_meshes() -> None:
    """Each worker of a cluster waits for what it imports."""
    code = "import sys, nfgen.pipeline.tokenize; print([m for m in ('trimesh', 'skimage') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_can_be_imported() -> None:
    for name in nfgen._HOMES:
        assert getattr(nfgen, name) is not None


def test_hugging_face_tokenizers_is_not_shadowed() -> None:
    """A package without `__init__.py` yields to a regular one of the same name."""
    assert not (PACKAGE / "tokenizers" / "__init__.py").exists()
