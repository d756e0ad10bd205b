"""`ShapeRef`: where one shape lies and how it is read, small enough to list a million."""

from dataclasses import dataclass, field
from pathlib import Path

from nfgen.errors import ShapeError
from nfgen.io.meshes import Up, turned_back, turned_upright
from nfgen.shapes.axis_scaling import Warp, WarpedShape
from nfgen.shapes.base import Kind, Normalize, Shape
from nfgen.shapes.formats.images import read_idx_image, read_picture
from nfgen.shapes.formats.meshes import read_mesh
from nfgen.shapes.formats.shape_file import ShapeFile
from nfgen.shapes.formats.volumes import Volume, is_volume, read_volume
from nfgen.shapes.formats.voxels import ARRAY_SUFFIXES, World, open_grids, read_binvox
from nfgen.shapes.reading import AS_FOUND, ReadingConfig


@dataclass(frozen=True, slots=True)
class ShapeRef:
    """Where one shape lies: small, picklable, nothing read yet."""

    id: str
    """Path below the folder that all sources share, with `#index` for a member of an array."""
    label: str | None
    """Class, from IDX labels, the array's `labels`, or the sub-folder."""
    path: Path
    """The file, or the archive that holds it."""
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
    member: str | None = None
    """Name within the archive."""
    reading: ReadingConfig = AS_FOUND
    """How the file is read where it does not say it itself."""
    problem: ShapeError | None = field(default=None, compare=False)
    """Why the file was already found unusable."""

    @property
    def file(self) -> ShapeFile:
        """The file to read."""
        return ShapeFile(self.path, self.member)

    def load(self) -> Shape:
        """Read the file and give the shape.

        Raises:
            ShapeError: naming the file and why it cannot be used.
        """
        if self.problem is not None:
            raise ShapeError(self.problem.problem, self.problem.remedy)
        try:
            shape = self._image() if self.dims == 2 else self._solid()
            return shape if self.warp is None else WarpedShape(shape, self.warp, self.id)
        except MemoryError as error:
            raise ShapeError(f"{self.id}: does not fit into memory", "make the shape smaller") from error

    def _image(self) -> Shape:
        from nfgen.shapes.images import ImageShape

        foreground = self.reading.foreground
        if self.index is None:
            brightness, notes = read_picture(self.file, self.kind, foreground, self.id)
        else:
            brightness, notes = read_idx_image(self.file, self.index, self.kind, foreground, self.id.split("#")[0])
        shape = ImageShape(brightness, id=self.id, label=self.label, kind=self.kind)
        shape.notes = notes
        return shape

    def _solid(self) -> Shape:
        from nfgen.shapes.grid_shapes import voxel_shape

        file, reading = self.file, self.reading
        world: World | None = None
        if file.suffix == ".binvox":
            grid, world = read_binvox(file, self.id)
            volume = Volume(grid)
        elif file.suffix in ARRAY_SUFFIXES:
            volume = Volume(open_grids(file, self.id.split("#")[0], reading.values)[self.index or 0])
        elif is_volume(file.name):
            volume = read_volume(file, reading.values, self.id)
        else:
            return self._mesh()
        return voxel_shape(volume, world, reading, id=self.id, label=self.label)

    def _mesh(self) -> Shape:
        from nfgen.shapes.mesh import MeshShape

        with self.file.on_disk(self.id, neighbours=self.file.suffix == ".gltf") as path:
            mesh = read_mesh(path, self.id)
        vertices = mesh.vertices
        up: Up = mesh.up or "z"
        wanted = self.reading.up
        if wanted != "auto" and wanted != up:
            # The reader went by the file's or the format's word, which the user knows to be wrong.
            vertices, up = turned_upright(turned_back(vertices, up), wanted), wanted
        shape = MeshShape(
            vertices, mesh.faces,
            id=self.id, label=self.label, normalize=self.normalize, shell=self.reading.shell,
        )  # fmt: skip
        shape.transform = shape.transform.of_axis(up)
        shape.about |= {"faces": mesh.polygons, "parts": mesh.parts}
        return shape
