"""Contact sheets of pictures, and PNG files."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from nfgen.errors import ConfigError
from nfgen.io.files import replacing, writable

Picture = NDArray[np.uint8]

INK = (70, 70, 78)
MARK = b"tEXtSoftware\0nfgen"
"""Near the beginning of each PNG file that nfgen writes."""


def contact_sheet(
    pictures: Sequence[Picture], columns: int | None = None, captions: Sequence[str] | None = None
) -> Picture:
    """Arrange pictures in a grid, row by row.

    Args:
        pictures: [H, W, 3] each, uint8, all of the same size; at least one.
        columns: pictures per row; by default the sheet is about square.
        captions: a line of text below each picture, truncated if too long; none by default.

    Returns:
        [rows * H, columns * W, 3], uint8, with additional lines for captions; unused cells have the colour of the first
        picture's upper left corner.

    Raises:
        ConfigError: for no pictures, different sizes, columns below 1, or a different number of captions.
    """
    if len(pictures) == 0:
        raise ConfigError("a contact sheet of no pictures", "give at least one picture")
    sizes = {picture.shape for picture in pictures}
    if len(sizes) > 1 or pictures[0].ndim != 3 or pictures[0].shape[2] != 3:
        found = ", ".join(str(size) for size in sorted(sizes))
        raise ConfigError(f"a contact sheet's pictures have shapes {found}", "give all pictures one shape, [H, W, 3]")
    if columns is not None and columns < 1:
        raise ConfigError(f"a contact sheet cannot have {columns} columns", "give at least 1")
    if captions is not None and len(captions) != len(pictures):
        raise ConfigError(f"{len(captions)} captions for {len(pictures)} pictures", "give one caption per picture")
    height, width, _ = pictures[0].shape
    columns = columns or math.ceil(math.sqrt(len(pictures)))
    letters = max(width // 16, 9)  # smaller text is not legible
    line = 0 if captions is None else round(1.6 * letters)
    rows = math.ceil(len(pictures) / columns)
    sheet = np.empty((rows * (height + line), columns * width, 3), dtype=np.uint8)
    sheet[:] = pictures[0][0, 0]
    for index, picture in enumerate(pictures):
        top, left = index // columns * (height + line), index % columns * width
        sheet[top : top + height, left : left + width] = picture
        if captions is not None:
            strip = Image.fromarray(sheet[top + height : top + height + line, left : left + width])
            center = (width / 2, line / 2)
            font = ImageFont.load_default(letters)
            text = _cut(captions[index], font, width)
            ImageDraw.Draw(strip).text(center, text, fill=INK, font=font, anchor="mm")
            sheet[top + height : top + height + line, left : left + width] = np.asarray(strip)
    return sheet


def save_png(path: str | Path, picture: Picture) -> None:
    """Write a picture, [H, W, 3] or grey [H, W], uint8, as PNG; missing folders are created.

    Raises:
        ConfigError: if the array is not a picture.
        ArtifactError: if the file cannot be written.
    """
    colored = picture.ndim == 3 and picture.shape[2] == 3
    if not (colored or picture.ndim == 2) or picture.dtype != np.uint8 or picture.size == 0:
        raise ConfigError(
            f"an array {picture.shape} of {picture.dtype} is not a picture", "give [H, W, 3] or [H, W] of uint8"
        )
    written_by = PngInfo()
    written_by.add_text("Software", "nfgen")
    with writable(path, "choose another place"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with replacing(Path(path)) as file:
            Image.fromarray(picture).save(file, format="PNG", optimize=True, pnginfo=written_by)


def _cut(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    text = " ".join(text.split())
    full = text
    while text and font.getlength(text) > width - 4:
        text = text[:-1] if text == full else text[:-2]
        text += "…"
    return text
