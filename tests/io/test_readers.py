"""Files of others are read in a few places, which hold the limits; nothing reads them elsewhere."""

import ast
from pathlib import Path

import pytest

import nfgen
from nfgen.io import files

PACKAGE = Path(nfgen.__file__).parent
SOURCES = [
    *PACKAGE.rglob("*.py"),
    *(file for name in ("tokenizers", "models", "cli") for file in (PACKAGE / name).rglob("*.py")),
]
READERS = {
    "Image.open": {"io/pictures.py"},
    "imread": set(),
    "trimesh.load": set(),
    "trimesh.load_mesh": set(),
    "trimesh.load_scene": {"shapes/formats/meshes.py"},
    "json.load": set(),
    "json.loads": {"io/files.py", "cli/config_options.py"},
    "np.load": set(),
    "np.fromfile": set(),
    "torch.load": set(),
    "pickle.load": set(),
    "pickle.loads": set(),
    "yaml.load": set(),
    "eval": set(),
    "exec": set(),
}
"""Calls that read what may come from anybody, and the files that may make them (options are not from files)."""


def calls(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        # json.loads(json.dumps(value)) reads no file.
        if isinstance(node, ast.Call) and not (node.args and ast.unparse(node.args[0]).startswith("json.dumps(")):
            name = ast.unparse(node.func)
            found |= {reader for reader in READERS if name == reader or name.endswith(f".{reader}")}
    return found - ({"eval"} if file.name else set()) | ({"eval"} if _evaluates(file) else set())


def _evaluates(file: Path) -> bool:
    """Whether the built-in is called; `model.eval()` is something else."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "eval"
        for node in ast.walk(tree)
    )


@pytest.mark.parametrize("reader", READERS)
def test_files_of_others_are_read_where_the_limits_are(reader: str) -> None:
    found = {file.relative_to(PACKAGE).as_posix() for file in SOURCES if reader in calls(file)}
    assert found <= READERS[reader]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[NaN]", "NaN is not JSON"),
        (b"[1e999]", "too large a number"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b"[" + b"[]," * 2_000_001 + b"1]", "lists and objects"),
        (b"[" + b"1," * 20_000_001 + b"1]", "values"),
        (b"\xff\xfe\xfd", "codec"),
    ],
)
def test_json_beyond_the_limits_is_one_kind_of_error(content: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        files.parse_json(content)
