"""How files are read where they do not say it themselves."""

from typing import Annotated, Literal, Self

from pydantic import Field

from nfgen.config import Configuration

Values = Literal["auto", "occupancy", "sdf", "logits"]
Voxels = Literal["smooth", "stairs"]
Foreground = Literal["auto", "dark", "bright", "alpha"]
UpChoice = Literal["auto", "y", "z"]
Shell = float | Literal["auto"]
WALL = 0.02  # thickness that `shell: auto` takes: six cells of a surface of 128 cells a side


class ReadingConfig(Configuration):
    """How files are read where they do not say it themselves."""

    values: Values = "auto"
    """What voxel grids hold: `occupancy` is solid above 0.5, `sdf` below 0, `logits` above 0; `auto` goes by the values
    and refuses grids where it cannot be known."""
    voxels: Voxels = "smooth"
    """Surface of voxel grids of occupancy: `smooth` goes through the stairs of the voxels, `stairs` keeps them."""
    foreground: Foreground = "auto"
    """What of a picture is the shape: what is `dark`, `bright`, or not transparent (`alpha`); `auto` takes `alpha`
    where there is any, else what the border is not."""
    up: UpChoice = "auto"
    """The axis of meshes and voxel grids that points up; `auto` is y in glTF, as its standard has it, else z."""
    shell: Annotated[float, Field(ge=0, le=0.08)] | Literal["auto"] = 0.0
    """Thickness of the walls that bodies with holes become, in units of the cube [-1, 1]^3; 0 makes none, `auto` makes
    walls of 0.02 of bodies more than 2 % of whose surface encloses nothing, and would be lost."""

    @classmethod
    def stored(cls, settings: object) -> Self:
        """What a field set says of how its shapes were read; one that does not say it kept the stairs of voxels."""
        return cls.from_json({"voxels": "stairs"} | settings if isinstance(settings, dict) else settings)


AS_FOUND = ReadingConfig()
