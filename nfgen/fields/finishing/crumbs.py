"""Without crumbs: small bodies that hang beside a shape, and small cavities within it, are left out of its mesh."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nfgen.metrics.validity import surface_volumes

if TYPE_CHECKING:
    import trimesh


class Cleared(NamedTuple):
    """A mesh without crumbs."""

    mesh: "trimesh.Trimesh"
    dropped: int
    """Number of closed surfaces that were left out: bodies and cavities."""
    share: float
    """What they held, as a share of the volume of all bodies."""


def without_crumbs(mesh: "trimesh.Trimesh", least: float) -> Cleared:
    """Leave out closed surfaces that hold less than a share of the volume of all bodies; the largest one always stays.

    Args:
        mesh: closed, with faces.
        least: share of the volume, in [0, 1].
    """
    import trimesh

    surface, volumes = surface_volumes(mesh)
    sizes = np.abs(volumes)
    total = volumes[volumes > 0].sum()
    kept = sizes >= least * total
    kept[sizes.argmax()] = True
    if kept.all():
        return Cleared(mesh, 0, 0.0)
    used, faces = np.unique(mesh.faces[kept[surface]], return_inverse=True)
    cleared = trimesh.Trimesh(mesh.vertices[used], faces.reshape(-1, 3), process=False)
    return Cleared(cleared, int((~kept).sum()), float(sizes[~kept].sum() / total))
