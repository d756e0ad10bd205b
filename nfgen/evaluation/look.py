"""What one shape looks like, and a set of them, as scores of pictures take it."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import trimesh

from nfgen.errors import ShapeError
from nfgen.metrics.clouds import has_surface
from nfgen.metrics.light_field import SIZE, light_fields, silhouette_directions
from nfgen.metrics.surfaces import ripple
from nfgen.viz.views import silhouettes_of, views_of


class Look(NamedTuple):
    """Pictures of a shape."""

    views: np.ndarray
    """[views, 2, size, size], see `nfgen.viz.views`."""
    light_field: np.ndarray
    """[10, 45], see `nfgen.metrics.light_field`."""
    ripple: float
    """Degrees, see `nfgen.metrics.surfaces`."""


class Looks(NamedTuple):
    """Pictures of a set; shapes without a surface are left out."""

    views: np.ndarray
    """[shapes, views, 2, size, size]."""
    light_fields: np.ndarray
    """[shapes, 10, 45]."""
    ripple: float
    """Median of the set, degrees."""


def look_at(mesh: trimesh.Trimesh | None) -> Look | None:
    """Draw a mesh within [-1, 1]^3; None if it has no surface, or is thinner than a pixel from some side."""
    if not has_surface(mesh):
        return None
    mesh = _each_face_once(mesh)
    drawn = silhouettes_of(mesh, silhouette_directions(), SIZE)
    if not drawn.any(axis=(1, 2)).all():
        return None
    return Look(views_of(mesh), light_fields(drawn[None])[0], ripple(mesh))


def looks_of(shapes: Iterable[Look | None], name: str) -> Looks:
    """Put a set together.

    Args:
        name: of the set, for messages.

    Raises:
        ShapeError: no shape has a surface.
    """
    seen = [shape for shape in shapes if shape is not None]
    if not seen:
        raise ShapeError(f"no {name} shape has a surface", "give meshes with faces of positive area")
    views, fields = np.stack([one.views for one in seen]), np.stack([one.light_field for one in seen])
    return Looks(views, fields, float(np.median([one.ripple for one in seen])))


def _each_face_once(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """Leave one of all faces that lie in one place: a file may hold a hundred thousand, and each would be drawn."""
    places = np.unique(mesh.vertices, axis=0, return_inverse=True)[1].reshape(-1)
    first = np.unique(np.sort(places[mesh.faces], axis=1), axis=0, return_index=True)[1]
    if len(first) == len(mesh.faces):
        return mesh
    return trimesh.Trimesh(mesh.vertices, mesh.faces[np.sort(first)], process=False)
