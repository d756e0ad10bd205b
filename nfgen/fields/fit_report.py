"""The report of a fit, an entry a field: written entry by entry, and read only when somebody looks."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, overload

from nfgen.errors import ArtifactError
from nfgen.io import files

FILE = "fit_report.json"
Entry = dict[str, Any]


def write_report(folder: Path, entries: Iterable[Entry], skipped: Iterable[Entry]) -> None:
    """Write `{"fields": [...], "skipped": [...]}` atomically, a line an entry, none of them kept."""
    with files.replacing(folder / FILE) as file:
        file.write(b'{"fields": [')
        _write_lines(file, entries)
        file.write(b'],\n"skipped": [')
        _write_lines(file, skipped)
        file.write(b"]}\n")


def _write_lines(file: BinaryIO, entries: Iterable[Entry]) -> None:
    separator = "\n"
    for entry in entries:
        file.write(f"{separator}{json.dumps(entry, allow_nan=False)}".encode())
        separator = ",\n"


class FitReport(Sequence[Entry]):
    """Entries in the file of a field set; a million of them would take half a gigabyte.

    Raises:
        ArtifactError: when an entry is asked for, if the file is missing or damaged.
    """

    def __init__(self, folder: Path, places: Sequence[int]) -> None:
        self._folder, self._places = folder, places
        self._entries: list[Entry] | None = None

    def select(self, chosen: Sequence[int]) -> "FitReport":
        """The entries at some places, still unread; none of none, as that of a set without a report."""
        return FitReport(self._folder, [self._places[i] for i in chosen] if self._places else [])

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Entry: ...

    @overload
    def __getitem__(self, index: slice) -> list[Entry]: ...

    def __getitem__(self, index: int | slice) -> Entry | list[Entry]:
        if self._entries is None:
            self._entries = self._read()
        return self._entries[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def _read(self) -> list[Entry]:
        path = self._folder / FILE
        stored = files.read_json(path)
        entries = stored.get("fields") if isinstance(stored, dict) else None
        last = max(self._places, default=-1)
        if not (isinstance(entries, list) and len(entries) > last and all(isinstance(one, dict) for one in entries)):
            raise ArtifactError(f"{path} is not the report of its {last + 1} fields", "make it again with nfgen fit")
        return [entries[i] for i in self._places]
