"""Image files: MNIST's IDX (gzipped too) with the labels beside it, PNG and JPEG; all as brightness in [0, 1]."""

import gzip
import math
import re
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ShapeError

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg"})
MAX_PIXELS = 4096**2  # of one picture; far more than a field of a few thousand weights can hold
MAX_IDX_BYTES = 2**30  # of the images unpacked; they are held in memory by every process
DEFLATE = 1032  # no byte of a gzip file unpacks to more (zlib's technical details)
IDX_IMAGES, IDX_LABELS = 0x803, 0x801  # magic numbers: unsigned bytes in 3 dimensions, in 1


def is_idx(path: Path) -> bool:
    """Tell whether a name is that of an IDX file, as of `train-images-idx3-ubyte.gz` or `train-labels.idx1-ubyte`."""
    return re.search(r"[-.]idx[13]-ubyte(\.gz)?$", path.name) is not None


def is_idx_labels(path: Path) -> bool:
    """Tell whether a name is that of the labels of an IDX file."""
    return re.search(r"[-.]idx1-ubyte(\.gz)?$", path.name) is not None


def read_picture(path: Path, id: str) -> NDArray[np.float64]:
    """Read the brightness [rows, columns] of a picture, colours weighted as by ITU-R 601, transparency as black.

    Raises:
        ShapeError: unreadable, or of more than MAX_PIXELS.
    """
    from PIL import Image

    try:
        if not path.is_file():
            raise ShapeError(f"{id}: is not a regular file", "give a picture")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=("PNG", "JPEG")) as picture:  # whatever else it may call itself
                if picture.width * picture.height > MAX_PIXELS:
                    claimed = f"{picture.width} x {picture.height}"
                    raise ShapeError(f"{id}: {claimed} pixels are more than {MAX_PIXELS:,}", "make the picture smaller")
                if picture.mode.startswith("I"):
                    return np.asarray(picture, np.float64).clip(0, 65535) / 65535
                if picture.has_transparency_data:
                    solid = picture.convert("RGBA")
                    black = Image.new("RGBA", solid.size, (0, 0, 0, 255))
                    return np.asarray(Image.alpha_composite(black, solid).convert("L"), np.float64) / 255
                return np.asarray(picture.convert("L"), np.float64) / 255
    except ShapeError:
        raise
    except Exception as error:  # Pillow's plugins fail on rubbish in a dozen ways; that is the file's fault
        reason = " ".join(str(error).split()).replace(str(path), path.name)[:120] or type(error).__name__
        raise ShapeError(f"{id}: cannot be read as a picture ({reason})", "check the file") from error


def read_idx_images(path: Path, id: str) -> NDArray[np.uint8]:
    """Read images [n, rows, columns] of an IDX file; the last file read stays in memory for its next image.

    Raises:
        ShapeError: not IDX images, or claiming more than the file or the limit holds.
    """
    return cast("NDArray[np.uint8]", _read_idx(path, IDX_IMAGES, id))


def read_idx_labels(images: Path, count: int, id: str) -> NDArray[np.uint8] | None:
    """Read the labels [n] that lie beside an IDX file of images under the canonical name; None where there are none.

    Raises:
        ShapeError: the labels are unreadable or not `count`.
    """
    name = images.name.replace("images", "labels").replace("idx3", "idx1").removesuffix(".gz")
    beside = next((path for end in ("", ".gz") if (path := images.with_name(name + end)).is_file()), None)
    if beside is None or beside == images:
        return None
    labels = cast("NDArray[np.uint8]", _read_idx(beside, IDX_LABELS, f"{id} ({beside.name})"))
    if len(labels) != count:
        raise ShapeError(f"{id}: {len(labels):,} labels in {beside.name} for {count:,} images", "check the files")
    return labels


def _read_idx(path: Path, magic: int, id: str) -> NDArray[Any]:
    try:
        if not path.is_file():
            raise ShapeError(f"{id}: is not a regular file", "give an IDX file")
        status = path.stat()
        return _unpacked_idx(path, magic, id, status.st_mtime_ns, status.st_size)
    except ShapeError:
        raise
    except (OSError, EOFError) as error:
        raise ShapeError(f"{id}: cannot be read as IDX ({error})", "check the file") from error
    except Exception as error:  # zlib.error is no OSError
        raise ShapeError(f"{id}: cannot be unpacked ({error})", "check the file") from error


@lru_cache(maxsize=2)  # the images and their labels
def _unpacked_idx(path: Path, magic: int, id: str, changed: int, size: int) -> NDArray[np.uint8]:
    packed = path.suffix == ".gz"
    with cast("BinaryIO", gzip.open(path)) if packed else path.open("rb") as file:
        found = int.from_bytes(file.read(4), "big")
        if found != magic:
            what = "images" if magic == IDX_IMAGES else "labels"
            raise ShapeError(f"{id}: is not an IDX file of {what} (magic {found:#x}, not {magic:#x})", "check the file")
        shape = [int.from_bytes(file.read(4), "big") for _ in range(magic & 0xFF)]
        claimed = math.prod(shape)
        if claimed > MAX_IDX_BYTES or claimed > size * (DEFLATE if packed else 1):
            raise ShapeError(f"{id}: the header claims {claimed:,} bytes, the file has {size:,}", "check the file")
        data = file.read(claimed + 1)
    if len(data) != claimed or not claimed:
        raise ShapeError(f"{id}: the header claims {claimed:,} bytes, {len(data):,} follow", "check the file")
    return np.frombuffer(data, np.uint8).reshape(shape)
