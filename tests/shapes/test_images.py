"""Images as shapes: their rows, the distance to an outline, brightness between pixels."""

import numpy as np

from nfgen.shapes import ImageShape

from .bodies import uniform


def test_image_rows_run_from_top_to_bottom() -> None:
    pixels = np.zeros((20, 20))
    pixels[:10, :10] = 1  # the upper left quarter
    quarters = np.array([[-0.5, 0.5], [0.5, 0.5], [-0.5, -0.5], [0.5, -0.5]])
    assert ImageShape(pixels, kind="brightness").value(quarters).tolist() == [1, 0, 0, 0]
    assert (ImageShape(pixels).value(quarters) < 0).tolist() == [True, False, False, False]


def test_an_image_of_a_disc_has_the_distance_of_a_disc() -> None:
    axis = (np.arange(32) + 0.5) * 2 / 32 - 1
    radius = np.hypot(*np.meshgrid(axis, axis))
    disc = ((0.6 - radius) * 16 + 0.5).clip(0, 1)  # antialiased: one pixel from bright to dark
    points = uniform(2000, 2)
    np.testing.assert_allclose(ImageShape(disc).value(points), np.linalg.norm(points, axis=1) - 0.57, atol=0.01)


def test_brightness_is_bilinear_between_pixel_centres() -> None:
    shape = ImageShape(np.array([[0.0, 1.0], [0.5, 0.5]]), kind="brightness")
    points = np.array([[-0.5, 0.5], [0.5, 0.5], [0.0, 0.5], [0.0, 0.0], [-1.0, 1.0]])
    np.testing.assert_allclose(shape.value(points), [0, 1, 0.5, 0.5, 0], atol=1e-12)
