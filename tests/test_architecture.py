"""Dependencies point one way, floor by floor, without circles; heavy libraries are imported only when needed."""

import ast
import importlib
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import nfgen

PACKAGE = Path(nfgen.__file__).parent
ROOT = PACKAGE.parent
FLOORS = (
    ("errors", "config"),
    ("runtime",),
    ("io",),
    ("shapes", "viz", "metrics"),
    ("fields",),
    ("fitting", "tokens"),
    ("tokenizers", "models"),
    ("pipeline",),
    ("evaluation", "report"),
    ("workflow",),
    ("app", "demo"),
    ("cli", "__main__"),
)
"""From the ground up. `nfgen` itself re-exports lazily, and stands on none."""
TOP_FOLDERS = ("tokenizers", "models", "cli")
"""In a checkout these are links, which rglob does not follow."""


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def floor(module: str) -> int:
    """The floor of a module below `nfgen`."""
    (number,) = (i for i, folders in enumerate(FLOORS) if module.split(".")[1] in folders)
    return number


FILES = {
    module_name(file): file
    for file in (*PACKAGE.rglob("*.py"), *(f for name in TOP_FOLDERS for f in (PACKAGE / name).rglob("*.py")))
}


def imports(module: str) -> set[str]:
    """Modules of nfgen that a module imports, wherever in its file."""
    package = module.split(".") if FILES[module].name == "__init__.py" else module.split(".")[:-1]
    found = set()
    for node in ast.walk(ast.parse(FILES[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *((node.module or "").split(".") if node.module else [])])
            found |= {name if (name := f"{base}.{alias.name}") in FILES else base for alias in node.names}
    return (found & FILES.keys()) - {module, "nfgen"}


IMPORTS = {name: imports(name) for name in sorted(FILES) if name != "nfgen"}


def test_every_floor_is_there() -> None:
    assert {floor(name) for name in IMPORTS} == set(range(len(FLOORS)))


@pytest.mark.parametrize("module", IMPORTS)
def test_no_file_imports_upwards(module: str) -> None:
    above = {name for name in IMPORTS[module] if floor(name) > floor(module)}
    assert not above, f"{module} imports {above}"


def test_folders_of_one_floor_do_not_know_each_other() -> None:
    def folder(name: str) -> str:
        return name.split(".")[1]

    beside = {
        (name, other)
        for name, others in IMPORTS.items()
        for other in others
        if floor(name) == floor(other) and folder(name) != folder(other)
    }
    assert beside == {("nfgen.__main__", "nfgen.cli.main"), ("nfgen.config", "nfgen.errors")}


def test_no_files_import_each_other_in_a_circle() -> None:
    try:
        TopologicalSorter(IMPORTS).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def sentence(file: Path) -> str:
    """The first sentence of a file's docstring."""
    text = " ".join((ast.get_docstring(ast.parse(file.read_text())) or "").split("\n\n")[0].split())
    return text.split(". ")[0].removesuffix(".") + "."


FOLDERS = sorted({file.parent for file in FILES.values() if file.parent != PACKAGE})


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.relative_to(PACKAGE).as_posix())
def test_a_folder_says_what_each_of_its_files_is(folder: Path) -> None:
    """One line a file, the first sentence of its docstring."""
    if not (folder / "README.md").is_file():
        assert not (ROOT / "pyproject.toml").is_file(), f"{folder} has no README.md"
        pytest.skip("a wheel holds no README of its folders")
    wanted = [f"| `{f.name}` | {sentence(f)} |" for f in sorted(folder.glob("*.py")) if f.name != "__init__.py"]
    found = [line for line in (folder / "README.md").read_text().splitlines() if line.startswith("| `")]
    assert sorted(found) == wanted


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_the_command_line_starts_without_heavy_libraries() -> None:
    heavy = "('torch', 'numpy', 'scipy', 'trimesh')"
    assert run(f"import sys, nfgen.cli.main; print([m for m in {heavy} if m in sys.modules])") == "[]"


def test_tokenizing_needs_no_library_of_meshes() -> None:
    """Each worker of a cluster waits for what it imports."""
    heavy = "('trimesh', 'skimage')"
    assert run(f"import sys, nfgen.pipeline.tokenize; print([m for m in {heavy} if m in sys.modules])") == "[]"


@pytest.mark.parametrize("package", ["nfgen", "nfgen.shapes", "nfgen.metrics", "nfgen.evaluation"])
def test_every_public_name_can_be_imported_and_is_typed(package: str) -> None:
    """Those that are imported when first used are listed by a stub, which type checkers and editors read."""
    module = importlib.import_module(package)
    assert module.__all__
    for name in module.__all__:
        assert getattr(module, name) is not None
    stub = ast.parse(Path(str(module.__file__)).with_suffix(".pyi").read_text())
    (listed,) = (
        ast.literal_eval(node.value)
        for node in stub.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__"
    )
    assert sorted(listed) == sorted(module.__all__)


def test_hugging_face_tokenizers_is_not_shadowed() -> None:
    """A package without `__init__.py` yields to a regular one of the same name."""
    assert not (PACKAGE / "tokenizers" / "__init__.py").exists()
