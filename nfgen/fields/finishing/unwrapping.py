"""Texture coordinates by xatlas: the surface cut into charts that lie flat beside each other."""

from typing import TYPE_CHECKING

import numpy as np

from nfgen.errors import ConfigError
from nfgen.io.meshes import WITH_TEXTURE, Unwrapped

if TYPE_CHECKING:
    import trimesh


def check_unwrapping(format: str) -> None:
    """Refuse what cannot be done before any work is.

    Raises:
        ConfigError: the format holds no texture coordinates, or the package is missing.
    """
    from importlib.util import find_spec

    if format not in WITH_TEXTURE:
        raise ConfigError(f"{format} files hold no texture coordinates", f"choose {' or '.join(WITH_TEXTURE)}")
    if find_spec("xatlas") is None:
        raise ConfigError("texture coordinates need the package xatlas", "pip install 'nfgen[uv]'")


def unwrapped(mesh: "trimesh.Trimesh") -> Unwrapped:
    """Texture coordinates of a mesh with faces; the charts do not overlap."""
    import xatlas

    vertices, faces, uv = xatlas.parametrize(np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.uint32))
    return Unwrapped(vertices.astype(np.int64), faces.astype(np.int64), uv.astype(np.float64).clip(0, 1))
