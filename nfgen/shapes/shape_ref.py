"""`ShapeRef`: where one shape lies, and how it is loaded."""

from dataclasses import dataclass, field
from pathlib import Path

from nfgen.errors import ShapeError

from .axis_scaling import Warp, WarpedShape
from .base import Kind, Normalize, Shape
from .formats.images import read_idx_images, read_picture
from .formats.meshes import read_mesh
from .formats.voxels import VOXEL_SUFFIXES, open_grids, read_binvox


@dataclass(frozen=True, slots=True)
class ShapeRef:
    """Where one shape lies: small, picklable, nothing read yet."""

    id: str
    """Path below the folder that all sources share, with `#index` for a member of an array."""
    label: str | None
    """Class, from IDX labels, the array's `labels`, or the sub-folder."""
    path: Path
    """The file."""
    dims: int
    """Dimensions of space: 2 or 3."""
    index: int | None = None
    """Which grid or image of the file."""
    kind: Kind = "sdf"
    """What the values of the shape are."""
    normalize: Normalize = "each"
    """How meshes are put into [-1, 1]^3."""
    warp: Warp | None = None
    """How the shape in the file is warped into this one."""
    problem: ShapeError | None = field(default=None, compare=False)
    """Why the file was already found unusable."""

    def load(self) -> Shape:
        """Read the file and give the shape.

        Raises:
            ShapeError: naming the file and why it cannot be used.
        """
        if self.problem is not None:
            raise ShapeError(self.problem.problem, self.problem.remedy)
        try:
            shape = self._load()
            return shape if self.warp is None else WarpedShape(shape, self.warp, self.id)
        except MemoryError as error:
            raise ShapeError(f"{self.id}: does not fit into memory", "make the shape smaller") from error

    def _load(self) -> Shape:
        suffix = self.path.suffix.lower()
        file_id = self.id.split("#")[0]
        if self.dims == 2:
            from .images import ImageShape

            image = read_picture(self.path, self.id) if self.index is None else None
            if image is None:
                image = read_idx_images(self.path, file_id)[self.index] / 255
            return ImageShape(image, id=self.id, label=self.label, kind=self.kind)
        if suffix in VOXEL_SUFFIXES:
            from .voxels import VoxelShape

            if suffix == ".binvox":
                occupancy, world = read_binvox(self.path, self.id)
                return VoxelShape(occupancy, id=self.id, label=self.label, world=world)
            return VoxelShape(open_grids(self.path, file_id)[self.index or 0], id=self.id, label=self.label)
        from .mesh import MeshShape

        mesh = read_mesh(self.path, self.id)
        return MeshShape(mesh.vertices, mesh.faces, id=self.id, label=self.label, normalize=self.normalize)
