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
