"""Pictures of meshes and 2-D fields without a screen, a graphics card or a graphics library."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from nfgen.errors import ConfigError

from .lighting import perpendicular, sun_visibility
from .rasterizer import NOTHING, rasterise
from .scene import GROUND_REACH, GROUND_STEPS, Scene, lit_scene, unit

if TYPE_CHECKING:
    import trimesh

Floats = NDArray[np.floating]
Picture = NDArray[np.uint8]
Color = tuple[float, float, float]
"""Red, green and blue (sRGB), each in [0, 1]."""

CLAY: Color = (0.93, 0.57, 0.33)
PAPER: Color = (0.96, 0.96, 0.97)

VIEW_RADIUS = 1.2  # a ball of this radius fills the picture; only the corners of the cube lie outside
CAMERA_DISTANCE = 6.0  # large, for weak perspective
ELEVATION = 25.0  # degrees above the horizon
SUBPIXELS = 2  # per side of each pixel, then averaged
SUN_TURN, SUN_HEIGHT = np.radians(-50), np.radians(58)  # to the left of the camera, and above the horizon
SUN, SKY = 0.64, 0.52  # their light on a surface that faces them
GROUND_FADE = 1.0  # width of the ground's border in which shadows fade out, coordinate units
GAMMA = 2.2  # between light and sRGB, approximately


def render_mesh(
    mesh: "trimesh.Trimesh",
    size: int = 256,
    azimuth: float = 30.0,
    elevation: float = ELEVATION,
    color: Color = CLAY,
    up: str = "z",
    zoom: float = 1.0,
) -> Picture:
    """Render a mesh on a ground, lit by the sky and a soft sun.

    The camera looks at the origin and does not depend on the mesh, so that all pictures have the same scale. A mesh
    without faces gives a picture of the ground.

    Args:
        mesh: within [-1, 1]^3, coordinate units.
        size: side of the picture, pixels.
        azimuth: of the camera, degrees from the mesh's front (-y) toward +x.
        elevation: of the camera, degrees above the horizon; below 0 no ground is drawn.
        color: of the mesh; the ground in full light, and what is around it, is `PAPER`.
        up: the axis of the mesh that points up, "z" (front is -y) or "y" (front is +z).
        zoom: magnification; 1 shows a ball of radius 1.2.

    Returns:
        [size, size, 3], uint8.

    Raises:
        ConfigError: for a size below 1, an elevation beyond +-90, colours beyond [0, 1], a zoom that is not above 0,
            an unknown up axis, or vertices that are not finite or have coordinates beyond 4.
    """
    return _view(lit_scene(mesh, up), size, azimuth, elevation, color, zoom)


def turntable(mesh: "trimesh.Trimesh", frames: int = 24, size: int = 256) -> list[Picture]:
    """Render one full turn of a mesh; the sun turns with the camera. Arguments and errors are those of `render_mesh`.

    Returns:
        `frames` pictures [size, size, 3], uint8, at azimuths from 0 upwards; the last is followed by the first.
    """
    scene = lit_scene(mesh, "z")
    turns = np.arange(frames) * 360.0 / max(frames, 1)
    return [_view(scene, size, float(turn)) for turn in turns]


def render_image(values: Floats, size: int = 256, color: Color = CLAY) -> Picture:
    """Render a 2-D signed distance field: its inside filled, with faint level lines 0.1 apart outside.

    Args:
        values: [H, W], signed distances, negative inside, at the pixel centres of an image over [-1, 1]^2; row 0 is
            the top.
        size: side of the picture, pixels.
        color: of the inside; the outside is `PAPER`.

    Returns:
        [size, size, 3], uint8.

    Raises:
        ConfigError: for values that are not a grid, a size below 1, or colours beyond [0, 1].
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or values.size == 0:
        raise ConfigError(f"a 2-D field's values have shape {values.shape}", "give a grid of values, [H, W]")
    _check_look(size, color)
    middles = (np.arange(size) + 0.5) / size
    rows, columns = np.meshgrid(middles * values.shape[0] - 0.5, middles * values.shape[1] - 0.5, indexing="ij")
    distance = map_coordinates(np.nan_to_num(values, nan=1.0), [rows, columns], order=1, mode="nearest")
    pixel, spacing = 2.0 / size, 0.1
    inside = np.clip(0.5 - distance / pixel, 0, 1)[..., None]
    from_line = np.abs((distance + spacing / 2) % spacing - spacing / 2)
    line = 0.08 * np.clip(1.2 - from_line / pixel, 0, 1)[..., None]
    return _as_bytes(inside * np.asarray(color) + (1 - inside) * (1 - line) * np.asarray(PAPER))


