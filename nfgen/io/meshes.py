"""Meshes to files, in the formats that other programs read."""

import logging
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ConfigError, NfgenError

from . import files
from .glb import glb
from .mesh_formats import FORMATS

if TYPE_CHECKING:
    import trimesh

Floats = NDArray[np.float64]
NEEDED = {"3mf": ("lxml", "networkx")}
"""Packages without which a format cannot be written: those of the extra `formats`."""
SINGLE = ("glb", "stl")
"""Formats whose vertices are single precision, by their standards."""
FINE = 1e-4  # of the extent: coarser steps of the coordinates can be seen
FAR = 4.0  # extents from the origin, from which on a GLB is moved: single precision then wastes bits on the place
NEAR = 2.0  # extents from the origin, up to which single precision keeps vertices apart that are so in double
DIGITS = 8  # significant ones of the extent that texts keep

Up = Literal["x", "y", "z"]
UPRIGHT: dict[Up, NDArray[np.float64]] = {
    "x": np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]),
    "y": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
    "z": np.eye(3),
}
"""Rotations that take the axis that points up to z, as modellers' importers of glTF and COLLADA have them."""
WITH_NORMALS = ("glb", "obj", "ply")
WITH_TEXTURE = ("glb", "obj")
"""Formats that hold normals of vertices, and texture coordinates here."""
log = logging.getLogger(__name__)


class Unwrapped(NamedTuple):
    """Where the surface lies on a texture: charts, each of which has vertices of its own."""

    vertices: NDArray[np.int64]
    """[u] vertex of the mesh of each vertex of a chart."""
    faces: NDArray[np.int64]
    """[f, 3] the faces by vertices of charts, in the mesh's order."""
    uv: Floats
    """[u, 2] in [0, 1], from the lower left corner."""


class _Surface(NamedTuple):
    """What the writers write."""

    vertices: Floats
    faces: NDArray[np.int64]
    normals: Floats | None
    unwrapped: Unwrapped | None
    compact: bool


def check_format(format: str) -> None:
    """Refuse a format before any work is done.

    Raises:
        ConfigError: if it is unknown, or its packages are missing.
    """
    if format not in FORMATS:
        raise ConfigError(f"there is no mesh format {format!r}", f"known are: {', '.join(FORMATS)}")
    missing = [name for name in NEEDED.get(format, ()) if find_spec(name) is None]
    if missing:
        raise ConfigError(f"the format {format} needs {' and '.join(missing)}", "pip install 'nfgen[formats]'")


def write_mesh(
    mesh: "trimesh.Trimesh",
    path: str | Path,
    *,
    up: Up = "z",
    normals: Floats | None = None,
    unwrapped: Unwrapped | None = None,
    compact: bool = False,
) -> None:
    """Write a mesh, whole or not at all, in the format of the path's suffix.

    A GLB is y-up, as its standard has it. No place is too far away: coordinates of PLY are doubles then, texts get more
    digits, and a GLB is moved to the origin, where a node puts it back.

    Args:
        mesh: its z axis points up.
        up: the axis that shall point up in files of other formats than GLB.
        normals: of the vertices, [v, 3] of unit length; formats that hold none leave them out.
        unwrapped: texture coordinates; formats that hold none leave them out.
        compact: whether normals and texture coordinates of a GLB are small integers.

    Raises:
        ConfigError: if the format is unknown, or its packages are missing.
        NfgenError: if a coordinate is larger than the format can hold.
    """
    path = Path(path)
    format = path.suffix[1:].lower()
    check_format(format)
    vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)
    up = "y" if format == "glb" else up
    vertices = turned_back(vertices, up)
    normals = None if normals is None else turned_back(normals, up)
    _check_precision(vertices, path, format)
    files.write_atomically(path, _WRITERS[format](_Surface(vertices, faces, normals, unwrapped, compact)))


def turned_upright(points: Floats, up: Up) -> Floats:
    """Turn points [n, 3] of a file whose axis `up` points up so that z does. Right stays right for y."""
    return points @ UPRIGHT[up].T


def turned_back(points: Floats, up: Up) -> Floats:
    """Undo `turned_upright`."""
    return points @ UPRIGHT[up]


def _check_precision(vertices: Floats, path: Path, format: str) -> None:
    if format not in SINGLE or not len(vertices):
        return
    farthest, extent = float(np.abs(vertices).max()), float(np.ptp(vertices, axis=0).max())
    if farthest > float(np.finfo(np.float32).max):
        problem = f"{path.name}: coordinates up to {farthest:.3g} are beyond single precision"
        raise NfgenError(problem, "write .obj or .ply")
    step = float(np.spacing(np.float32(farthest)))
    if format == "stl" and step > FINE * extent:
        log.warning(
            "%s: STL holds single precision: here, %.4g from the origin, in steps of %.2g for an extent of %.4g; "
            "write .ply, .obj or .glb",
            path.name, farthest, step, extent,
        )  # fmt: skip


