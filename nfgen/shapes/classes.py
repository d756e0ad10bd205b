"""Classes from folders: which folder of a file's path names what it shows."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

SPLITS = frozenset({"train", "test", "val", "valid", "validation", "dev", "eval", "training", "testing"})
# Names that stand for one shape (digits and letters of a hash, a UUID) or for a part of a large collection.
HASH = re.compile(r"u?(?=.*\d)[0-9a-f]{16,}|u?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{8,12}|\d{3}-\d{3}", re.IGNORECASE)
MOST = 12  # classes in a line


def folder_labels(files: Sequence[Path]) -> dict[Path, str]:
    """Give the class of each file that has one, or no classes at all.

    A class is the first folder below the one that all share, splits and hashes passed over. There are classes if most
    files lie in two or more such folders, and one of these holds several: a folder for every single shape names shapes.
    """
    top = Path(os.path.commonpath([path.parent for path in files]))
    labels: dict[Path, str] = {}
    for path in files:
        names = [part.removesuffix(".zip") for part in path.relative_to(top).parts[:-1]]
        name = next((name for name in names if name.lower() not in SPLITS and not HASH.fullmatch(name)), None)
        if name is not None and name.isprintable():
            labels[path] = name
    counts = Counter(labels.values())
    return labels if 2 * len(labels) > len(files) and 1 < len(counts) < len(labels) else {}


def class_lines(labels: Sequence[str | None]) -> list[str]:
    """One line that names the classes and how many shapes each has, or none if there are no classes."""
    counts = Counter(label for label in labels if label is not None)
    if not counts:
        return []
    shown = ", ".join(f"{name} ({count})" for name, count in sorted(counts.items())[:MOST])
    more = f" and {len(counts) - MOST} more" if len(counts) > MOST else ""
    loose = len(labels) - counts.total()
    without = f"; {loose} {'shape has' if loose == 1 else 'shapes have'} none" if loose else ""
    return [f"{len(counts)} classes: {shown}{more}{without}"]
