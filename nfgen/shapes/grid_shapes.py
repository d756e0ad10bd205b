"""From a voxel grid of a file to a shape: what its numbers mean, which way is up, whether its voxels are cubes."""

from nfgen.io.meshes import Up
from nfgen.shapes.base import Shape
from nfgen.shapes.formats.volumes import Volume
from nfgen.shapes.formats.voxels import World
from nfgen.shapes.grid_values import understand
from nfgen.shapes.level_set import CUBE, LevelSetShape
from nfgen.shapes.reading import ReadingConfig
from nfgen.shapes.voxels import VoxelShape


def voxel_shape(volume: Volume, world: World | None, reading: ReadingConfig, *, id: str, label: str | None) -> Shape:
    """Give the shape of a voxel grid.

    Args:
        world: center and longest side of the grid in the file's frame, where the format states them as such.

    Raises:
        ShapeError: not finite, nothing solid, or it cannot be known what the numbers mean.
    """
    solid = understand(volume.values, reading.values, id)
    # Volumes that state where they lie are upright already: their formats name the directions.
    up: Up = "y" if reading.up == "y" and volume.center is None else "z"
    occupied, level, spacing = solid.occupied, solid.level, volume.spacing
    if volume.center is not None:
        longest = max(side * count for side, count in zip(spacing, volume.values.shape, strict=True))
        world = (volume.center, longest)
    if up == "y":
        occupied = None if occupied is None else occupied.transpose(0, 2, 1)[:, ::-1]
        level = None if level is None else level.transpose(0, 2, 1)[:, ::-1]
        spacing = (spacing[0], spacing[2], spacing[1])
        if world is not None:
            (x, y, z), side = world
            world = ((x, -z, y), side)
    shape: Shape
    if occupied is not None:
        smooth = reading.voxels == "smooth"
        shape = VoxelShape(occupied, id=id, label=label, smooth=smooth, spacing=spacing, world=world or CUBE)
    else:
        assert level is not None
        shape = LevelSetShape(level, id=id, label=label, spacing=spacing, world=world or CUBE)
    shape.notes = solid.notes + volume.notes
    shape.transform = shape.transform.of_axis(up)
    return shape
