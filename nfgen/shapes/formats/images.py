"""Image files: MNIST's IDX (gzipped too) with the labels beside it, and pictures; all as brightness in [0, 1]."""

import gzip
import math
import re
from functools import lru_cache
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from nfgen.errors import ShapeError, reason_of
from nfgen.io.pictures import OURS, opened_picture
from nfgen.shapes.base import Kind
from nfgen.shapes.formats.grids import check_count
from nfgen.shapes.formats.limits import DEFLATE
from nfgen.shapes.formats.shape_file import ShapeFile
from nfgen.shapes.reading import Foreground

PICTURES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".bmp": "BMP", ".tif": "TIFF", ".tiff": "TIFF"}
PICTURES |= {".gif": "GIF", ".webp": "WEBP"}
PICTURE_SUFFIXES = frozenset(PICTURES)
MAX_IDX_BYTES = 2**30  # of the images unpacked; they are held in memory by every process
IDX_IMAGES, IDX_LABELS = 0x803, 0x801  # magic numbers: unsigned bytes in 3 dimensions, in 1
CLEAR = 128  # alpha below which a pixel is no shape: a picture without any such is as good as opaque
BRIGHT = 0.5  # a border whose mean is above this is bright
LOOKED_AT = 1000  # images of an IDX file whose borders are looked at


def is_idx(name: str) -> bool:
    """Whether a name is that of an IDX file, as of `train-images-idx3-ubyte.gz` or `train-labels.idx1-ubyte`."""
    return re.search(r"[-.]idx[13]-ubyte(\.gz)?$", name) is not None


def is_idx_labels(name: str) -> bool:
    """Whether a name is that of the labels of an IDX file."""
    return re.search(r"[-.]idx1-ubyte(\.gz)?$", name) is not None


