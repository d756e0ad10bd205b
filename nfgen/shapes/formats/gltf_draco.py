"""Draco in glTF (KHR_draco_mesh_compression): packed attributes and triangles of a part, by the library DracoPy."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ShapeError

DRACO = "KHR_draco_mesh_compression"


class Unpacked(NamedTuple):
    """A part as Draco packed it."""

    attributes: dict[str, NDArray[Any]]
    """[v, width] by the attribute's name."""
    faces: NDArray[np.int64]
    """[f, 3]."""


def unpacked(data: bytes, attributes: dict[str, int]) -> Unpacked:
    """Unpack one part.

    Args:
        data: what Draco packed.
        attributes: number in Draco's own list by the attribute's name.

    Raises:
        ShapeError: DracoPy is not installed, the data are damaged, or lack an attribute.
    """
    try:
        import DracoPy
    except ImportError as error:
        problem = f"a part needs the extension {DRACO}, which the Python package DracoPy reads"
        raise ShapeError(problem, "pip install 'nfgen[draco]', or export it without compression") from error
    try:
        mesh = DracoPy.decode(data)
    except Exception as error:
        raise ShapeError(f"a part that {DRACO} packed cannot be unpacked", "export the file again") from error
    by_number = {one["unique_id"]: np.asarray(one["data"]) for one in mesh.attributes}
    missing = [name for name, number in attributes.items() if number not in by_number]
    if missing or not isinstance(mesh, DracoPy.DracoMesh):
        raise ShapeError(f"a part that Draco packed lacks {missing[0] if missing else 'faces'}", "export it again")
    found = {name: by_number[number] for name, number in attributes.items()}
    return Unpacked(
        {name: values.reshape(len(values), -1) for name, values in found.items()},
        np.asarray(mesh.faces, np.int64).reshape(-1, 3),
    )
