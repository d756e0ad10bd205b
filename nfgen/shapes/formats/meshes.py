"""Mesh files: every format that trimesh reads, checked before and after, scenes flattened with their transforms."""

import contextlib
import io
import logging
import re
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ShapeError

from .limits import check_gltf, check_xml

MAX_MESH_BYTES = 2**30  # of a file, or of an archive unpacked; a text file this long takes minutes to parse
MAX_FACES = 20_000_000  # of a whole scene; a small file can place one mesh any number of times
NO_MESH = {"xyz", "stl_ascii"}  # trimesh lists point clouds and a second name of STL among its mesh loaders
NATIVE = {"ctm", "step", "stp"}  # read by libraries of machine code, which a file may be made to break
MAX_ARCHIVE_BYTES = 2**28  # of all members unpacked: they are held in memory, and parsed to several times as much
MAX_MEMBERS = 10_000
DEFLATE = 1032  # no byte of a zip member unpacks to more (zlib's technical details)
ARCHIVES = {"3mf", "zae", "3dxml"}
XML = ARCHIVES | {"dae", "xaml"}
WITH_MATERIALS = {"obj", "ply", "gltf", "glb"}  # loaders that take skip_materials: textures are nothing to a shape


def mesh_suffixes() -> frozenset[str]:
    """Give the suffixes (".obj", …) of the mesh formats that trimesh knows, with or without their optional packages."""
    from trimesh.exchange.load import mesh_loaders

    return frozenset(f".{name}" for name in mesh_loaders if name not in NO_MESH | NATIVE)


