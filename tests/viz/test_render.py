"""Behaviour of the renderer: what is where, what hides what, and the same picture every time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray
from PIL import Image

from nfgen.errors import ArtifactError, ConfigError, NfgenError
from nfgen.viz.contact_sheet import contact_sheet, save_png
from nfgen.viz.lighting import sky_visibility, sun_visibility
from nfgen.viz.rasterizer import rasterise
from nfgen.viz.render import CAMERA_DISTANCE, PAPER, VIEW_RADIUS, render_image, render_mesh, turntable

RED = (0.9, 0.05, 0.05)


def redness(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where the mesh is, in a picture whose mesh is red: neither ground nor shadow has a hue."""
    return picture[..., 0].astype(int) - picture[..., 1] > 30


def ball(radius: float, middle: tuple[float, float, float] = (0, 0, 0), fineness: int = 4) -> trimesh.Trimesh:
    mesh: trimesh.Trimesh = trimesh.creation.icosphere(fineness, radius)
    mesh.apply_translation(middle)
    return mesh


@pytest.mark.parametrize("radius", [0.3, 0.8])
@pytest.mark.parametrize("elevation", [0.0, 25.0])
def test_a_balls_silhouette_has_the_projected_area(radius: float, elevation: float) -> None:
    size = 200
    picture = render_mesh(ball(radius), size, elevation=elevation, color=RED)
    # A ball on the camera's axis is seen under an angle whose sine is radius over distance.
    tangent = np.tan(np.arcsin(radius / CAMERA_DISTANCE)) / np.tan(np.arcsin(VIEW_RADIUS / CAMERA_DISTANCE))
    assert redness(picture).sum() == pytest.approx(np.pi * (tangent * size / 2) ** 2, rel=0.03)


def test_the_camera_is_where_it_is_said_to_be() -> None:
    marker = ball(0.1, (0, -0.8, 0.5))  # in front, above the middle

    def middle(**view: Any) -> tuple[float, float]:
        rows, columns = np.nonzero(redness(render_mesh(marker, 100, color=RED, **view)))
        return float(columns.mean() - 49.5), float(rows.mean() - 49.5)

    right, down = middle(azimuth=0, elevation=0)
    assert right == pytest.approx(0, abs=0.5)
    assert down < -10
    assert middle(azimuth=90, elevation=0)[0] < -20  # from +x, the front is on the left
    assert middle(azimuth=-90, elevation=0)[0] > 20
    assert middle(azimuth=0, elevation=89)[1] > 20  # from above, the front is below
    assert middle(azimuth=0, elevation=-30)[1] < -30


def test_y_up_is_z_up_turned() -> None:
    mesh = trimesh.creation.box((0.4, 0.8, 1.2)).apply_translation([0.1, -0.2, 0.1])
    turned = mesh.copy()
    turned.vertices = mesh.vertices[:, [0, 2, 1]] * [1, 1, -1]
    difference = render_mesh(mesh, 64).astype(int) - render_mesh(turned, 64, up="y")
    assert np.abs(difference).mean() < 0.5  # edges are divided in another order


def test_nearer_hides_farther() -> None:
    near, far = ball(0.3, (0, -0.6, 0)), ball(0.5, (0, 0.4, 0))
    corners = np.concatenate([near.vertices, far.vertices])
    faces = np.concatenate([near.faces, far.faces + len(near.vertices)])
    for order in (faces, faces[::-1]):
        screen = np.stack([32 + 30 * corners[:, 0], 32 - 30 * corners[:, 2], -corners[:, 1]], axis=1)
        raster = rasterise(screen, order, 64, 64)
        seen = order[raster.face[32, 32]]
        assert (seen < len(near.vertices)).all()
        assert raster.nearness[32, 32] == pytest.approx(0.9, abs=0.01)
        assert raster.nearness[32, 32 + 13] == pytest.approx(-0.4 + np.sqrt(0.25 - (13.5 / 30) ** 2), abs=0.02)
        assert raster.face[0, 0] == -1


