"""The one reader of pictures: few formats, within limits, decoded here and by no other program."""

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nfgen.errors import ArtifactError

OURS = ("PNG", "JPEG")
"""Formats of an artifact's pictures, by Pillow's names. A `.png` that holds PostScript would start Ghostscript."""
MAX_PIXELS = 4096**2  # of a picture as a shape; far more than a field of a few thousand weights can hold
MAX_SHEET_PIXELS = 2**25  # of a picture of an artifact: a contact sheet of 400 samples has 27 million
MAX_SIDE = 16_384  # pixels; a picture of one long line costs as much as a square one and shows nothing


class PictureTooLarge(ValueError):
    """A picture of more pixels than the limits."""


@contextlib.contextmanager
def opened_picture(
    source: Path | BinaryIO, formats: Sequence[str] = OURS, most_pixels: int = MAX_PIXELS
) -> Iterator[Image.Image]:
    """Open a picture whose content, whatever its name, is of one of the formats; its pixels are not yet decoded.

    Args:
        source: a path, or an open file.
        formats: names that Pillow gives them.
        most_pixels: limit of width times height.

    Raises:
        PictureTooLarge: of more pixels, or a side of more than MAX_SIDE.
        Exception: whatever Pillow's plugins raise on a damaged file.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns about sizes that the limits below refuse
        with Image.open(source, formats=tuple(formats)) as picture:
            if picture.width * picture.height > most_pixels or max(picture.size) > MAX_SIDE:
                size = f"{picture.width} x {picture.height}"
                raise PictureTooLarge(f"{size} pixels are more than {most_pixels:,} or {MAX_SIDE:,} a side")
            yield picture


def read_rgb(path: Path, largest: int | None = None) -> NDArray[np.uint8]:
    """Read a PNG or JPEG of an artifact: [H, W, 3].

    Args:
        largest: pixels of the longest side, to which a larger picture is made smaller.

    Raises:
        ArtifactError: missing, too large, or no such picture.
    """
    try:
        if path.exists() and not path.is_file():
            raise ArtifactError(f"{path} is not a regular file", "make the artifact again")
        with opened_picture(path, most_pixels=MAX_SHEET_PIXELS) as picture:
            if largest is not None:
                picture.draft("RGB", (largest, largest))
            pixels = picture.convert("RGB")
            if largest is not None:
                pixels.thumbnail((largest, largest), Image.Resampling.LANCZOS)
            return np.asarray(pixels)
    except ArtifactError:
        raise
    except Exception as error:  # Pillow's plugins fail on rubbish in a dozen ways
        raise ArtifactError(f"cannot read {path} as a picture: {error}", "make the artifact again") from error