def _view(
    scene: Scene, size: int, azimuth: float, elevation: float = ELEVATION, color: Color = CLAY, zoom: float = 1.0
) -> Picture:
    _check_look(size, color)
    if not abs(elevation) <= 90:
        raise ConfigError(f"the camera's elevation is {elevation} degrees", "give one from -90 to 90")
    if not zoom > 0:
        raise ConfigError(f"the zoom is {zoom}", "give a number above 0")
    turn = np.radians(azimuth)
    to_camera, to_sun = _direction(turn, np.radians(elevation)), _direction(turn + SUN_TURN, SUN_HEIGHT)
    right, up = perpendicular(to_camera)
    fine = size * SUBPIXELS
    focal = fine / 2 * zoom * np.sqrt(CAMERA_DISTANCE**2 - VIEW_RADIUS**2) / VIEW_RADIUS
    nearness = 1 / np.maximum(CAMERA_DISTANCE - scene.vertices @ to_camera, 1e-3)
    across, upward = scene.vertices @ right * nearness, scene.vertices @ up * nearness
    screen = np.stack([fine / 2 + focal * across, fine / 2 - focal * upward, nearness], axis=1)
    seen = rasterise(screen, scene.faces, fine, fine)

    # Ray lengths are measured along the camera's axis, as nearness is.
    offset = (np.arange(fine) + 0.5 - fine / 2) / focal
    rays = offset[None, :, None] * right - offset[:, None, None] * up - to_camera
    camera = CAMERA_DISTANCE * to_camera
    height = camera[2] - scene.ground_height
    ground = -rays[..., 2] / height if elevation >= 0 and height > 0 else np.zeros((fine, fine))
    on_mesh = (seen.face != NOTHING) & (seen.nearness >= ground)
    position = camera + rays / np.where(on_mesh, seen.nearness, np.maximum(ground, 1e-6))[..., None]
    from_middle = np.maximum(np.abs(position[..., 0]), np.abs(position[..., 1]))
    on_ground = ~on_mesh & (ground > 0) & (from_middle < GROUND_REACH)

    face = seen.face[on_mesh]
    weights = seen.weights[on_mesh] * nearness[scene.faces[face]]
    weights /= np.einsum("pc->p", weights)[:, None]  # perspective-correct (Blinn, "Hyperbolic interpolation", 1992)
    normal = unit(np.einsum("pc,pcd->pd", weights, scene.corner_normals[face]))
    from_behind = np.einsum("pd,pd->p", normal, rays[on_mesh]) > 0
    normal[from_behind] *= -1  # an open mesh may show its back side
    upright = np.tile([0.0, 0.0, 1.0], (int(on_ground.sum()), 1))
    sun = sun_visibility(
        np.concatenate([position[on_mesh], position[on_ground]]),
        np.concatenate([normal, upright]),
        scene.vertices,
        scene.faces,
        to_sun,
    )
    sky = np.einsum("pc,pc->p", weights, scene.sky[scene.faces[face]])
    cell = (position[on_ground][:, :2] + GROUND_REACH) / (2 * GROUND_REACH) * GROUND_STEPS
    ground_sky = map_coordinates(scene.ground_sky, cell.T, order=1, mode="nearest")

    mesh_light = SUN * (normal @ to_sun) * sun[: len(normal)] + SKY * (0.7 + 0.3 * normal[:, 2]) * sky
    ground_light = SUN * to_sun[2] * sun[len(normal) :] + SKY * ground_sky
    picture = np.broadcast_to(np.asarray(PAPER) ** GAMMA, (fine, fine, 3)).copy()
    picture[on_mesh] = mesh_light[:, None] * np.asarray(color) ** GAMMA
    # Lit ground is as bright as the background, and shadows fade into it, so that the ground has no visible edge.
    shadow = 1 - ground_light / (SUN * to_sun[2] + SKY)
    fade = np.clip((GROUND_REACH - from_middle[on_ground]) / GROUND_FADE, 0, 1)
    picture[on_ground] *= (1 - fade * shadow)[:, None]
    averaged = np.einsum("iajbc->ijc", picture.reshape(size, SUBPIXELS, size, SUBPIXELS, 3)) / SUBPIXELS**2
    return _as_bytes(averaged ** (1 / GAMMA))


def _direction(turn: float, rise: float) -> Floats:
    """The direction [3] of an azimuth from the front and an elevation, both in radians."""
    return np.array([np.sin(turn) * np.cos(rise), -np.cos(turn) * np.cos(rise), np.sin(rise)])


def _check_look(size: int, color: Color) -> None:
    if size < 1:
        raise ConfigError(f"a picture cannot be {size} pixels wide", "give a size of at least 1")
    if len(color) != 3 or not all(0 <= channel <= 1 for channel in color):
        raise ConfigError(f"{color} is not a colour", "give red, green and blue, each from 0 to 1")


def _as_bytes(picture: Floats) -> Picture:
    return np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)
