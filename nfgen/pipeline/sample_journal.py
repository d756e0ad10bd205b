"""Which samples are written already: a generation that was killed goes on after the last whole one."""

import contextlib
import json
import os
from collections import Counter
from pathlib import Path

from nfgen.io import files

from .sample_set import Sample

JOURNAL = "journal.jsonl"
EMPTY, IN_PIECES, ALIKE = "empty", "in_pieces", "alike"
"""Why a draw was dropped."""
ONE_PIECE = 0.99  # of the volume: crumbs below a hundredth are not seen


class Journal:
    """A line a sample, written after its files; what a kill left in a file without a line is written again.

    Attributes:
        samples: those that are written, in order.
        seen: index after the last one drawn, kept or not.
        empties: how many of those drawn had no surface.
        dropped: how many of those drawn were not kept.
        reasons: how many were dropped for which reason.
        bodies: of each drawn, the share of its volume in its largest body before any offset; none of images.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / JOURNAL
        self.samples: list[Sample] = []
        self.seen, self.empties, self.dropped = 0, 0, 0
        self.reasons: Counter[str] = Counter()
        self.bodies: list[float] = []
        if not self._path.exists():
            return
        lines = self._path.read_bytes().splitlines(keepends=True)
        whole = [line for line in lines if line.endswith(b"\n")]
        with self._path.open("r+b") as file:
            file.truncate(sum(map(len, whole)))
        with contextlib.suppress(ValueError, KeyError, TypeError):
            for line in whole:
                entry = files.parse_json(line)
                sample = None if entry["sample"] is None else Sample.from_json(entry["sample"])
                self._count(entry["index"], sample, entry["empty"], entry.get("body"), entry.get("why"))

    def add(
        self, index: int, sample: Sample | None, *, empty: bool, body: float | None = None, why: str | None = None
    ) -> None:
        """Write down the sample drawn at an index.

        Args:
            sample: None if it was dropped.
            empty: it has no surface.
            body: share of the volume in its largest body, before any offset.
            why: it was dropped.
        """
        stored = None if sample is None else sample.to_json()
        line = {"index": index, "empty": empty, "body": body, "why": why, "sample": stored}
        with self._path.open("ab") as file:
            file.write(json.dumps(line, allow_nan=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._count(index, sample, empty, body, why)

    def draws(self) -> dict[str, float | int | None]:
        """What became of all draws: the figures before any was drawn again, before any offset, crumbs
        included.

        `drawn`, `kept`, and those dropped, `empty`, `in_pieces`, `alike` and `crowded` (those that `balanced` left out,
        which were not meshed); of those meshed, `one_piece`, the share that have 99 % of their volume in one body, and
        `largest_share`, the mean share (None of images).
        """
        one_piece = [body >= ONE_PIECE for body in self.bodies]
        return {
            "drawn": self.seen,
            "kept": len(self.samples),
            **{why: self.reasons[why] for why in (EMPTY, IN_PIECES, ALIKE)},
            "crowded": self.seen - len(self.samples) - self.reasons.total(),
            "one_piece": sum(one_piece) / len(one_piece) if one_piece else None,
            "largest_share": sum(self.bodies) / len(self.bodies) if self.bodies else None,
        }

    def remove(self) -> None:
        """Remove the journal: the generation starts over."""
        self._path.unlink(missing_ok=True)

    def _count(self, index: int, sample: Sample | None, empty: bool, body: float | None, why: str | None) -> None:
        self.seen = index + 1
        self.empties += empty
        if body is not None:
            self.bodies.append(body)
        if why is not None:
            self.reasons[why] += 1
        if sample is None:
            self.dropped += 1
        else:
            self.samples.append(sample)