def test_triangles_that_share_edges_leave_no_gap_and_large_ones_are_cut_into_chunks() -> None:
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(np.arange(9.0), np.arange(9.0)), axis=-1).reshape(-1, 2)
    grid[:, :] += np.where((grid % 8 != 0), rng.uniform(-0.3, 0.3, grid.shape), 0)
    corner = (np.arange(8)[:, None] * 9 + np.arange(8)).ravel()
    faces = np.concatenate(
        [np.stack([corner, corner + 1, corner + 9], 1), np.stack([corner + 9, corner + 1, corner + 10], 1)]
    )
    screen = np.concatenate([grid * 187.5, np.ones((81, 1))], axis=1)
    raster = rasterise(screen, faces, 1500, 1500)  # over two million pairs
    assert (raster.face >= 0).all()
    x = np.einsum("hwc,hwc->hw", raster.weights, screen[faces[raster.face], 0])
    assert np.abs(x - (np.arange(1500) + 0.5)).max() < 0.05


def test_pictures_repeat_and_do_not_touch_the_mesh() -> None:
    mesh = trimesh.creation.annulus(0.3, 0.6, 0.4)
    before = mesh.vertices.tobytes() + mesh.faces.tobytes()
    first = render_mesh(mesh, 64)
    assert first.shape == (64, 64, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, render_mesh(mesh, 64))
    assert mesh.vertices.tobytes() + mesh.faces.tobytes() == before


def test_an_empty_mesh_gives_the_ground_alone() -> None:
    picture = render_mesh(trimesh.Trimesh(), 32)
    assert np.array_equal(np.unique(picture.reshape(-1, 3), axis=0), [np.round(np.array(PAPER) * 255)])


def test_the_background_is_light_and_the_shape_casts_a_shadow_on_the_ground() -> None:
    picture = render_mesh(ball(0.5), 128, color=RED)
    ground = picture[~redness(picture)].astype(int)
    assert np.array_equal(picture[0, 0], np.round(np.array(PAPER) * 255))
    assert ground.min() < 190
    below = render_mesh(ball(0.5), 128, elevation=-20, color=RED)
    assert np.array_equal(below[-1, 64], below[0, 0])  # no ground is in the way


def test_hollows_are_darker_than_what_stands_out() -> None:
    line = np.linspace(-0.5, 0.5, 41)
    floor = np.stack([*np.meshgrid(line, line), np.zeros((41, 41))], axis=-1).reshape(-1, 3)
    wall = np.stack([np.full((41, 41), 0.3), *np.meshgrid(line, line + 0.5)], axis=-1).reshape(-1, 3)
    points = np.array([[0.26, 0, 0], [-0.4, 0, 0], [0.0, 0, 1.2]])
    up = np.tile([0.0, 0.0, 1.0], (3, 1))
    at_wall, in_open, above = sky_visibility(points, up, np.concatenate([floor, wall]))
    assert at_wall < 0.7
    assert at_wall < in_open - 0.15
    assert above == pytest.approx(1, abs=0.01)
    assert sky_visibility(points, up, np.zeros((0, 3))) == pytest.approx(1)


def test_the_sun_reaches_its_side_of_a_ball_and_the_ground_beside_its_shadow() -> None:
    mesh, sun = ball(0.5), np.array([0.6, 0.0, 0.8])
    reached = sun_visibility(mesh.vertices, mesh.vertices / 0.5, mesh.vertices, mesh.faces, sun)
    toward = mesh.vertices / 0.5 @ sun
    assert (reached[toward > 0.1] == 1).all()
    assert (reached[toward < 0] == 0).all()
    ground = np.array([[-0.45, 0, -0.6], [0.6, 0, -0.6], [-0.45, 1.5, -0.6], [9.0, 0, -0.6]])
    up = np.tile([0.0, 0.0, 1.0], (4, 1))
    assert sun_visibility(ground, up, mesh.vertices, mesh.faces, sun).tolist() == [0, 1, 1, 1]
    assert sun_visibility(ground, up, np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64), sun).tolist() == [1, 1, 1, 1]


def test_the_picture_does_not_depend_on_how_a_surface_is_cut_into_triangles() -> None:
    coarse = trimesh.creation.box((1.2, 0.8, 0.5))
    fine = coarse.subdivide().subdivide()
    difference = np.abs(render_mesh(coarse, 64).astype(int) - render_mesh(fine, 64))
    assert difference.mean() < 0.5
    assert np.percentile(difference, 99) <= 6


def test_all_pictures_share_one_scale() -> None:
    small, large = (redness(render_mesh(ball(radius), 128, color=RED)).sum() for radius in (0.25, 0.5))
    assert large / small == pytest.approx(4, rel=0.06)
    zoomed = redness(render_mesh(ball(0.25), 128, color=RED, zoom=2)).sum()
    assert zoomed / small == pytest.approx(4, rel=0.06)


