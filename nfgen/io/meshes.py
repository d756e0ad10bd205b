"""Meshes to files, in the formats that other programs read."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nfgen.errors import ConfigError

from . import files

if TYPE_CHECKING:
    import trimesh

FORMATS = ("glb", "obj", "ply", "stl", "off", "3mf")
NEEDED = {"3mf": ("lxml", "networkx")}
"""Packages without which a format cannot be written: those of the extra `formats`."""


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


def write_mesh(mesh: "trimesh.Trimesh", path: str | Path, format: str | None = None) -> None:
    """Write a mesh, whole or not at all, in a format, or that of the path's suffix.

    Raises:
        ConfigError: if the format is unknown, or its packages are missing.
    """
    path = Path(path)
    format = format or path.suffix[1:].lower()
    check_format(format)
    content: Any = mesh.export(file_type=format)
    files.write_atomically(path, content.encode() if isinstance(content, str) else content)
