"""What meshes look like, small and many: shading and depth for a network to judge, silhouettes for descriptors."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nfgen.viz.lighting import perpendicular
from nfgen.viz.rasterizer import NOTHING, rasterise
from nfgen.viz.scene import corner_normals, unit

if TYPE_CHECKING:
    import trimesh

Floats = NDArray[np.floating]
Views = NDArray[np.uint8]

COUNT = 12  # views
RISES = (30.0, 0.0, -25.0)  # degrees above the horizon, in turn: undersides are surfaces, too
SIZE = 64  # pixels a side: a ripple of a tenth of a shape is six pixels long
SUBPIXELS = 2
REACH = 1.25  # half the side of the picture, coordinate units; only corners of the cube [-1, 1]^3 lie beyond
LIGHT = (-0.45, 0.55, 0.7)  # right, up and toward the camera: oblique, so that slopes show
AMBIENT = 0.15


def view_directions() -> Floats:
    """[views, 3], from the origin to the cameras: evenly around the z axis, from above, level and below in turn."""
    turn = 2 * np.pi * np.arange(COUNT) / COUNT
    rise = np.radians(np.resize(RISES, COUNT))
    return np.stack([np.sin(turn) * np.cos(rise), -np.cos(turn) * np.cos(rise), np.sin(rise)], axis=1)


def views_of(mesh: "trimesh.Trimesh | None") -> Views:
    """Draw a mesh from around, by a parallel camera and a light that is fixed to it.

    Args:
        mesh: within [-1, 1]^3, z up; None, or a mesh without faces, gives empty pictures.

    Returns:
        [views, 2, size, size]: shading (Lambert, with the normals that viewers show), and depth, brightest at the
        near side of the cube; 0 where nothing is.
    """
    pictures = np.zeros((COUNT, 2, SIZE, SIZE), dtype=np.uint8)
    if mesh is None or len(mesh.faces) == 0:
        return pictures
    vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)
    normals = corner_normals(vertices, faces)
    light = np.array(LIGHT) / np.linalg.norm(LIGHT)
    fine = SIZE * SUBPIXELS
    for picture, toward in zip(pictures, view_directions(), strict=True):
        right, up = perpendicular(toward)
        seen = rasterise(_screen(vertices, right, up, toward, fine), faces, fine, fine)
        there = seen.face != NOTHING
        normal = unit(np.einsum("pc,pcd->pd", seen.weights[there], normals[seen.face[there]]))
        normal *= np.where(normal @ toward < 0, -1.0, 1.0)[:, None]  # an open mesh may show its back
        cosine = normal @ (light[0] * right + light[1] * up + light[2] * toward)
        shaded, depth = np.zeros((fine, fine)), np.zeros((fine, fine))
        shaded[there] = AMBIENT + (1 - AMBIENT) * np.clip(cosine, 0, 1)
        depth[there] = np.clip((seen.nearness[there] / np.sqrt(3) + 1) / 2, 0.02, 1)
        for channel, values in enumerate((shaded, depth)):
            averaged = values.reshape(SIZE, SUBPIXELS, SIZE, SUBPIXELS).mean(axis=(1, 3))
            picture[channel] = np.round(255 * averaged)
    return pictures


def silhouettes_of(mesh: "trimesh.Trimesh", directions: Floats, size: int) -> NDArray[np.bool_]:
    """Outlines [directions, size, size] of a mesh by parallel cameras, filling the pictures whatever its size is.

    The mesh is centred by its surface, which turns do not change, and scaled so that its farthest vertex touches the
    pictures' inscribed circle.

    Args:
        mesh: with a face at least, and an extent.
        directions: [directions, 3] of length 1, toward the cameras.
        size: pixels of the pictures' sides.
    """
    vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)
    centred = vertices - mesh.centroid
    centred *= REACH / max(float(np.linalg.norm(centred[np.unique(faces)], axis=1).max()), 1e-12)
    drawn = np.zeros((len(directions), size, size), dtype=bool)
    for picture, toward in zip(drawn, directions, strict=True):
        right, up = perpendicular(toward)
        picture[:] = rasterise(_screen(centred, right, up, toward, size), faces, size, size).face != NOTHING
    return drawn


def _screen(vertices: Floats, right: Floats, up: Floats, toward: Floats, size: int) -> Floats:
    """Pixels and nearness [V, 3] of vertices, as `rasterise` takes them."""
    scale = size / (2 * REACH)
    return np.stack([(vertices @ right + REACH) * scale, (REACH - vertices @ up) * scale, vertices @ toward], axis=1)