def test_a_turntable_starts_at_the_front_and_turns() -> None:
    mesh = trimesh.creation.box((0.4, 0.8, 1.2)).apply_translation([0.3, 0, 0])
    frames = turntable(mesh, 4, 48)
    assert len(frames) == 4
    for frame, azimuth in zip(frames, (0, 90, 180, 270), strict=True):
        assert np.array_equal(frame, render_mesh(mesh, 48, azimuth=azimuth))
    assert not np.array_equal(frames[0], frames[2])
    assert turntable(mesh, 0, 48) == []


def test_an_image_field_is_filled_where_it_is_negative() -> None:
    line = (np.arange(48) + 0.5) / 24 - 1
    x, y = np.meshgrid(line, line)
    picture = render_image(np.hypot(x, y - 0.2) - 0.5, 160, color=RED)
    filled = redness(picture)
    assert filled.mean() * 4 == pytest.approx(np.pi * 0.25, rel=0.02)
    assert np.nonzero(filled)[0].mean() == pytest.approx(80 + 0.2 * 80, abs=1)  # row 0 is the top


def test_a_sheet_holds_its_pictures_row_by_row() -> None:
    pictures = [np.full((10, 12, 3), value, dtype=np.uint8) for value in (10, 20, 30, 40, 50)]
    sheet = contact_sheet(pictures, columns=3)
    assert sheet.shape == (20, 36, 3)
    assert sheet[:10, 24:].tolist() == pictures[2].tolist()
    assert sheet[10:, 12:24].tolist() == pictures[4].tolist()
    assert (sheet[10:, 24:] == 10).all()
    assert contact_sheet(pictures).shape == (20, 36, 3)


def test_captions_stand_under_their_pictures() -> None:
    pictures = [np.full((40, 60, 3), 250, dtype=np.uint8)] * 2
    plain, captioned = contact_sheet(pictures, 2), contact_sheet(pictures, 2, ["chair", ""])
    assert captioned.shape[0] > plain.shape[0]
    assert np.array_equal(captioned[:40], plain)
    assert captioned[40:, :60].min() < 150
    assert captioned[40:, 60:].min() == 250
    long = contact_sheet(pictures, 2, ["a very long caption, far longer than its picture", ""])
    assert long.shape == captioned.shape
    assert long[40:, 60:].min() == 250


@pytest.mark.parametrize("shape", [(6, 5, 3), (6, 5)])
def test_a_saved_picture_is_read_back(tmp_path: Path, shape: tuple[int, ...]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    save_png(tmp_path / "new" / "picture.png", picture)
    with Image.open(tmp_path / "new" / "picture.png") as image:
        assert np.array_equal(np.asarray(image), picture)


def test_mistakes_are_named(tmp_path: Path) -> None:
    mesh, picture = ball(0.5, fineness=1), np.zeros((4, 4, 3), dtype=np.uint8)
    broken = trimesh.Trimesh(np.array([[0, 0, 0], [1, 0, 0], [0, np.nan, 0]]), [[0, 1, 2]], process=False)
    huge = trimesh.creation.box((100, 100, 100))
    (tmp_path / "file").touch()
    mistakes: list[tuple[Callable[[], object], type[NfgenError]]] = [
        (lambda: render_mesh(mesh, 0), ConfigError),
        (lambda: render_mesh(mesh, 8, color=(1, 2, 0)), ConfigError),
        (lambda: render_mesh(mesh, 8, elevation=100), ConfigError),
        (lambda: render_mesh(mesh, 8, zoom=0), ConfigError),
        (lambda: render_mesh(mesh, 8, up="x"), ConfigError),
        (lambda: render_mesh(broken, 8), ConfigError),
        (lambda: render_mesh(huge, 8), ConfigError),
        (lambda: render_image(np.zeros((2, 2, 2))), ConfigError),
        (lambda: contact_sheet([]), ConfigError),
        (lambda: contact_sheet([picture, picture[:2]]), ConfigError),
        (lambda: contact_sheet([picture], columns=0), ConfigError),
        (lambda: contact_sheet([picture], captions=["a", "b"]), ConfigError),
        (lambda: save_png(tmp_path / "x.png", picture.astype(float)), ConfigError),
        (lambda: save_png(tmp_path / "file" / "x.png", picture), ArtifactError),
    ]
    for mistake, error in mistakes:
        with pytest.raises(error) as caught:
            mistake()
        assert caught.value.problem
        assert caught.value.remedy
