"""Written meshes are opened by other programs: Assimp and, if a Python with its module `bpy` is named, Blender.

Blender's module needs an older NumPy than ours, so it lies in an environment of its own:

    python3.11 -m venv blender && blender/bin/pip install bpy
    BLENDER_PYTHON=$PWD/blender/bin/python python -m pytest tests/io/test_other_programs.py
"""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from nfgen.fields.field_set import FieldSet
from nfgen.io.meshes import WITH_NORMALS
from nfgen.pipeline.finish import finish
from nfgen.pipeline.mesh_config import SurfaceConfig

from ..closed_meshes import WRITABLE

BLENDER = os.environ.get("BLENDER_PYTHON")

ASSIMP_READS = """
import json, sys
import assimp_py, numpy as np
for path in sys.argv[1:]:
    (mesh,) = assimp_py.import_file(path, assimp_py.Process_Triangulate).meshes
    vertices = np.asarray(mesh.vertices).reshape(-1, 3)
    normals = None if mesh.normals is None else np.asarray(mesh.normals).reshape(-1, 3)
    print(json.dumps({
        "extents": np.ptp(vertices, axis=0).tolist(),
        "faces": len(mesh.indices) // 3,
        "shortest normal": None if normals is None else float(np.linalg.norm(normals, axis=1).min()),
        "uv": bool(mesh.texcoords),
    }))
"""

BLENDER_READS = """
import json, sys
import bpy
readers = {"glb": bpy.ops.import_scene.gltf, "obj": bpy.ops.wm.obj_import, "ply": bpy.ops.wm.ply_import,
           "stl": bpy.ops.wm.stl_import}
for path in sys.argv[1:]:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    readers[path[-3:]](filepath=path)
    (thing,) = (thing for thing in bpy.data.objects if thing.type == "MESH")
    print("READ", json.dumps({
        "extents": list(thing.dimensions),
        "faces": len(thing.data.polygons),
        "normals": thing.data.has_custom_normals,
        "uv": bool(thing.data.uv_layers),
    }))
"""


def answers(python: str, code: str, paths: list[Path]) -> list[dict[str, Any]]:
    """What another program says of files, one object a line; a crash of its is not one of the tests."""
    done = subprocess.run([python, "-c", code, *map(str, paths)], capture_output=True, text=True, cwd=paths[0].parent)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line[line.index("{") :]) for line in done.stdout.splitlines() if "{" in line]


def written(field: Any, folder: Path, formats: list[str], **settings: Any) -> tuple[list[Path], Any]:
    """A ball, 1.2 m high, in some formats."""
    config = SurfaceConfig(simplify=600, height="1.2m", **settings)
    paths = [folder / f"ball.{format}" for format in formats]
    for path in paths:
        made = finish(field, field.mesh(32), config, path.suffix[1:])
        made.write(path, None, "z")
    return paths, made.mesh


def check(read: dict[str, Any], path: Path, mesh: Any) -> None:
    extents = mesh.extents / mesh.extents[2] * (1200 if path.suffix in (".stl", ".3mf") else 1.2)
    assert sorted(read["extents"]) == pytest.approx(sorted(extents), rel=1e-4)
    assert read["faces"] == len(mesh.faces)


@pytest.mark.skipif(find_spec("assimp_py") is None, reason="assimp-py is not installed")
def test_assimp_reads_every_format(tiny_fields: FieldSet, tmp_path: Path) -> None:
    paths, mesh = written(tiny_fields[0], tmp_path, WRITABLE)
    for path, read in zip(paths, answers(sys.executable, ASSIMP_READS, paths), strict=True):
        check(read, path, mesh)
        if path.suffix[1:] in WITH_NORMALS:
            assert read["shortest normal"] == pytest.approx(1, abs=1e-4)


@pytest.mark.skipif(BLENDER is None, reason="BLENDER_PYTHON names no Python with the module bpy")
@pytest.mark.parametrize("compact", [False, True])
def test_blender_reads_every_format(tiny_fields: FieldSet, tmp_path: Path, compact: bool) -> None:
    formats = ["glb", "obj", "ply", "stl"]  # the others need add-ons
    paths, mesh = written(tiny_fields[0], tmp_path, formats, compact=compact)
    for path, read in zip(paths, answers(str(BLENDER), BLENDER_READS, paths), strict=True):
        check(read, path, mesh)
        assert read["normals"] == (path.suffix[1:] in WITH_NORMALS)


@pytest.mark.skipif(find_spec("xatlas") is None, reason="the extra uv is not installed")
@pytest.mark.skipif(find_spec("assimp_py") is None, reason="assimp-py is not installed")
def test_assimp_reads_texture_coordinates(tiny_fields: FieldSet, tmp_path: Path) -> None:
    paths, mesh = written(tiny_fields[0], tmp_path, ["glb", "obj"], uv=True)
    for path, read in zip(paths, answers(sys.executable, ASSIMP_READS, paths), strict=True):
        check(read, path, mesh)
        assert read["uv"]
