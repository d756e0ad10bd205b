"""What can be seen of a training while it runs: pictures of samples and, if asked for, TensorBoard."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nfgen.io import files
from nfgen.models.base import SequenceModel
from nfgen.models.generation.generate import sample
from nfgen.models.training.checkpoint import STATE
from nfgen.tokenizers.base import Tokenizer
from nfgen.tokens.decoding import decode_fields
from nfgen.viz.contact_sheet import contact_sheet, save_png

from .sample_set import picture_of
from .tensorboard import FOLDER, TensorBoard

SAMPLES = 4
CELLS = 64  # marching cubes cells of their meshes


class TrainingMonitor:
    """Takes the lines of the log and, now and then, the model."""

    def __init__(self, folder: Path, tokenizer: Tokenizer, board: TensorBoard | None) -> None:
        self.folder, self.tokenizer, self.board = folder, tokenizer, board

    def log(self, line: dict[str, Any]) -> None:
        """Called with every line that `log.jsonl` gets."""
        if self.board is not None:
            self.board.scalars(line)

    def sample(self, model: SequenceModel, step: int) -> None:
        """Draw a few samples: a sheet in `pictures/`, and to TensorBoard with their meshes."""
        (self.folder / "pictures").mkdir(exist_ok=True)
        pictures = []
        for index, field in enumerate(decode_fields(self.tokenizer, sample(model, SAMPLES))):
            mesh = field.mesh(CELLS) if field.spec.dims == 3 else None
            pictures.append(picture_of(field, mesh))
            if mesh is not None and self.board is not None:
                self.board.mesh(f"samples/{index}", mesh, step)
        sheet = contact_sheet(pictures)
        save_png(self.folder / "pictures" / f"step-{step:06d}.png", sheet)
        if self.board is not None:
            self.board.picture("samples", sheet, step)


@contextlib.contextmanager
def watching(folder: Path, tokenizer: Tokenizer, tensorboard: bool) -> Iterator[TrainingMonitor]:
    """A monitor of the training in a folder, which may be one that goes on.

    Raises:
        ConfigError: if TensorBoard is asked for and missing.
    """
    state = folder / STATE
    step = files.read_json(state)["state"]["step"] + 1 if state.exists() else 0
    board = TensorBoard(folder / FOLDER, step) if tensorboard else None
    try:
        yield TrainingMonitor(folder, tokenizer, board)
    finally:
        if board is not None:
            board.close()
