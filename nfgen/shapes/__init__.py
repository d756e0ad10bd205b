"""Shapes in: meshes, voxel grids and images, found, checked, put into [-1, 1]^d and sampled.

`find_shapes` lists what lies in files and folders without loading it, `ShapeRef.load` gives one `Shape`, and
`sample_shapes` samples many of them over processes. Shapes made in memory are `MeshShape`, `VoxelShape`, `ImageShape`.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .base import Samples, Shape, Transform
    from .discovery import find_shapes
    from .images import ImageShape
    from .mesh import MeshShape
    from .over_processes import Skipped
    from .sample_many import Sampled, sample_shapes
    from .shape_ref import ShapeRef
    from .voxels import VoxelShape

__all__ = [
    "ImageShape",
    "MeshShape",
    "Sampled",
    "Samples",
    "Shape",
    "ShapeRef",
    "Skipped",
    "Transform",
    "VoxelShape",
    "find_shapes",
    "sample_shapes",
]

# Loaded on first use: scipy, trimesh and libigl cost a second that `nfgen --help` should not pay.
_HOME = {
    "ImageShape": "images",
    "MeshShape": "mesh",
    "Sampled": "sample_many",
    "Samples": "base",
    "Shape": "base",
    "ShapeRef": "shape_ref",
    "Skipped": "over_processes",
    "Transform": "base",
    "VoxelShape": "voxels",
    "find_shapes": "discovery",
    "sample_shapes": "sample_many",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
