"""Numeric code makes each tensor on the device of its inputs, and names no device."""

import ast
import re
from pathlib import Path

import pytest

import nfgen

PACKAGE = Path(nfgen.__file__).parent
FOLDERS = ("fields", "fitting", "tokens", "tokenizers", "models")
TOP_FOLDERS = ("tokenizers", "models", "cli")
"""In a checkout these are links, which rglob does not follow."""
FACTORIES = {"empty", "zeros", "ones", "full", "arange", "tensor", "linspace", "logspace", "eye", "rand", "randn",
             "randint", "randperm", "from_numpy"}  # fmt: skip
ON_THE_CPU = {
    "fields/field_set.py": "field sets are files, mapped to the CPU's memory",
    "fields/symmetry.py": "reorders neurons of field sets by scipy",
    "fields/meshing": "bounds and marching cubes work on the CPU; accelerators take the full grid",
    "fields/spline_layers.py": "fixed layers are made once, then moved",
    "fitting/job.py": "samples of shapes come from numpy",
    "fitting/snapshots.py": "steps of a file",
    "tokens/token_set.py": "token sets are files",
    "tokens/round_trip.py": "counts and indices of a field set",
    "tokenizers/vq/hat_basis.py": "a basis is made once, then moved",
    "tokenizers/vq/tokenizer.py::merit": "a few numbers, at the start of a fit",
    "tokenizers/vq/warps.py::random": "warps are drawn from a generator of the CPU, and moved by their users",
    "tokenizers/vq/tokenizer.py::tensors": "what is written to a file",
    "tokenizers/vq/checkpoint.py": "what is written to a file",
    "tokenizers/weights/chunking.py": "indices, moved when used",
    "tokenizers/weights/codebook.py": "codebooks are learned from a field set, and moved when used",
    "models/diffusion.py::loss": "levels are Python numbers",
    "models/diffusion.py::generate": "levels are Python numbers",
    "models/diffusion.py::shares": "for a buffer, which is moved with its module",
    "models/nn/cpu_attention.py": "for the CPU alone",
    "models/nn/heads.py::digit_rows": "made once, then moved",
    "models/nn/transformer.py::rotary_table": "made once, then moved",
    "tokens/vocabulary.py::allowed": "a mask for the caller to move",
    "models/training/data.py": "batches are chosen on the CPU and then moved",
    "models/generation/generate.py": "labels and empty results, moved by their callers",
    "models/generation/logits.py": "numpy's generators, moved at once",
}
"""Files or functions that work on the CPU, and why."""


def makers(path: Path) -> list[tuple[str, ast.Call]]:
    """Calls of torch's factories without a device, and the functions that they stand in."""
    found: list[tuple[str, ast.Call]] = []

    def visit(node: ast.AST, function: str, excused: bool) -> None:
        if isinstance(node, ast.FunctionDef):
            function = node.name
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            name = called.removeprefix("torch.")
            keywords = {keyword.arg for keyword in node.keywords}
            # Drawn from a generator of the CPU, so that a seed gives the same numbers on any device.
            if called != name and name in FACTORIES and not excused and not keywords & {"device", "generator"}:
                found.append((function, node))
            # Parameters and buffers move with their module; what is moved at once has a device.
            excused = (
                excused or called in ("nn.Parameter", "self.register_buffer") or called.endswith((".to", ".copy_"))
            )
        for child in ast.iter_child_nodes(node):
            visit(child, function, excused)

    visit(ast.parse(path.read_text()), "", False)
    return found


def sources(folder: str) -> list[tuple[str, Path]]:
    """Files of a folder of the package, by their places in it."""
    found = [(path.relative_to(PACKAGE).as_posix(), path) for path in sorted((PACKAGE / folder).rglob("*.py"))]
    assert found, folder
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_tensor_is_made_without_a_device(folder: str) -> None:
    wrong = [
        f"{place}:{call.lineno} {function}: {ast.unparse(call)}"
        for place, path in sources(folder)
        for function, call in makers(path)
        if not any(f"{place}::{function}".startswith(excuse) for excuse in ON_THE_CPU)
    ]
    assert not wrong, "\n".join(wrong)


def test_every_excuse_is_needed() -> None:
    needed = {
        excuse
        for folder in FOLDERS
        for place, path in sources(folder)
        for function, _ in makers(path)
        for excuse in ON_THE_CPU
        if f"{place}::{function}".startswith(excuse)
    }
    assert needed == set(ON_THE_CPU)


def test_one_module_names_devices() -> None:
    named = re.compile(r"torch\.(cuda|mps|xpu)\b|\.cuda\(|[\"'](cpu|cuda|mps|xpu)(:\d)?[\"']|autocast\([\"']")
    wrong = [
        f"{place}:{number} {line.strip()}"
        for folder in ("", *TOP_FOLDERS)
        for place, path in sources(folder)
        if place != "runtime/device.py"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if named.search(line)
    ]
    assert not wrong, "\n".join(wrong)
