"""How finely surfaces are extracted: bounds of the number of marching cubes cells along each axis, and its default."""

from typing import Annotated

from pydantic import Field

Resolution = Annotated[int, Field(ge=8, le=1024)]
RESOLUTION = 128
"""Shows all that a small field holds."""
