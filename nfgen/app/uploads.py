"""Shapes that users upload: counted, put into a folder of their own, and read as `nfgen check` reads them."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from nfgen.errors import ConfigError, NfgenError
from nfgen.pipeline.check_shapes import check_shapes

LINES = 400  # of a table that is shown


class Checked(NamedTuple):
    """What reading some files found."""

    folder: Path
    lines: list[str]
    sheet: bytes
    """PNG of thumbnails."""
    usable: int
    """Number of shapes that can be learned from."""


class Uploads:
    """Folders of uploaded shapes.

    Args:
        folder: in which they are made.
        most: files at once.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._folder, self._most = folder, most
        self._made = set[Path]()

    def check(self, files: Sequence[str | Path]) -> Checked:
        """Move files into a folder and read them.

        Raises:
            ConfigError: there are none, or too many.
            NfgenError: none of them is a shape.
        """
        if not files:
            raise ConfigError("there are no files", "drop meshes, voxel grids or a ZIP of them")
        if len(files) > self._most:
            raise ConfigError(f"{len(files)} files are too many", f"give {self._most} at most, or a ZIP of them")
        folder = Path(tempfile.mkdtemp(prefix="shapes-", dir=self._folder))
        self._made.add(folder)
        try:
            for file in map(Path, files):
                shutil.copyfile(file, _free(folder / file.name))
            sheet = folder.with_suffix(".png")
            report = check_shapes([folder], workers=1, sheet=sheet)
            lines = [*report.discovery.lines(), *report.lines()]
            usable = sum(shape.problem is None for shape in report.shapes)
            return Checked(folder, [without(folder, line) for line in lines[:LINES]], sheet.read_bytes(), usable)
        except NfgenError as error:
            self.remove(folder)
            raise NfgenError(without(folder, error.problem), without(folder, error.remedy)) from None

    def remove(self, folder: Path) -> None:
        """Remove what `check` made, and nothing else."""
        if folder not in self._made:
            return
        self._made.remove(folder)
        shutil.rmtree(folder, ignore_errors=True)
        folder.with_suffix(".png").unlink(missing_ok=True)


def without(folder: Path, text: str) -> str:
    """A text that does not name a folder of this machine."""
    return text.replace(str(folder), "the upload")


def _free(path: Path) -> Path:
    """The path, or with a number where it is taken."""
    names = (path.with_stem(f"{path.stem}-{i}") for i in range(2, 1_000_000))
    return path if not path.exists() else next(one for one in names if not one.exists())
