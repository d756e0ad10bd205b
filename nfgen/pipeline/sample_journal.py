"""Which samples are written already: a generation that was killed goes on after the last whole one."""

import contextlib
import json
import os
from pathlib import Path

from .sample_set import Sample

JOURNAL = "journal.jsonl"


class Journal:
    """A line a sample, written after its files; what a kill left in a file without a line is written again.

    Attributes:
        samples: those that are written, in order.
        seen: index after the last one drawn, kept or not.
        empties: how many of those drawn had no surface.
        dropped: how many of those drawn were not kept.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / JOURNAL
        self.samples: list[Sample] = []
        self.seen, self.empties, self.dropped = 0, 0, 0
        if not self._path.exists():
            return
        lines = self._path.read_bytes().splitlines(keepends=True)
        whole = [line for line in lines if line.endswith(b"\n")]
        with self._path.open("r+b") as file:
            file.truncate(sum(map(len, whole)))
        with contextlib.suppress(ValueError, KeyError, TypeError):
            for line in whole:
                entry = json.loads(line)
                sample = None if entry["sample"] is None else Sample.from_json(entry["sample"])
                self._count(entry["index"], sample, entry["empty"])

    def add(self, index: int, sample: Sample | None, *, empty: bool) -> None:
        """Write down the sample drawn at an index, None if it was dropped, and whether it has no surface."""
        line = {"index": index, "empty": empty, "sample": None if sample is None else sample.to_json()}
        with self._path.open("ab") as file:
            file.write(json.dumps(line, allow_nan=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._count(index, sample, empty)

    def remove(self) -> None:
        """Remove the journal: the generation starts over."""
        self._path.unlink(missing_ok=True)

    def _count(self, index: int, sample: Sample | None, empty: bool) -> None:
        self.seen = index + 1
        self.empties += empty
        if sample is None:
            self.dropped += 1
        else:
            self.samples.append(sample)
