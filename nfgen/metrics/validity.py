"""Is it a solid that could be printed: closed, in one piece, right side out?"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nfgen.errors import NfgenError
from nfgen.metrics.clouds import has_surface

if TYPE_CHECKING:
    import trimesh


@dataclass(frozen=True)
class Validity:
    """What one mesh is."""

    nonempty: bool
    """It has a face of positive area."""
    watertight: bool
    """Every edge has exactly two faces."""
    outward: bool
    """Faces agree on which side is out, and the volume is positive: the field's sign is consistent with itself."""
    bodies: int
    """Separate solids; of an open mesh, separate surfaces."""
    cavities: int
    """Closed surfaces that bound a hollow inside a solid."""
    largest_share: float
    """The largest body's share of all bodies' volume (of an open mesh: of the area)."""
    genus: int | None
    """Handles, summed over all surfaces: a ring has one; None for an open mesh."""
    volume: float | None
    """In cubed units of the coordinates, cavities taken off; None for an open mesh."""

    @property
    def single(self) -> bool:
        """One body, with or without cavities."""
        return self.bodies == 1


def mesh_validity(mesh: "trimesh.Trimesh | None") -> Validity:
    """Examine one mesh; None stands for a field without a surface."""
    if not has_surface(mesh):
        return Validity(False, False, False, 0, 0, 0.0, None, None)
    body, volumes = surface_volumes(mesh)
    share = largest_share(mesh)
    if not mesh.is_watertight:
        return Validity(True, False, False, int(body.max()) + 1, 0, share, None, None)
    total = float(volumes.sum())
    outward = bool(mesh.is_winding_consistent and total > 0)
    solids = _solids(volumes)
    # Vertices at which surfaces touch count for each of them; a face has three edges, each shared with one other.
    corners = np.unique(body[:, None].astype(np.int64) * len(mesh.vertices) + mesh.faces)
    vertices, faces = np.bincount(corners // len(mesh.vertices)), np.bincount(body)
    genus = int(((2 - vertices + faces // 2) // 2).sum())
    return Validity(True, True, outward, len(solids), len(volumes) - len(solids), share, genus, total)


def largest_share(mesh: "trimesh.Trimesh | None") -> float:
    """`mesh_validity(mesh).largest_share`, without looking at anything else; 0 of None."""
    if not has_surface(mesh):
        return 0.0
    body, volumes = surface_volumes(mesh)
    sizes = _solids(volumes) if mesh.is_watertight else np.bincount(body, mesh.area_faces)
    return float(sizes.max() / sizes.sum()) if len(sizes) else 0.0


def surface_volumes(mesh: "trimesh.Trimesh") -> tuple[npt.NDArray[np.integer], npt.NDArray[np.float64]]:
    """The surfaces of a mesh that share no edge, and what each holds.

    Returns:
        The number of the surface that each face belongs to, [faces], and the volumes, [surfaces]: below 0 where a
        surface is inside out, as that of a cavity is; without meaning where it is open.
    """
    import trimesh

    body = trimesh.graph.connected_component_labels(mesh.face_adjacency, node_count=len(mesh.faces))
    corners = np.asarray(mesh.triangles)
    tetrahedra = np.einsum("fc,fc->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
    return body, np.bincount(body, tetrahedra).astype(np.float64, copy=False)


def _solids(volumes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Volumes of bodies, without cavities: of a mesh that is inside out as a whole the bodies are the negative ones."""
    return volumes[volumes > 0] if volumes.sum() > 0 else -volumes[volumes < 0]


def validity_summary(meshes: "Sequence[trimesh.Trimesh | None]") -> dict[str, Any]:
    """Shares and medians over meshes, and every mesh's own figures under `meshes`.

    All shares are of the number of meshes, the empty ones included.

    Raises:
        NfgenError: no meshes.
    """
    return summarise([mesh_validity(mesh) for mesh in meshes])


def summarise(each: Sequence[Validity]) -> dict[str, Any]:
    """`validity_summary` of meshes that have been examined."""
    if not each:
        raise NfgenError("no meshes to examine", "give one mesh at least, None for an empty one")
    filled = [v for v in each if v.nonempty]
    closed = [v for v in each if v.watertight]

    def share(chosen: list[bool]) -> float:
        return sum(chosen) / len(each)

    return {
        "nonempty": share([v.nonempty for v in each]),
        "watertight": share([v.watertight for v in each]),
        "outward": share([v.outward for v in each]),
        "single_body": share([v.single for v in each]),
        "valid": share([v.watertight and v.outward and v.single for v in each]),
        "largest_share": float(np.mean([v.largest_share for v in filled])) if filled else None,
        "median_genus": float(np.median([v.genus for v in closed if v.genus is not None])) if closed else None,
        "median_volume": float(np.median([v.volume for v in closed if v.volume is not None])) if closed else None,
        "meshes": [asdict(v) for v in each],
    }
