"""What a printer needs: one body, walls that are thick enough, and a flat base to stand on."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from nfgen.errors import ConfigError
from nfgen.fields.field import Field
from nfgen.fields.mlp import inside

if TYPE_CHECKING:
    import trimesh

Floats = NDArray[np.float64]
POINTS = 4096  # vertices from which walls are measured
STEPS = 24  # places along a ray through a wall, between which the other side is interpolated
THINNEST = 0.01  # quantile of the walls that is called the thinnest: single vertices at sharp rims measure nothing
NEARLY = 0.97  # of the wanted thickness: closer is below what the grid resolves
ROUNDS, MOST_OFFSET = 4, 0.1  # attempts, and how far out the surface may go, in units of [-1, 1]^3
CUTS = (0.01, 0.02, 0.03, 0.05)  # shares of the height that are cut off the bottom, the first that lets it stand
SIDEWAYS = 0.1  # share of the way from the centre of mass to the base's rim that is kept in reserve


def check_printing() -> None:
    """Refuse what cannot be done before any work is.

    Raises:
        ConfigError: the package that cuts solids is missing.
    """
    from importlib.util import find_spec

    if find_spec("manifold3d") is None:
        raise ConfigError("printable meshes need the package manifold3d", "pip install 'nfgen[print]'")


def largest_body(mesh: "trimesh.Trimesh") -> "tuple[trimesh.Trimesh, int, float]":
    """The body of the most volume with its cavities closed, how many others were dropped, and its share of the volume.

    A cavity cannot be printed hollow: nothing would hold, or let out, what is in it.
    """
    surfaces = list(mesh.split(only_watertight=False))
    volumes = np.array([surface.volume for surface in surfaces])
    largest = int(volumes.argmax())
    share = float(volumes[largest] / volumes[volumes > 0].sum())
    return surfaces[largest], len(surfaces) - 1, share


def thinnest_wall(field: Field, mesh: "trimesh.Trimesh", most: float) -> float:
    """Thickness of the thinnest walls (their lowest hundredth), at most `most`; units of the field's frame.

    It is measured through the field, from vertices inwards along the normal until it is outside again.
    """
    chosen = np.linspace(0, len(mesh.vertices) - 1, min(POINTS, len(mesh.vertices))).astype(int)
    depths = most * np.arange(1, STEPS + 1) / STEPS
    places = mesh.vertices[chosen, None] - mesh.vertex_normals[chosen, None] * depths[:, None]
    points = torch.as_tensor(places.reshape(-1, 3).clip(-1, 1), dtype=torch.float32)
    within = inside(field.spec, field(points)).cpu().numpy().reshape(len(chosen), STEPS)
    through = np.where(within.all(axis=1), STEPS, within.argmin(axis=1))
    return float(np.quantile((through + 0.5) * most / STEPS, THINNEST).clip(max=most))


class Thickened(NamedTuple):
    """A field with thicker walls."""

    field: Field
    mesh: "trimesh.Trimesh"
    offset: float
    """How far the surface went outwards; 0 if nothing was to be done, or can be."""
    before: float
    """The thinnest wall as a share of the height, at most the wanted one."""
    after: float


def thickened(field: Field, mesh: "trimesh.Trimesh", share: float, resolution: int) -> Thickened:
    """Move the surface outwards until the thinnest walls are a share of the height, or as near as may be."""
    offset, moved = 0.0, field
    movable = _with_bias(field)
    before = after = _wall_share(field, mesh, share)
    for _ in range(ROUNDS):
        if after >= NEARLY * share or offset >= MOST_OFFSET:
            break
        offset = min(MOST_OFFSET, offset + (share - after) * _height(mesh) / 2)
        try:
            moved = movable.offset(offset)
        except ConfigError:  # no distances: nothing says how far out is
            return Thickened(field, mesh, 0.0, before, before)
        mesh = moved.mesh(resolution)
        after = _wall_share(moved, mesh, share)
    return Thickened(moved, mesh, offset, before, after)


def _with_bias(field: Field) -> Field:
    """The same field with a bias at its output, which an offset changes."""
    if field.spec.output_bias:
        return field
    return Field(field.spec.replace(output_bias=True), torch.cat([field.weights, field.weights.new_zeros(1)]))


def _wall_share(field: Field, mesh: "trimesh.Trimesh", share: float) -> float:
    body, height = largest_body(mesh)[0], _height(mesh)
    return thinnest_wall(field, body, share * height) / height


def _height(mesh: "trimesh.Trimesh") -> float:
    return float(np.ptp(mesh.vertices[:, 2]))


def cut_flat(mesh: "trimesh.Trimesh") -> "tuple[trimesh.Trimesh, float, bool]":
    """Cut so much off the bottom that a body stands on what is left, or a twentieth of its height.

    Returns:
        The body, the share of its height that was cut off (0 if it is no solid), and whether its centre of mass is well
        above its base.
    """
    import trimesh
    from manifold3d import Manifold, Mesh64

    solid = Manifold(Mesh64(np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.uint64)))
    bottom, height = mesh.bounds[0, 2], _height(mesh)
    cut, off, stands = mesh, 0.0, False
    for share in CUTS:
        level = bottom + share * height
        parts = solid.trim_by_plane((0.0, 0.0, 1.0), level).decompose()
        if not parts:
            break
        off = share
        found = max(parts, key=lambda part: part.volume()).to_mesh64()
        cut = trimesh.Trimesh(found.vert_properties[:, :3], found.tri_verts.astype(np.int64), process=False)
        stands = stands_on(cut, level)
        if stands:
            break
    return cut, off, stands


def stands_on(mesh: "trimesh.Trimesh", level: float) -> bool:
    """Whether the centre of mass is well within the hull of what lies at a level."""
    from scipy.spatial import ConvexHull, QhullError

    base = mesh.vertices[np.abs(mesh.vertices[:, 2] - level) < 1e-6, :2]
    try:
        hull = ConvexHull(base)
    except (QhullError, ValueError):  # fewer than three vertices, or all in a line
        return False
    centre = np.asarray(mesh.center_mass)[:2]
    distances = hull.equations[:, :2] @ centre + hull.equations[:, 2]
    width = float(np.sqrt(hull.volume))
    return bool(distances.max() < -SIDEWAYS * width)
