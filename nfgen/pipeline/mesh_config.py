"""`SurfaceConfig`: how fields become meshes, whoever writes them."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from nfgen.config import Configuration, require
from nfgen.errors import ConfigError
from nfgen.fields.resolution import RESOLUTION, Resolution
from nfgen.io.lengths import NAMES, UNIT_OF_FORMAT, Length, parse_length
from nfgen.io.mesh_formats import MeshFormat
from nfgen.models.config import Share


class SurfaceConfig(Configuration):
    """How fields become meshes."""

    resolution: Resolution = RESOLUTION
    """Marching cubes cells along each axis."""
    offset: Annotated[float, Field(gt=-1, lt=1)] = 0.0
    """Move surfaces outwards so far, such as 0.006, in units of the cube [-1, 1]^d: thin parts that tokens break hold
    together."""
    crumbs: Share = 0.0
    """Leave out of meshes what holds less than this share of the volume: small bodies beside a shape, such as 0.05, and
    small cavities in it; 0 = nothing. The field keeps them."""
    smooth: Annotated[int, Field(ge=0, le=100)] = 0
    """Rounds of smoothing that keep the size (Taubin); 10 takes away what is uneven from cell to cell, 0 = none."""
    simplify: Annotated[int, Field(ge=4)] | None = None
    """Most faces of a mesh, which stays closed; none = as many as the cells give."""
    height: str | None = None
    """Size along the axis that points up, such as 90cm, 120mm, 0.9m or 35in. Then meshes stand at 0, GLB is in metres,
    STL and 3MF are in millimetres, others in the unit given; none = as in the shapes' files."""
    printable: bool = False
    """For printers, at a height: the largest body alone, walls moved outwards until they are thick enough, and a flat
    base, by the extra `print`."""
    wall: str = "1.2mm"
    """Least thickness of walls that are printable; 1.2mm is three lines of a usual nozzle."""
    uv: bool = False
    """Texture coordinates in GLB and OBJ, by the extra `uv`."""
    compact: bool = False
    """Normals of GLB in a byte an axis, a fifth off the file; Blender and trimesh read them, Assimp does not."""

    RENAMED: ClassVar = {"thicken": "offset"}

    @model_validator(mode="after")
    def _check(self) -> Self:
        wall, height = parse_length(self.wall, "wall"), self.length
        if not self.printable:
            return self
        if height is None:
            raise ConfigError("printable meshes need a height", "add one, such as 120mm")
        require(wall.millimetres < height.millimetres / 4, "wall", f"must be far below {self.height}", self.wall)
        return self

    @property
    def length(self) -> Length | None:
        """The height."""
        return None if self.height is None else parse_length(self.height, "height")

    def size_note(self, format: str) -> str | None:
        """How large meshes of a format are, in words; None where they are as in the shapes' files."""
        height = self.length
        if height is None:
            return None
        unit = UNIT_OF_FORMAT.get(format, height.unit)
        return f"meshes are {self.height} high: {height.in_unit(unit):g} {NAMES[unit]} in {format.upper()}"

    @property
    def wall_share(self) -> float:
        """The least thickness of walls as a share of the height."""
        height = self.length
        assert height is not None, "checked above"
        return parse_length(self.wall, "wall").millimetres / height.millimetres


class MeshingConfig(SurfaceConfig):
    """How samples become meshes."""

    format: MeshFormat = "glb"
    """Of the meshes' files."""

    RENAMED: ClassVar = SurfaceConfig.RENAMED