def read_picture(
    file: ShapeFile, kind: Kind, foreground: Foreground, id: str
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Read the brightness [rows, columns] of a picture, turned as its camera was, and what was chosen, in words.

    Colours are weighted as by ITU-R 601. As a brightness, what is transparent is black. As a shape (`sdf`), what is
    bright here is the foreground: the alpha channel, what is bright, or what is dark.

    Raises:
        ShapeError: unreadable, too large, or without the alpha channel that is asked for.
    """
    # As its name says: only PNG and JPEG are so often mistaken for each other that either may be either.
    formats = OURS if PICTURES[file.suffix] in OURS else (PICTURES[file.suffix],)
    try:
        with file.opened(id) as stream, opened_picture(stream, formats) as picture:
            frames = getattr(picture, "n_frames", 1)
            notes = (f"holds {frames} pictures, of which the first is read",) if frames > 1 else ()
            # The orientation is kept beside the pixels, which some modes lose.
            pixels = ImageOps.exif_transpose(picture)
            if kind == "brightness":
                return _brightness(pixels, 0), notes
            choice, why = _foreground(pixels, foreground, id)
            if choice == "alpha":
                return np.asarray(pixels.convert("RGBA").getchannel("A"), np.float64) / 255, notes + why
            if choice == "dark":
                return 1 - _brightness(pixels, 255), notes + why
            return _brightness(pixels, 0), notes + why
    except ShapeError:
        raise
    except Exception as error:  # Pillow's plugins fail on rubbish in a dozen ways; that is the file's fault
        unknown = isinstance(error, UnidentifiedImageError)
        reason = f"it is no {' or '.join(formats)}" if unknown else reason_of(error)
        raise ShapeError(f"{id}: cannot be read as a picture ({reason})", "check the file") from error


def _brightness(picture: Image.Image, background: int) -> NDArray[np.float64]:
    """Brightness [rows, columns] in [0, 1], what is transparent as the background from 0 to 255."""
    if picture.mode.startswith("I"):
        return np.asarray(picture, np.float64).clip(0, 65535) / 65535
    if picture.mode == "F":
        return np.asarray(picture, np.float64)
    if picture.has_transparency_data:
        solid = picture.convert("RGBA")
        behind = Image.new("RGBA", solid.size, (background,) * 3 + (255,))
        picture = Image.alpha_composite(behind, solid)
    return np.asarray(picture.convert("L"), np.float64) / 255


def _foreground(picture: Image.Image, wanted: Foreground, id: str) -> tuple[Foreground, tuple[str, ...]]:
    alpha = np.asarray(picture.convert("RGBA").getchannel("A")) if picture.has_transparency_data else np.array([255])
    lowest = int(alpha.min())
    if wanted == "alpha" and lowest == 255:
        raise ShapeError(f"{id}: nothing of it is transparent", "say --foreground dark or bright")
    if wanted != "auto":
        return wanted, ()
    if lowest < CLEAR:
        return "alpha", ("what is not transparent is the shape (--foreground alpha)",)
    return guessed_foreground(_brightness(picture, 0)[None])


def guessed_foreground(images: NDArray[np.floating]) -> tuple[Foreground, tuple[str, ...]]:
    """What images [n, rows, columns] of brightness in [0, 1] show: what their borders are not; and that in words."""
    border = np.concatenate([images[:, [0, -1]].ravel(), images[:, :, [0, -1]].ravel()])
    if border.mean() > BRIGHT:
        return "dark", ("the border is bright: what is dark is the shape (--foreground dark)",)
    return "bright", ("the border is dark: what is bright is the shape (--foreground bright)",)


def read_idx_image(
    file: ShapeFile, index: int, kind: Kind, foreground: Foreground, id: str
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Read one image of an IDX file as `read_picture` reads a picture; the foreground is one for all of the file.

    Raises:
        ShapeError: as `read_idx_images` does, or alpha is asked for.
    """
    images = read_idx_images(file, id)
    image = images[index] / 255
    if kind == "brightness":
        return image, ()
    if foreground == "alpha":
        raise ShapeError(f"{id}: IDX images have no alpha", "say --foreground dark or bright")
    notes: tuple[str, ...] = ()
    if foreground == "auto":
        some = images[:: -(-len(images) // LOOKED_AT)] / 255
        foreground, notes = guessed_foreground(some)
    return (1 - image if foreground == "dark" else image), notes


def read_idx_images(file: ShapeFile, id: str) -> NDArray[np.uint8]:
    """Read images [n, rows, columns] of an IDX file; the last file read stays in memory for its next image.

    Raises:
        ShapeError: not IDX images, or claiming more than the file or the limit holds.
    """
    return cast("NDArray[np.uint8]", _read_idx(file, IDX_IMAGES, id))


def read_idx_labels(images: ShapeFile, count: int, id: str) -> NDArray[np.uint8] | None:
    """Read the labels [n] that lie beside an IDX file of images under the canonical name; None where there are none.

    Raises:
        ShapeError: the labels are unreadable or not `count`.
    """
    name = images.name.replace("images", "labels").replace("idx3", "idx1").removesuffix(".gz")
    beside = next((one for end in ("", ".gz") if (one := images.beside(name + end)).exists()), None)
    if beside is None or beside == images:
        return None
    labels = cast("NDArray[np.uint8]", _read_idx(beside, IDX_LABELS, f"{id} ({beside.name})"))
    if len(labels) != count:
        raise ShapeError(f"{id}: {len(labels):,} labels in {beside.name} for {count:,} images", "check the files")
    return labels


def _read_idx(file: ShapeFile, magic: int, id: str) -> NDArray[Any]:
    try:
        return _unpacked_idx(file, magic, id, file.state(id))
    except ShapeError:
        raise
    except (OSError, EOFError) as error:
        raise ShapeError(f"{id}: cannot be read as IDX ({error})", "check the file") from error
    except Exception as error:  # zlib.error is no OSError
        raise ShapeError(f"{id}: cannot be unpacked ({error})", "check the file") from error


@lru_cache(maxsize=2)  # the images and their labels
def _unpacked_idx(file: ShapeFile, magic: int, id: str, state: tuple[int, int, int]) -> NDArray[np.uint8]:
    packed = file.suffix == ".gz"
    with file.opened(id) as raw, cast("BinaryIO", gzip.open(raw)) if packed else raw as stream:
        found = int.from_bytes(stream.read(4), "big")
        if found != magic:
            what = "images" if magic == IDX_IMAGES else "labels"
            raise ShapeError(f"{id}: is not an IDX file of {what} (magic {found:#x}, not {magic:#x})", "check the file")
        shape = [int.from_bytes(stream.read(4), "big") for _ in range(magic & 0xFF)]
        claimed, size = math.prod(shape), state[1]
        if claimed > MAX_IDX_BYTES or claimed > size * (DEFLATE if packed else 1):
            raise ShapeError(f"{id}: the header claims {claimed:,} bytes, the file has {size:,}", "check the file")
        if magic == IDX_IMAGES:
            check_count(shape[0], state[2], "images", id)
        data = stream.read(claimed + 1)
    if len(data) != claimed or not claimed:
        raise ShapeError(f"{id}: the header claims {claimed:,} bytes, {len(data):,} follow", "check the file")
    return np.frombuffer(data, np.uint8).reshape(shape)
