"""How files are read where they do not say it themselves."""

from dataclasses import dataclass
from typing import Literal

from nfgen.config import Configuration, require

Values = Literal["auto", "occupancy", "sdf", "logits"]
Foreground = Literal["auto", "dark", "bright", "alpha"]
UpChoice = Literal["auto", "y", "z"]
Shell = float | Literal["auto"]
WALL = 0.02  # thickness that `shell: auto` takes: six cells of a surface of 128 cells a side


@dataclass(frozen=True)
class ReadingConfig(Configuration):
    """How files are read where they do not say it themselves."""

    values: Values = "auto"
    """What voxel grids hold: `occupancy` is solid above 0.5, `sdf` below 0, `logits` above 0; `auto` goes by the values
    and refuses grids where it cannot be known."""
    foreground: Foreground = "auto"
    """What of a picture is the shape: what is `dark`, `bright`, or not transparent (`alpha`); `auto` takes `alpha`
    where there is any, else what the border is not."""
    up: UpChoice = "auto"
    """The axis of meshes and voxel grids that points up; `auto` is y in glTF, as its standard has it, else z."""
    shell: Shell = 0.0
    """Thickness of the walls that bodies with holes become, in units of the cube [-1, 1]^3; 0 makes none, `auto` makes
    walls of 0.02 of bodies more than 2 % of whose surface encloses nothing, and would be lost."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.shell, str):
            require(0 <= self.shell <= 0.08, "shell", "must be `auto` or 0 to 0.08", self.shell)


AS_FOUND = ReadingConfig()