def read_mesh(path: Path, id: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Read vertices [v, 3] and triangles [f, 3] of a file, all parts of a scene in one frame.

    Raises:
        ShapeError: empty, too large, unreadable, of a format that needs a missing package, or without faces.
    """
    import trimesh

    format = path.suffix.lower().removeprefix(".")
    try:
        _check_size(path, format, id)
        options: dict[str, Any] = {"skip_materials": True} if format in WITH_MATERIALS else {}
        with _opened(path, format, id) as file, _quiet():
            # A .gltf names other files; the rest is whole in itself and needs no resolver.
            source = str(path) if format == "gltf" else file
            scene = trimesh.load_scene(source, file_type=format, process=False, **options)
            vertices, faces = _flattened(scene, id)
    except ShapeError:
        raise
    except ImportError as error:
        # trimesh raises these anew from their text alone, without the name.
        named = re.search(r"(?:pip install |')([\w.-]+)", str(error))
        missing = error.name or (named[1] if named else str(error))
        raise ShapeError(
            f"{id}: reading .{format} needs the Python package {missing}", f"pip install {missing}"
        ) from error
    except OSError as error:
        raise ShapeError(f"{id}: cannot be opened ({error.strerror or error})", "check the file") from error
    except Exception as error:  # a parser may fail on rubbish in any way whatever; that is the file's fault
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise ShapeError(f"{id}: cannot be read as .{format} ({reason})", "check or export the file again") from error
    if not len(faces):
        raise ShapeError(f"{id}: holds no faces", "give a triangle mesh; point clouds and curves have no inside")
    return vertices, faces


def _flattened(scene: Any, id: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    import trimesh

    placed = [scene.graph[node] for node in scene.graph.nodes_geometry]
    placed = [(matrix, scene.geometry[name]) for matrix, name in placed]
    placed = [(matrix, part) for matrix, part in placed if isinstance(part, trimesh.Trimesh) and len(part.faces)]
    if sum(len(part.faces) for _, part in placed) > MAX_FACES:
        raise ShapeError(f"{id}: has more than {MAX_FACES:,} faces", "decimate the mesh")
    vertices, faces = [np.zeros((0, 3))], [np.zeros((0, 3), np.int64)]
    start = 0
    for matrix, part in placed:
        corners = np.asarray(part.faces, np.int64)
        if corners.min() < 0 or corners.max() >= len(part.vertices):
            raise ShapeError(f"{id}: a face index is out of range for {len(part.vertices)} vertices", "mend the file")
        mirrored = np.linalg.det(matrix[:3, :3]) < 0
        vertices.append(np.asarray(part.vertices, np.float64) @ matrix[:3, :3].T + matrix[:3, 3])
        faces.append((corners[:, ::-1] if mirrored else corners) + start)
        start += len(part.vertices)
    return np.concatenate(vertices), np.concatenate(faces)


def _check_size(path: Path, format: str, id: str) -> None:
    size = path.stat().st_size
    if not path.is_file():
        raise ShapeError(f"{id}: is not a regular file", "give a mesh file")
    if size == 0:
        raise ShapeError(f"{id}: the file is empty", "check the file")
    if format in ARCHIVES:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
        size = sum(member.file_size for member in members)
        packed = sum(member.compress_size for member in members)
        if len(members) > MAX_MEMBERS or size > min(MAX_ARCHIVE_BYTES, MAX_MESH_BYTES, DEFLATE * packed):
            claimed = f"{len(members):,} members of {size:,} bytes"
            raise ShapeError(
                f"{id}: is too large ({claimed}; the limits are {MAX_MEMBERS:,} and {MAX_ARCHIVE_BYTES:,})",
                "decimate the mesh",
            )
    if size > MAX_MESH_BYTES:
        raise ShapeError(f"{id}: is too large ({size:,} bytes; the limit is {MAX_MESH_BYTES:,})", "decimate the mesh")


@contextlib.contextmanager
def _opened(path: Path, format: str, id: str) -> Iterator[BinaryIO]:
    with path.open("rb") as file:
        if format == "obj":
            yield io.BytesIO(_with_plain_indices(file.read(), id))
            return
        if format == "stl":
            _check_stl(file, path.stat().st_size, id)
        elif format in ("gltf", "glb"):
            check_gltf(path, file, id)
        elif format in XML:
            check_xml(path, format, id)
        file.seek(0)
        yield file


def _with_plain_indices(text: bytes, id: str) -> bytes:
    """Refuse indices of 0, which trimesh takes for 1; count out relative ones, which it counts from the file's end."""
    if re.search(rb"^f[ \t](?:[^\n]*[ \t])?0(?:[/\s]|$)", text, re.MULTILINE):
        raise ShapeError(f"{id}: a face index is 0, but OBJ counts from 1", "add 1 to every index")
    if not re.search(rb"^f[ \t][^\n]*-", text, re.MULTILINE):
        return text
    counts = {b"v": 0, b"vt": 0, b"vn": 0}
    lines = []
    for line in text.splitlines():
        word, *values = line.split() or [b""]
        if word in counts:
            counts[word] += 1
        elif word == b"f":
            line = b" ".join([word, *(_counted_from_one(corner, tuple(counts.values()), id) for corner in values)])
        lines.append(line)
    return b"\n".join(lines)


def _counted_from_one(corner: bytes, counts: tuple[int, ...], id: str) -> bytes:
    indices = []
    for index, count in zip(corner.split(b"/"), counts, strict=False):
        if index.startswith(b"-"):
            plain = count + 1 + int(index)
            if plain < 1:
                raise ShapeError(
                    f"{id}: the face index {int(index)} is out of range after {count} entries", "mend the file"
                )
            index = str(plain).encode()
        indices.append(index)
    return b"/".join(indices)


def _check_stl(file: BinaryIO, size: int, id: str) -> None:
    head = file.read(84)
    if head[:5].lower() == b"solid" or size < 84:
        return  # text, or too short for a header: trimesh says what is wrong with it
    claimed = int.from_bytes(head[80:84], "little")
    if 84 + 50 * claimed != size:
        raise ShapeError(
            f"{id}: the header claims {claimed:,} triangles, the file has {size:,} bytes", "export it again"
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("trimesh")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # NumPy's word for "there is rubbish after the numbers"; going on would use half a mesh.
            warnings.filterwarnings("error", "string or file could not be read", DeprecationWarning)
            yield
    finally:
        logger.setLevel(level)
