"""A turntable of each generated mesh, and of all of them together."""

from pathlib import Path

from nfgen.errors import ConfigError
from nfgen.io import artifact
from nfgen.viz.animation import FRAMES, ON_A_SHEET, SIZE, require, save_animation, sheet_of_turns, turns_of

from .sample_set import KIND, frame_of, read_list, read_meshes

TOGETHER = "turntable"


def write_turntables(samples: str | Path, format: str, frames: int = FRAMES) -> list[Path]:
    """Write a turntable of each sample beside its mesh, `sample-0000.gif`, and one of the first samples together.

    Args:
        samples: folder that `nfgen generate` wrote.
        format: `gif` or `mp4`.

    Returns:
        The files: that of all together, `turntable.gif`, first.

    Raises:
        ConfigError: if the samples are images, have no surface, or the format is unknown.
    """
    require(format)
    folder = Path(samples)
    frame = frame_of(artifact.read_config(folder, KIND))
    found = {}
    for entry, mesh in zip(read_list(folder), read_meshes(folder), strict=True):
        if mesh is not None:
            if frame is not None:
                mesh.vertices = frame.apply(mesh.vertices)
            found[Path(entry["field"]).stem] = mesh
    if not found:
        raise ConfigError(f"no sample of {folder} has a surface", "train for longer, or lower --temperature")
    sheet = folder / f"{TOGETHER}.{format}"
    turns = turns_of(list(found.values()), frames, SIZE)
    save_animation(sheet, sheet_of_turns(turns[:ON_A_SHEET]))
    paths = [folder / f"{name}.{format}" for name in found]
    for file, turn in zip(paths, turns, strict=True):
        save_animation(file, turn)
    return [sheet, *paths]