def _as_glb(surface: _Surface) -> bytes:
    vertices, place = surface.vertices, None
    if len(vertices):
        low, high = vertices.min(axis=0), vertices.max(axis=0)
        if _extents_away(vertices) > FAR:
            place = low + (high - low) / 2
            vertices = vertices - place
    if surface.unwrapped is None:
        return glb(vertices, surface.faces, surface.normals, None, place, surface.compact)
    own, faces, uv = surface.unwrapped
    normals = None if surface.normals is None else surface.normals[own]
    return glb(vertices[own], faces, normals, uv * [1, -1] + [0, 1], place, surface.compact)


def _as_ply(surface: _Surface) -> bytes:
    count, normals = len(surface.vertices), surface.normals
    # Assimp's reader of binary PLY ends the process at doubles: they are left to meshes that need them.
    kind, name = ("<f4", "float") if _extents_away(surface.vertices) <= NEAR else ("<f8", "double")
    vertices = np.empty(count, [("place", kind, 3), *([] if normals is None else [("normal", "<f4", 3)])])
    vertices["place"] = surface.vertices
    properties = "".join(f"property {name} {axis}\n" for axis in "xyz")
    if normals is not None:
        vertices["normal"] = normals
        properties += "".join(f"property float n{axis}\n" for axis in "xyz")
    header = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {count}\n{properties}"
        f"element face {len(surface.faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    records = np.empty(len(surface.faces), [("count", "u1"), ("corners", "<i4", 3)])
    records["count"], records["corners"] = 3, surface.faces
    return header.encode() + vertices.tobytes() + records.tobytes()


def _as_obj(surface: _Surface) -> bytes:
    corners = [surface.faces]
    text, form = _lines("v", surface.vertices, _number(surface.vertices)), "%d"
    if surface.unwrapped is not None:
        text += _lines("vt", surface.unwrapped.uv, "%.6f")
        corners.append(surface.unwrapped.faces)
        form += "/%d"
    if surface.normals is not None:
        text += _lines("vn", surface.normals, "%.5f")
        corners.append(surface.faces)
        form += "/%d" if surface.unwrapped is not None else "//%d"
    numbers = np.stack(corners, axis=2) + 1
    return (text + _lines("f", numbers.reshape(len(numbers), -1), form, 3)).encode()


def _as_off(surface: _Surface) -> bytes:
    lines = _lines("", surface.vertices, _number(surface.vertices)) + _lines("3", surface.faces, "%d")
    return f"OFF\n{len(surface.vertices)} {len(surface.faces)} 0\n{lines}".encode()


def _lines(word: str, rows: NDArray[Any], form: str, times: int | None = None) -> str:
    """A line a row: a word and the row's numbers, each (or some together) by a format."""
    line = " ".join([*([word] if word else []), *[form] * (times or rows.shape[1])])
    return f"{line}\n" * len(rows) % tuple(rows.ravel().tolist())


def _extents_away(vertices: Floats) -> float:
    """How many of its extents a mesh reaches from the origin."""
    if not len(vertices):
        return 0.0
    extent = float(np.ptp(vertices, axis=0).max())
    return float(np.abs(vertices).max()) / extent if extent else np.inf


def _number(vertices: Floats) -> str:
    """How texts write numbers: as many digits as make `DIGITS` of the extent, however far away it lies."""
    farthest = float(np.abs(vertices).max(initial=0))
    extent = float(np.ptp(vertices, axis=0).max()) if len(vertices) else 0.0
    away = np.log10(farthest / extent) if extent > 0 else 0.0
    return f"%.{int(np.clip(np.ceil(DIGITS + away), DIGITS, 17))}g"


def _by_trimesh(format: str, surface: _Surface) -> bytes:
    import trimesh

    content: Any = trimesh.Trimesh(surface.vertices, surface.faces, process=False).export(file_type=format)
    return bytes(content)


_WRITERS: dict[str, Callable[[_Surface], bytes]] = {
    "glb": _as_glb,
    "obj": _as_obj,
    "ply": _as_ply,
    "off": _as_off,
    "stl": partial(_by_trimesh, "stl"),
    "3mf": partial(_by_trimesh, "3mf"),
}
