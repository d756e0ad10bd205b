"""`EvaluateConfig`: how generated shapes are scored, and how reconstructions are compared."""

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt

from nfgen.config import Configuration
from nfgen.errors import ConfigError
from nfgen.fields.resolution import RESOLUTION, Resolution
from nfgen.shapes.reading import ReadingConfig

OF_SETS = ("protocol", "points", "emd", "pictures")
OF_PAIRS = ("resolution",)


class EvaluateConfig(Configuration):
    """How shapes are compared."""

    limit: PositiveInt | None = None
    """Number of references, from the first; none = all."""
    seed: NonNegativeInt = 0
    """Of all random numbers."""
    protocol: str = "nfgen"
    """How clouds are scaled and compared: nfgen, hyperdiffusion or nef-gpt. Of sets."""
    points: Annotated[int, Field(ge=16, le=1 << 20)] = 2048
    """Points of each cloud, by area. Of sets."""
    emd: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Points a cloud to score by the exact earth mover's distance, too; 256 are quick; none = do not. Of sets.
    """
    pictures: bool = True
    """Draw all shapes, for C2ST, KID, light-field distance and ripples; takes most of the time. Of sets."""
    resolution: Resolution = RESOLUTION
    """Marching cubes cells along each axis, of fields. Of pairs."""
    device: str = "auto"
    """Device to compute on: auto (the accelerator, if there is one), cpu, cuda, cuda:1, mps, xpu."""
    reading: ReadingConfig = ReadingConfig()
    """How files are read where they do not say it themselves; with pairs of fields as when they were fitted."""

    def require_default(self, names: tuple[str, ...], what: str) -> None:
        """Refuse settings that would be ignored.

        Raises:
            ConfigError: one of the names has another value than its default.
        """
        default = type(self)()
        given = [f"--{name}" for name in names if getattr(self, name) != getattr(default, name)]
        if given:
            raise ConfigError(f"{', '.join(given)} has no meaning for {what}", f"leave {given[0]} out")
