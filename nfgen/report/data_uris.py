"""Pictures as data URIs inside the page."""

import base64
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nfgen.io.pictures import read_rgb

WARM, COOL = (196, 84, 20), (38, 102, 178)  # of positive and negative values; visible in light and dark mode
QUALITY = 86  # of JPEG: no visible blocks, a third of the size of PNG
MOST_CELLS = 512  # rows or columns of a heat map
FULL_COLOUR = 0.99  # quantile of magnitudes


def picture_uri(path: Path, largest: int = 1600) -> str:
    """A picture file as JPEG, no side longer than `largest` pixels.

    Raises:
        ArtifactError: if the file is missing or not a picture.
    """
    return jpeg_uri(read_rgb(path, largest))


def jpeg_uri(pixels: NDArray[np.uint8]) -> str:
    """Pixels [H, W, 3] as a JPEG data URI."""
    return _uri(pixels, "jpeg", quality=QUALITY)


def heat_map_uri(values: NDArray[np.floating], limit: float) -> str:
    """Values [H, W] as a PNG data URI: warm colours above zero, cool ones below, transparent at zero.

    Args:
        limit: the magnitude of full colour.
    """
    values = _at_most(_at_most(np.asarray(values, dtype=np.float64), 0), 1)
    strength = np.clip(np.abs(values) / (limit or 1.0), 0, 1)
    pixels = np.empty((*values.shape, 4), dtype=np.uint8)
    pixels[..., :3] = np.where((values >= 0)[..., None], WARM, COOL)
    pixels[..., 3] = np.round(255 * strength)
    return _uri(pixels, "png")


def code_map_uri(codes: NDArray[np.integer], count: int) -> str:
    """Token ids [H, W] of `count` codes as a PNG data URI: each code has a hue; consecutive codes differ strongly."""
    golden = 0.6180339887  # its multiples are spread evenly over the hues
    hue = (np.arange(count) * golden) % 1.0
    wheel = np.stack([hue, np.full(count, 0.45), np.full(count, 0.82)], axis=1)
    bytes_ = np.round(255 * wheel)[None].astype(np.uint8)
    palette = np.asarray(Image.fromarray(bytes_, "HSV").convert("RGB"))[0]
    return _uri(palette[np.clip(codes[:MOST_CELLS, :MOST_CELLS], 0, count - 1)], "png")


def full_colour(values: NDArray[np.floating]) -> float:
    """The magnitude that a heat map shows in full colour, so that outliers do not fade the rest; 1 of no values."""
    return float(np.quantile(np.abs(values), FULL_COLOUR)) if values.size else 1.0


def _at_most(values: NDArray[np.floating], axis: int) -> NDArray[np.floating]:
    length = values.shape[axis]
    if length <= MOST_CELLS:
        return values
    return np.take(values, np.linspace(0, length - 1, MOST_CELLS).astype(int), axis)


def _uri(pixels: NDArray[np.uint8], format: str, **settings: int) -> str:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format, optimize=True, **settings)
    return f"data:image/{format};base64,{base64.b64encode(stream.getvalue()).decode()}"
