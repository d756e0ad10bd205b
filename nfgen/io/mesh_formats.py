"""Names of the mesh formats that are written."""

from typing import Literal, get_args

MeshFormat = Literal["glb", "obj", "ply", "stl", "off", "3mf"]
FORMATS: tuple[MeshFormat, ...] = get_args(MeshFormat)
