"""Turntable animations as GIF or MP4: of one model, or of a contact sheet of models."""

import importlib.util
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from PIL import Image

from nfgen.errors import ConfigError, NfgenError
from nfgen.io import files
from nfgen.runtime.progress import progress

from .contact_sheet import Picture, contact_sheet
from .render import turntable

if TYPE_CHECKING:
    import trimesh

Format = Literal["gif", "mp4"]
FORMATS: tuple[str, ...] = get_args(Format)
FRAMES = 36  # per turn, ten degrees each
SECONDS = 3.0  # of a turn
ON_A_SHEET = 16  # models; with more, files have tens of megabytes
SIZE = 192  # side of a model's picture, pixels; even, for MP4


def turning_sheet(meshes: "Sequence[trimesh.Trimesh]", frames: int = FRAMES, size: int = SIZE) -> list[Picture]:
    """Frames [H, W, 3] of one turn of all meshes, side by side as in `contact_sheet`.

    Raises:
        ConfigError: for no meshes, or as `nfgen.viz.render.turntable`.
    """
    return sheet_of_turns(turns_of(meshes, frames, size))


def turns_of(meshes: "Sequence[trimesh.Trimesh]", frames: int, size: int) -> list[list[Picture]]:
    """Frames [H, W, 3] of one turn of each mesh.

    Raises:
        ConfigError: for fewer than 2 frames.
    """
    if frames < 2:
        raise ConfigError(f"a turn of {frames} frames", "give at least 2")
    turns = []
    with progress(len(meshes), "turn", "model") as bar:
        for mesh in meshes:
            turns.append(turntable(mesh, frames, size))
            bar.update()
    return turns


def sheet_of_turns(turns: Sequence[list[Picture]]) -> list[Picture]:
    """One contact sheet per frame; all turns have the same number of frames."""
    return [contact_sheet(pictures) for pictures in zip(*turns, strict=True)]


def save_animation(path: str | Path, frames: Sequence[Picture], seconds: float = SECONDS) -> None:
    """Write frames [H, W, 3], uint8, as `.gif` or `.mp4` by the path's ending, whole or not at all.

    A GIF repeats.

    Raises:
        ConfigError: for no frames, frames of different sizes, odd sizes of an MP4, or another ending.
        NfgenError: if the packages for MP4 are not installed.
        ArtifactError: if the file cannot be written.
    """
    path = Path(path)
    require(path.suffix[1:])
    if len(frames) == 0 or len({frame.shape for frame in frames}) > 1:
        raise ConfigError("an animation needs frames of one size", "give at least one frame, [H, W, 3] each")
    content = (_gif if path.suffix == ".gif" else _mp4)(frames, seconds)
    with files.writable(path, "choose another place"):
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_atomically(path, content)


def require(format: str) -> None:
    """Check that a format can be written, before the frames are rendered.

    Raises:
        ConfigError: if there is no such format.
        NfgenError: if the packages that it needs are not installed.
    """
    if format not in FORMATS:
        raise ConfigError(f"there is no animation format {format!r}", f"known are: {', '.join(FORMATS)}")
    if format == "mp4" and any(importlib.util.find_spec(name) is None for name in ("imageio", "imageio_ffmpeg")):
        raise NfgenError("MP4 needs imageio and its ffmpeg", "pip install 'nfgen[video]', or choose gif")


def _gif(frames: Sequence[Picture], seconds: float) -> bytes:
    # One palette for all frames; with one per frame, colours flicker.
    some = np.concatenate([frame[::2, ::2] for frame in frames[:: max(1, len(frames) // 6)]])
    palette = Image.fromarray(some).quantize(256, method=Image.Quantize.MEDIANCUT)
    first, *rest = [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    duration = max(20, round(1000 * seconds / len(frames)))  # milliseconds; browsers slow down faster animations
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=rest, duration=duration, loop=0, optimize=False)
    return file.getvalue()


def _mp4(frames: Sequence[Picture], seconds: float) -> bytes:
    import imageio.v3 as imageio

    height, width = frames[0].shape[:2]
    if height % 2 or width % 2:
        raise ConfigError(f"an MP4 cannot be {width} by {height} pixels", "give even sizes")
    content: bytes = imageio.imwrite(
        "<bytes>",
        np.stack(frames),
        plugin="FFMPEG",
        extension=".mp4",
        fps=len(frames) / seconds,
        codec="libx264",
        quality=8,
        macro_block_size=2,
    )
    return content
