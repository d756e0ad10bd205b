"""A training for TensorBoard, beside the log that is always written: scalars, contact sheets and meshes."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nfgen.errors import ConfigError
from nfgen.viz.contact_sheet import Picture

if TYPE_CHECKING:
    import trimesh

FOLDER = "tensorboard"


class TensorBoard:
    """Event files in a folder; steps at or after `first_step` of an earlier writer there are taken back.

    Raises:
        ConfigError: if the package tensorboard is missing.
    """

    def __init__(self, folder: Path, first_step: int = 0) -> None:
        try:
            from torch.utils.tensorboard.writer import SummaryWriter
        except ImportError as error:
            raise ConfigError(
                "--tensorboard needs the package tensorboard", "pip install 'nfgen[tensorboard]'"
            ) from error
        self._writer: Any = SummaryWriter(str(folder), purge_step=first_step or None)

    def scalars(self, line: Mapping[str, Any]) -> None:
        """Every number of a line of the log, at its `step`."""
        for key, value in line.items():
            if key != "step" and isinstance(value, int | float):
                self._writer.add_scalar(f"train/{key}", value, line["step"])

    def picture(self, name: str, picture: Picture, step: int) -> None:
        """A picture [H, W, 3], uint8."""
        self._writer.add_image(name, picture, step, dataformats="HWC")

    def mesh(self, name: str, mesh: "trimesh.Trimesh", step: int) -> None:
        """A mesh; one without faces is left out."""
        if len(mesh.faces):
            vertices = torch.from_numpy(np.asarray(mesh.vertices, np.float32))[None]
            faces = torch.from_numpy(np.asarray(mesh.faces, np.int32))[None]
            self._writer.add_mesh(name, vertices, faces=faces, global_step=step)

    def close(self) -> None:
        """Write what is not yet written."""
        self._writer.close()
