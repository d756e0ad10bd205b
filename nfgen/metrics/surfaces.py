"""How smooth surfaces are: angles of normals against the true ones, thin parts, and ripples without any truth."""

from typing import TYPE_CHECKING, NamedTuple

import igl
import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from nfgen.errors import ShapeError
from nfgen.metrics.clouds import has_surface

if TYPE_CHECKING:
    import trimesh

NEAR = 0.02  # 1 % of the side of the frame's cube: the reach of most that is asked here, coordinate units
TURN = 45.0  # degrees; where the true normal turns by more within `NEAR` is an edge, not a smooth part
THIN = 0.1  # parts of less thickness are thin: legs, spindles, slats; coordinate units
POINTS = 40_000  # so that beside an edge some point lies across it
RIPPLE_POINTS, RIPPLE_REACH = 4_000, 0.1  # surroundings as wide as a third of a ripple, or most of it is missed
SHARP = np.cos(np.radians(40))  # faces that meet at a sharper angle are shaded flat, as in pictures
SAME_SIDE = np.cos(np.radians(60))

Points = npt.NDArray[np.float64]


class SurfacePoints(NamedTuple):
    """Points of a true surface, and what is known there."""

    points: Points
    """[N, 3], uniform by area, coordinate units."""
    normals: Points
    """[N, 3], of length 1, outwards."""
    smooth: npt.NDArray[np.bool_]
    """[N], where the surface is flat or smoothly bent: no edge within 0.02, no radius below about 0.027."""
    thin: npt.NDArray[np.bool_]
    """[N], where the shape is thinner than 0.1, straight through."""


def surface_points(mesh: "trimesh.Trimesh", points: int = POINTS, seed: int = 0) -> SurfacePoints:
    """Sample a true surface; its normals are those with which it is shaded.

    Raises:
        ShapeError: the mesh has no surface.
    """
    if not has_surface(mesh):
        raise ShapeError("the true mesh has no surface", "leave this shape out")
    return known_points(mesh, *sample_normals(mesh, points, np.random.default_rng(seed)))


def known_points(mesh: "trimesh.Trimesh", points: Points, normals: Points) -> SurfacePoints:
    """What the parts of a surface are like around points [N, 3] with the true normals [N, 3] there.

    Args:
        mesh: the surface, or a fine mesh of it, closed: thickness is measured through it.
    """
    pairs = cKDTree(points).query_pairs(NEAR, output_type="ndarray")
    cosine = np.abs((normals[pairs[:, 0]] * normals[pairs[:, 1]]).sum(axis=1))  # the far side of a plate is no edge
    edges = pairs[cosine < np.cos(np.radians(TURN))]
    smooth = np.ones(len(points), dtype=bool)
    smooth[edges.ravel()] = False
    # Straight inwards a thin part ends soon: the points there are outside again.
    vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)
    thin = np.zeros(len(points), dtype=bool)
    for depth in np.linspace(THIN / 5, THIN, 5):
        thin |= igl.fast_winding_number(vertices, faces, np.ascontiguousarray(points - depth * normals)) < 0.5
    return SurfacePoints(points, normals, smooth, thin)


def sample_normals(mesh: "trimesh.Trimesh", points: int, rng: np.random.Generator) -> tuple[Points, Points]:
    """Points [N, 3] uniform by area, and the normals [N, 3] with which viewers shade the surface there."""
    import trimesh

    found, faces = trimesh.sample.sample_surface(mesh, points, seed=rng)
    return np.asarray(found), shading_normals(mesh, np.asarray(found), np.asarray(faces))


def shading_normals(mesh: "trimesh.Trimesh", points: Points, faces: npt.NDArray[np.integer]) -> Points:
    """Normals [N, 3] at points of a mesh that lie on these faces: smooth, but for edges above 40 degrees."""
    vertices, triangles = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)
    flat = np.asarray(mesh.face_normals)[faces][:, None, :]
    corners = np.asarray(mesh.vertex_normals)[triangles[faces]]
    corners = np.where((corners * flat).sum(axis=2, keepdims=True) > SHARP, corners, flat)
    a, b, c = (np.ascontiguousarray(vertices[triangles[faces, i]]) for i in range(3))
    weights = np.nan_to_num(np.asarray(igl.barycentric_coordinates(np.ascontiguousarray(points), a, b, c)), nan=1 / 3)
    return _unit(np.einsum("pc,pcd->pd", weights, corners))


def normal_figures(mesh: "trimesh.Trimesh | None", true: SurfacePoints) -> dict[str, float | None]:
    """How well a surface keeps the normals and the thin parts of the true one.

    Args:
        mesh: the reconstruction, in the frame of the true points; None if it has no surface.
        true: of the true shape.

    Returns:
        `normal_angle_median`, `normal_angle_95`: over the smooth parts of the true surface, degrees between the true
        normal and that of the nearest point of the reconstruction, 0 to 90, without regard to the side; None without
        either. `surface_kept`: share of the true surface that has the reconstruction within 0.02, 1 % of the side of
        the cube. `thin_kept`: the same of the parts thinner than 0.1; None without any.
    """
    if not has_surface(mesh):
        thin = 0.0 if true.thin.any() else None
        return {"normal_angle_median": None, "normal_angle_95": None, "surface_kept": 0.0, "thin_kept": thin}
    vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)
    squared, nearest, places = igl.point_mesh_squared_distance(np.ascontiguousarray(true.points), vertices, faces)
    normals = shading_normals(mesh, np.asarray(places), np.asarray(nearest))
    cosine = np.abs((normals * true.normals).sum(axis=1)).clip(max=1)
    angles = np.degrees(np.arccos(cosine[true.smooth]))
    kept = np.sqrt(squared) <= NEAR
    return {
        "normal_angle_median": float(np.median(angles)) if len(angles) else None,
        "normal_angle_95": float(np.percentile(angles, 95)) if len(angles) else None,
        "surface_kept": float(kept.mean()),
        "thin_kept": float(kept[true.thin].mean()) if true.thin.any() else None,
    }


def ripple(mesh: "trimesh.Trimesh", seed: int = 0) -> float:
    """How wavy a surface is, in degrees; needs no truth.

    The median angle between the normal at a point of the surface and the mean normal of the surface around it, within
    0.1, that faces the same way. Planes have 0, a ball of radius 0.5 has 3 to 4 (as the points around are not evenly
    spread), and steps of voxels have much.

    Raises:
        ShapeError: the mesh has no surface.
    """
    if not has_surface(mesh):
        raise ShapeError("the mesh has no surface", "leave it out")
    points, normals = sample_normals(mesh, RIPPLE_POINTS, np.random.default_rng(seed))
    pairs = cKDTree(points).query_pairs(RIPPLE_REACH, output_type="ndarray")
    pairs = pairs[(normals[pairs[:, 0]] * normals[pairs[:, 1]]).sum(axis=1) > SAME_SIDE]
    mean = normals.copy()
    for one, other in ((0, 1), (1, 0)):
        for axis in range(3):
            mean[:, axis] += np.bincount(pairs[:, one], normals[pairs[:, other], axis], len(points))
    cosine = (_unit(mean) * normals).sum(axis=1).clip(max=1)
    return float(np.degrees(np.median(np.arccos(cosine))))


def _unit(vectors: Points) -> Points:
    length: Points = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(length, 1e-12)
