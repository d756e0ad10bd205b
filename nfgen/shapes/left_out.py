"""What a search for shapes did not read, and why, in one line."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nfgen.shapes.file_kinds import format_of
from nfgen.shapes.formats.volumes import DICOM

COMPANIONS = frozenset({".mtl", ".bin"})  # of OBJ and glTF
OWN = frozenset({"config.json", "contact_sheet.png", "parameters.json"})  # that `nfgen shapes` writes beside shapes
MOST = 8  # names or suffixes in the line


@dataclass
class LeftOut:
    """Counts of what was passed over."""

    suffixes: Counter[str] = field(default_factory=Counter)
    """Files of no known kind, by suffix."""
    pictures: Counter[str] = field(default_factory=Counter)
    """Pictures beside meshes: their textures."""
    solids: int = 0
    """Meshes and voxel grids where images are wanted."""
    same: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Files of a shape that is read from another: (format that is read, format that is not)."""
    links: list[str] = field(default_factory=list)
    """Links to folders, and links in archives."""
    archives: list[str] = field(default_factory=list)
    """Zip archives that cannot be read, with the reason."""
    outside: int = 0
    """Members of archives whose names lead outside, or may do so on some system."""
    twice: int = 0
    """Members of archives that stand there again under the same name."""

    def unknown(self, paths: Iterable[Path]) -> None:
        """Count files of no known kind, but those that belong to others."""
        for path in paths:
            suffix = path.suffix.lower()
            if suffix not in COMPANIONS and path.name not in OWN and "idx1-ubyte" not in path.name:
                self.suffixes[suffix or "without a suffix"] += 1

    def textures(self, paths: Iterable[Path]) -> None:
        """Count pictures that lie beside meshes."""
        self.pictures.update(path.suffix.lower() for path in paths if path.name not in OWN)

    def other_formats(self, others: Mapping[Path, Path]) -> None:
        """Count files, each with the one that is read in its place."""
        self.same.update((format_of(kept.name), format_of(other.name)) for other, kept in others.items())

    def lines(self) -> list[str]:
        """One line that says all, or none."""
        parts = []
        if self.suffixes:
            parts.append(f"not read: {_counts(self.suffixes)}")
            if DICOM & set(self.suffixes):
                parts.append("DICOM must be converted to NIfTI")
        if self.pictures:
            parts.append(f"pictures beside meshes are taken for textures: {_counts(self.pictures)}")
        if self.solids:
            parts.append(f"not read: {self.solids} meshes or voxel grids, since images are wanted")
        for (kept, other), count in sorted(self.same.items()):
            parts.append(f"{count} {other} of the same name as {kept}, which {'is' if count == 1 else 'are'} read")
        if self.links:
            parts.append(f"link{'s' * (len(self.links) > 1)} not followed: {_names(self.links)}")
        if self.archives:
            parts.append(f"cannot be opened: {_names(self.archives)}")
        if self.outside:
            parts.append(f"not read: {self.outside} members whose names lead outside their archive or hold \\ or :")
        if self.twice:
            parts.append(f"not read: {self.twice} members that stand again later in their archive")
        return ["; ".join(parts)] if parts else []


def _counts(counter: Counter[str]) -> str:
    shown = [f"{count} {name}" for name, count in counter.most_common(MOST)]
    return ", ".join(shown) + (" …" if len(counter) > MOST else "")


def _names(names: list[str]) -> str:
    return ", ".join(map(printable, names[:MOST])) + (f" and {len(names) - MOST} more" if len(names) > MOST else "")


def printable(name: str) -> str:
    """A name as text: bytes that are no UTF-8 stand as backslash escapes."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")
