"""Turntables as files, GIF or MP4: one model, or a contact sheet on which all models turn."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from PIL import Image

from .contact_sheet import Picture, contact_sheet
from .errors import ArtifactError, ConfigError, NfgenError
from .progress import progress
from .render import turntable

if TYPE_CHECKING:
    import trimesh

Format = Literal["gif", "mp4"]
FORMATS: tuple[str, ...] = get_args(Format)
FRAMES = 36  # of a turn: ten degrees each
SECONDS = 3.0  # of a turn
SIZE = 192  # pixels of a model's side; even, as MP4 wants it


def turning_sheet(
    meshes: "Sequence[trimesh.Trimesh]", frames: int = FRAMES, size: int = SIZE, columns: int | None = None
) -> list[Picture]:
    """Frames [H, W, 3] of one turn of all meshes, side by side as `contact_sheet` lays them out.

    Raises:
        ConfigError: for no meshes, or as `nfgen.render.turntable`.
    """
    if frames < 2:
        raise ConfigError(f"a turn of {frames} frames", "give at least 2")
    turns = []
    with progress(len(meshes), "turn", "model") as bar:
        for mesh in meshes:
            turns.append(turntable(mesh, frames, size))
            bar.update()
    return [contact_sheet(pictures, columns) for pictures in zip(*turns, strict=True)] if turns else []


def save_animation(path: str | Path, frames: Sequence[Picture], seconds: float = SECONDS) -> None:
    """Write frames [H, W, 3], uint8, as `.gif` or `.mp4` by the path's ending; a GIF begins again after its end.

    Raises:
        ConfigError: for no frames, frames of several sizes, odd sizes of an MP4, or another ending.
        NfgenError: if what MP4 needs is not installed.
        ArtifactError: if the file cannot be written.
    """
    path = Path(path)
    if len(frames) == 0 or len({frame.shape for frame in frames}) > 1:
        raise ConfigError("an animation needs frames of one size", "give at least one frame, [H, W, 3] each")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".gif":
            _save_gif(path, frames, seconds)
        elif path.suffix == ".mp4":
            _save_mp4(path, frames, seconds)
        else:
            raise ConfigError(f"{path.name} is no animation", f"end its name in {' or '.join(FORMATS)}")
    except OSError as error:
        raise ArtifactError(f"cannot write {path}: {error.strerror or error}", "choose another place") from error


def _save_gif(path: Path, frames: Sequence[Picture], seconds: float) -> None:
    # One palette, from all frames: with one for each, colours flicker.
    some = np.concatenate([frame[::2, ::2] for frame in frames[:: max(1, len(frames) // 6)]])
    palette = Image.fromarray(some).quantize(256, method=Image.Quantize.MEDIANCUT)
    first, *rest = [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    duration = max(20, round(1000 * seconds / len(frames)))  # milliseconds; browsers slow down what is faster
    first.save(path, save_all=True, append_images=rest, duration=duration, loop=0, optimize=False)


def _save_mp4(path: Path, frames: Sequence[Picture], seconds: float) -> None:
    try:
        import imageio.v3 as imageio
        import imageio_ffmpeg  # noqa: F401  # imageio would say so in three screens of text
    except ImportError as error:
        raise NfgenError("MP4 needs imageio and its ffmpeg", "pip install 'nfgen[video]', or choose gif") from error
    height, width = frames[0].shape[:2]
    if height % 2 or width % 2:
        raise ConfigError(f"an MP4 cannot be {width} by {height} pixels", "give even sizes")
    imageio.imwrite(
        path,
        np.stack(frames),
        plugin="FFMPEG",
        fps=len(frames) / seconds,
        codec="libx264",
        quality=8,
        macro_block_size=2,
    )
