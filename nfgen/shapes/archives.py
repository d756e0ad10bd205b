"""Zip archives as folders: which members are files to read."""

import stat
import zipfile
from pathlib import Path, PurePosixPath

from nfgen.errors import reason_of
from nfgen.shapes.left_out import LeftOut

MAX_DIRECTORY_BYTES = 2**26  # of the list of members: some 600,000; they take ten times as much in memory
TAIL = 2**16 + 22  # bytes within which the list's own record ends the file


def members_of(archive: Path, left_out: LeftOut) -> list[str]:
    """Give the names of the files in a zip archive, sorted; none leads outside it.

    Hidden files, macOS's resource forks and folders are passed over; links, and names that lead outside, are noted, and
    so is an archive that cannot be read.
    """
    try:
        if _directory_bytes(archive) > MAX_DIRECTORY_BYTES:
            left_out.archives.append(
                f"{archive.name} (its list of members is longer than {MAX_DIRECTORY_BYTES:,} bytes)"
            )
            return []
        with zipfile.ZipFile(archive) as opened:
            infos = opened.infolist()
    except Exception as error:  # zipfile fails on rubbish in a dozen ways
        left_out.archives.append(f"{archive.name} ({reason_of(error, 80)})")
        return []
    names = set[str]()
    for info in infos:
        name = info.filename
        parts = PurePosixPath(name).parts
        if not name or info.is_dir():
            continue
        if name.startswith("/") or ".." in parts or "\\" in name or ":" in name or not name.isprintable():
            left_out.outside += 1
        elif any(part.startswith(".") for part in parts) or "__MACOSX" in parts:
            continue
        elif stat.S_ISLNK(info.external_attr >> 16):
            left_out.links.append(f"{archive.name}/{name}")
        else:
            left_out.twice += name in names  # the last one is read, as unpacking would leave it
            names.add(name)
    return sorted(names)


def _directory_bytes(archive: Path) -> int:
    """Length of the list of members, by the record at the archive's end; 0 if there is none."""
    size = archive.stat().st_size
    with archive.open("rb") as file:
        file.seek(max(0, size - TAIL))
        tail = file.read(TAIL)
    at = tail.rfind(b"PK\5\6")
    return int.from_bytes(tail[at + 12 : at + 16], "little") if at >= 0 else 0
