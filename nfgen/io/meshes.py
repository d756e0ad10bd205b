"""Meshes to files, in the formats that other programs read."""

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ConfigError, NfgenError

from . import files
from .mesh_formats import FORMATS

if TYPE_CHECKING:
    import trimesh

NEEDED = {"3mf": ("lxml", "networkx")}
"""Packages without which a format cannot be written: those of the extra `formats`."""
SINGLE = ("glb", "stl")
"""Formats whose vertices are single precision, by their standards."""
FINE = 1e-4  # of the extent: coarser steps of the coordinates can be seen
FAR = 4.0  # extents from the origin, from which on a GLB is moved: single precision then wastes bits on the place
DIGITS = 8  # significant ones of the extent that texts keep

Up = Literal["x", "y", "z"]
UPRIGHT: dict[Up, NDArray[np.float64]] = {
    "x": np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]),
    "y": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
    "z": np.eye(3),
}
"""Rotations that take the axis that points up to z, as modellers' importers of glTF and COLLADA have them."""
Floats = NDArray[np.float64]
log = logging.getLogger(__name__)


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


def write_mesh(mesh: "trimesh.Trimesh", path: str | Path, format: str | None = None, *, up: Up = "z") -> None:
    """Write a mesh, whole or not at all, in a format, or that of the path's suffix.

    A GLB is y-up, as its standard has it. Coordinates are doubles in PLY and in texts; a GLB that lies far from the
    origin is moved there, and a node puts it back.

    Args:
        mesh: its z axis points up.
        up: the axis that shall point up in files of other formats than GLB.

    Raises:
        ConfigError: if the format is unknown, or its packages are missing.
        NfgenError: if a coordinate is larger than the format can hold.
    """
    path = Path(path)
    format = format or path.suffix[1:].lower()
    check_format(format)
    vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)
    vertices = turned_back(vertices, "y" if format == "glb" else up)
    _check_precision(vertices, path, format)
    files.write_atomically(path, _WRITERS[format](vertices, faces))


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


def _as_glb(vertices: Floats, faces: NDArray[np.int64]) -> bytes:
    import trimesh

    center = np.zeros(3)
    if len(vertices):
        low, high = vertices.min(axis=0), vertices.max(axis=0)
        if np.abs(vertices).max() > FAR * (high - low).max():
            center = low + (high - low) / 2

    def place(tree: dict[str, Any]) -> None:
        # Written here, since trimesh leaves out what is near nothing, however small the mesh.
        if center.any():
            next(node for node in tree["nodes"] if "mesh" in node)["translation"] = center.tolist()

    scene = trimesh.Scene(trimesh.Trimesh(vertices - center, faces, process=False))
    content: Any = scene.export(file_type="glb", tree_postprocessor=place)
    return bytes(content)


def _as_ply(vertices: Floats, faces: NDArray[np.int64]) -> bytes:
    header = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {len(vertices)}\nproperty double x\nproperty double y\n"
        f"property double z\nelement face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    records = np.empty(len(faces), [("count", "u1"), ("corners", "<i4", 3)])
    records["count"], records["corners"] = 3, faces
    return header.encode() + vertices.astype("<f8").tobytes() + records.tobytes()


def _as_obj(vertices: Floats, faces: NDArray[np.int64]) -> bytes:
    number = _number(vertices)
    lines = (f"v {number} {number} {number}\n" * len(vertices)) % tuple(vertices.ravel().tolist())
    return (lines + ("f %d %d %d\n" * len(faces)) % tuple((faces + 1).ravel().tolist())).encode()


def _as_off(vertices: Floats, faces: NDArray[np.int64]) -> bytes:
    number = _number(vertices)
    lines = (f"{number} {number} {number}\n" * len(vertices)) % tuple(vertices.ravel().tolist())
    lines += ("3 %d %d %d\n" * len(faces)) % tuple(faces.ravel().tolist())
    return f"OFF\n{len(vertices)} {len(faces)} 0\n{lines}".encode()


def _number(vertices: Floats) -> str:
    """How texts write numbers: as many digits as make `DIGITS` of the extent, however far away it lies."""
    farthest = float(np.abs(vertices).max(initial=0))
    extent = float(np.ptp(vertices, axis=0).max()) if len(vertices) else 0.0
    away = np.log10(farthest / extent) if extent > 0 else 0.0
    return f"%.{int(np.clip(np.ceil(DIGITS + away), DIGITS, 17))}g"


def _exported(format: str) -> Any:
    def write(vertices: Floats, faces: NDArray[np.int64]) -> bytes:
        import trimesh

        content: Any = trimesh.Trimesh(vertices, faces, process=False).export(file_type=format)
        return bytes(content)

    return write


_WRITERS: dict[str, Any] = {
    "glb": _as_glb,
    "obj": _as_obj,
    "ply": _as_ply,
    "off": _as_off,
    "stl": _exported("stl"),
    "3mf": _exported("3mf"),
}
