"""Mesh files: one reader a format, every one of which says what it cannot read."""

import contextlib
import logging
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nfgen.errors import ShapeError, reason_of

from .dae import read_dae, read_zae
from .file_mesh import Assembly, FileMesh, no_faces
from .gltf import read_gltf
from .limits import check_size, check_xml
from .obj import read_obj
from .off import read_off
from .ply import read_ply
from .stl import read_stl
from .threemf import read_3mf

OF_BYTES: dict[str, Callable[[bytes], FileMesh]] = {
    "dae": read_dae,
    "obj": read_obj,
    "off": read_off,
    "ply": read_ply,
    "stl": read_stl,
}
OF_PATH: dict[str, Callable[[Path], FileMesh]] = {
    "3mf": read_3mf,
    "glb": read_gltf,
    "gltf": read_gltf,  # names other files
    "zae": read_zae,
}
BY_TRIMESH = {"xaml", "3dxml"}  # seldom seen: left to a library
ARCHIVES = {"3mf", "zae", "3dxml"}


def mesh_suffixes() -> frozenset[str]:
    """Give the suffixes (".obj", …) of the mesh formats that are read, with or without their optional packages."""
    return frozenset(f".{name}" for name in OF_BYTES.keys() | OF_PATH.keys() | BY_TRIMESH)


def read_mesh(path: Path, id: str) -> FileMesh:
    """Read the triangles of a file, all parts of a scene in one frame.

    Raises:
        ShapeError: empty, too large, unreadable, less than it claims, without faces, or of a format that needs a
            missing package.
    """
    format = path.suffix.lower().removeprefix(".")
    try:
        check_size(path, format in ARCHIVES)
        with np.errstate(all="ignore"):  # numbers beyond the floats become infinite, which is refused later
            return _read(path, format)
    except ShapeError as error:
        raise ShapeError(f"{id}: {error.problem}", error.remedy) from error
    except ImportError as error:
        # trimesh raises these anew from their text alone, without the name.
        named = re.search(r"(?:pip install |')([\w.-]+)", str(error))
        missing = error.name or (named[1] if named else str(error))
        raise ShapeError(
            f"{id}: reading .{format} needs the Python package {missing}", f"pip install {missing}"
        ) from error
    except OSError as error:
        raise ShapeError(f"{id}: cannot be opened ({error.strerror or error})", "check the file") from error
    except MemoryError:
        raise
    except Exception as error:  # a parser may fail on rubbish in any way whatever; that is the file's fault
        problem = f"{id}: cannot be read as .{format} ({reason_of(error)})"
        raise ShapeError(problem, "check or export the file again") from error


def _read(path: Path, format: str) -> FileMesh:
    if format in OF_BYTES:
        return OF_BYTES[format](path.read_bytes())
    if format in OF_PATH:
        return OF_PATH[format](path)
    return _by_trimesh(path, format)


def _by_trimesh(path: Path, format: str) -> FileMesh:
    import trimesh

    contents = [path.read_bytes()]
    if format in ARCHIVES:
        with zipfile.ZipFile(path) as archive:
            contents = [archive.read(member) for member in archive.infolist()]
    for content in contents:
        if content.lstrip()[:1] in (b"<", b"\xef", b"\xff", b"\xfe"):  # an archive may hold pictures, too
            check_xml(content)
    with path.open("rb") as file, _warnings_as_errors():
        scene = trimesh.load_scene(file, file_type=format, process=False)
    assembly = Assembly()
    for node in scene.graph.nodes_geometry:
        matrix, name = scene.graph[node]
        part: Any = scene.geometry[name]
        if isinstance(part, trimesh.Trimesh) and len(part.faces):
            vertices, faces = np.asarray(part.vertices, np.float64), np.asarray(part.faces, np.int64)
            assembly.add(vertices, faces, np.asarray(matrix)[None])
    mesh = assembly.mesh(None)
    if not len(mesh.faces):
        raise no_faces(0)
    return mesh


class _Refusal(logging.Handler):
    """What trimesh warns of is left out of the mesh: a part of a kind that it does not know."""

    def emit(self, record: logging.LogRecord) -> None:
        raise ShapeError(f"has a part that cannot be read ({record.getMessage()[:120]})", "export it in another format")


@contextlib.contextmanager
def _warnings_as_errors() -> Iterator[None]:
    logger, handler = logging.getLogger("trimesh"), _Refusal(logging.WARNING)
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
