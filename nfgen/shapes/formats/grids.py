"""What an array is: one voxel grid or several, or something else that is refused by its name and shape."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ShapeError
from nfgen.shapes.reading import Values
from nfgen.shapes.voxels import check_grid

CHANNELS = (3, 4)  # of colours
FEW, MANY = 3, 16  # an axis of at most 3 numbers beside axes of at least 16 holds coordinates, not voxels
STACK = 4  # times their sides: a stack has at least as many images
FEW_MEMBERS = 10_000  # are listed at once, whatever they are
LEAST_BYTES = 8  # of the file for each grid or image: less is a claim, as compressed zeros make it
GREY = 3  # distinct values from which on an array is not solid and empty alone


def as_grids(array: NDArray[Any], values: Values, id: str) -> NDArray[Any]:
    """Give the grids [n, x, y, z] of an array, whose sides of one are left out; no copy is made.

    Raises:
        ShapeError: it holds points, images, colours, objects or too many voxels, or is of a wrong number of axes.
    """
    whole = list(array.shape)
    if array.dtype.kind not in "biuf":
        raise ShapeError(f"{id}: voxels of type {array.dtype} are no occupancy", "give bool, integers or floats")
    if 0 in whole:
        raise ShapeError(f"{id}: holds no grids (shape {whole})", "give [x, y, z] or [n, x, y, z]")
    if array.ndim > 3 and 1 in whole[1:]:
        sides = [side for side in whole[1:] if side != 1]
        is_grid = whole[-1] == 1 and (values != "auto" or len({whole[0], *sides}) == 1)
        if len(sides) == 2 and not is_grid:
            raise _images(whole, id)
        array = array.reshape(whole[0], *sides)  # of a contiguous array, also a mapped one, this is a view
    if array.ndim == 4 and len(array) == 1:
        array = array[0]
    _refuse_others(array, values, whole, id)
    if array.ndim not in (3, 4):
        raise ShapeError(f"{id}: is not a 3-D voxel grid (shape {whole})", "give [x, y, z] or [n, x, y, z]")
    grids = array[None] if array.ndim == 3 else array
    check_grid(grids.shape[1:], grids.dtype, id)
    return grids


def check_count(count: int, held: int, what: str, id: str) -> None:
    """Refuse more members than a file of this size can hold.

    Raises:
        ShapeError: more than a few, and fewer than LEAST_BYTES for each.
    """
    if count > FEW_MEMBERS and count * LEAST_BYTES > held:
        raise ShapeError(f"{id}: claims {count:,} {what} in {held:,} bytes", "check the file")


def _refuse_others(array: NDArray[Any], values: Values, whole: list[int], id: str) -> None:
    sides = array.shape[1:] if array.ndim == 3 and len(array) == 1 else array.shape
    if len(sides) == 2:
        if sides[1] in (2, 3, 6) and sides[0] > sides[1]:
            raise _points(whole, id)
        raise _images(whole, id)
    if len(sides) == 3:
        few = [side for side in sides if side <= FEW]
        many = [side for side in sides if side >= MANY]
        if len(few) == 1 and len(many) == 2 and array.dtype.kind == "f":
            raise _points(whole, id)
        if sides[-1] in CHANNELS and min(sides[:2]) >= MANY:
            raise _images(whole, id)
        if 1 in sides:
            raise _images(whole, id)
        count, rows, columns = sides
        if values == "auto" and rows == columns != count and (count >= STACK * rows or _is_grey(array)):
            raise _images(whole, id)
    if len(sides) > 3 and sides[-1] in (2, *CHANNELS) and min(sides[1:-1]) >= 2 * max(CHANNELS):
        raise ShapeError(
            f"{id}: holds {sides[-1]} channels, as of colours (shape {whole})", "give one value a voxel: [x, y, z]"
        )


def _is_grey(array: NDArray[Any]) -> bool:
    """Whether an array of no negative values holds more of them than empty and solid."""
    if array.dtype.kind == "b":
        return False
    some = np.asarray(array[:: max(1, len(array) // 16)])
    return bool(some.min() >= 0) and len(np.unique(some)) >= GREY


def _points(shape: list[int], id: str) -> ShapeError:
    return ShapeError(f"{id}: holds point clouds (shape {shape}), which have no inside", "give meshes or voxel grids")


def _images(shape: list[int], id: str) -> ShapeError:
    remedy = "save pictures as PNG or IDX; of a voxel grid say --values occupancy"
    return ShapeError(f"{id}: holds images, not a 3-D voxel grid (shape {shape})", remedy)
