"""A smooth surface through the stairs of voxels keeps slopes straight and what is thin as thick as it was."""

import numpy as np
import pytest

from nfgen.shapes import Shape, VoxelShape


def slanted_plate() -> np.ndarray:
    """A plate two voxels thick that rises by one voxel in four, inside a grid of 32."""
    x, y, z = np.indices((32, 32, 32)) - 15.5
    return (np.abs(z - x / 4) < 1.05) & (np.abs(x) < 13) & (np.abs(y) < 13)


def slope_error(shape: Shape) -> float:
    """Degrees between the normals of the plate's broad sides and what they would be, on average over their area."""
    mesh = shape.mesh()
    across = np.array([-0.25, 0, 1]) / np.hypot(0.25, 1)
    inner = (np.abs(mesh.triangles_center[:, :2]) < 0.6).all(1)
    cosine = np.abs(mesh.face_normals[inner] @ across)
    return float(np.average(np.degrees(np.arccos(cosine.clip(max=1))), weights=mesh.area_faces[inner]))


def test_a_smooth_surface_goes_through_the_stairs_and_keeps_the_thickness() -> None:
    smooth, stairs = VoxelShape(slanted_plate()), VoxelShape(slanted_plate(), smooth=False)
    assert slope_error(smooth) < 4 < 10 < slope_error(stairs)
    assert smooth.mesh().is_watertight
    assert smooth.mesh().volume == pytest.approx(stairs.mesh().volume, rel=0.05)
    moved = np.abs(smooth.mesh().vertices - stairs.mesh().vertices).max()
    assert 0 < moved <= 0.5 * 1.9 / 32 + 1e-9


def thin_rod(slope: float, thickness: int) -> np.ndarray:
    """A rod of so many voxels each way that leans along x."""
    rod = np.zeros((32, 32, 32), bool)
    for z in range(3, 29):
        x = 16 + round(slope * (z - 16))
        rod[x : x + thickness, 16 : 16 + thickness, z] = True
    return rod


@pytest.mark.parametrize("slope", [0.0, 0.25])
@pytest.mark.parametrize("thickness", [1, 2])
def test_a_thin_rod_stays_as_thick_as_it_was_when_it_is_smoothed(slope: float, thickness: int) -> None:
    rod = thin_rod(slope, thickness)
    smooth, stairs = VoxelShape(rod), VoxelShape(rod, smooth=False)
    assert smooth.mesh().volume == pytest.approx(stairs.mesh().volume, rel=0.25)
    inner = np.argwhere(rod)[4 * thickness**2 : -4 * thickness**2]  # but for its ends
    centres = ((inner + 0.5) / 32 * 2 - 1) * 0.95
    assert (smooth.value(centres) < 0).all()
