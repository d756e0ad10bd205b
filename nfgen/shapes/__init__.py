"""Shapes in: meshes, voxel grids and images, found, checked, put into [-1, 1]^d and sampled.

`find_shapes` lists what lies in files and folders without loading it, `ShapeRef.load` gives one `Shape`, and
`sample_shapes` samples many of them over processes. Shapes made in memory are `MeshShape`, `VoxelShape`, `ImageShape`.
Names, which `__init__.pyi` lists, are imported when they are first used: scipy, trimesh and libigl take a second.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
