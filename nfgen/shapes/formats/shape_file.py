"""A file as readers see it: on disk, or a member of a zip archive, which is never unpacked beside it."""

import contextlib
import io
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from nfgen.errors import ShapeError, reason_of

from .limits import DEFLATE

MAX_MEMBER_BYTES = 2**30  # of one member unpacked; it is held in memory
MAX_BESIDE = 64  # files in the folder of a member that names others, as a .gltf names its buffers


@dataclass(frozen=True, slots=True)
class ShapeFile:
    """A file on disk, or a member of a zip archive."""

    path: Path
    """The file, or the archive."""
    member: str | None = None
    """Name within the archive."""

    @property
    def name(self) -> str:
        """The last part of the file's own name."""
        return self.path.name if self.member is None else PurePosixPath(self.member).name

    @property
    def suffix(self) -> str:
        """In small letters, with its dot."""
        return PurePosixPath(self.name).suffix.lower()

    def beside(self, name: str) -> "ShapeFile":
        """Another file of the same folder, which need not exist."""
        if self.member is None:
            return ShapeFile(self.path.with_name(name))
        return ShapeFile(self.path, PurePosixPath(self.member).with_name(name).as_posix())

    def exists(self) -> bool:
        """Whether there is such a file."""
        if self.member is None:
            return self.path.is_file()
        try:
            with zipfile.ZipFile(self.path) as archive:
                return self.member in archive.NameToInfo
        except Exception:  # whatever is wrong is said when the archive itself is read
            return False

    def state(self, id: str) -> tuple[int, int, int]:
        """Time of change, size in bytes, and bytes on the disk, which are fewer for a file with holes.

        Raises:
            ShapeError: not a regular file, empty, or a member that the limits refuse.
            OSError: it cannot be opened.
        """
        status = self.path.stat()
        if not self.path.is_file():
            raise ShapeError(f"{id}: is not a regular file", "give a file of a shape")
        held = getattr(status, "st_blocks", -1) * 512
        if self.member is None:
            if not status.st_size:
                raise ShapeError(f"{id}: the file is empty", "check the file")
            return status.st_mtime_ns, status.st_size, status.st_size if held < 0 else min(held, status.st_size)
        with _opened_archive(self.path, id) as archive:
            info = _checked(archive, self.member, id)
        return status.st_mtime_ns, info.file_size, info.compress_size

    @contextlib.contextmanager
    def opened(self, id: str) -> Iterator[BinaryIO]:
        """Open the file to read and seek.

        Raises:
            ShapeError: not a regular file, empty, or a member that the limits refuse.
            OSError: it cannot be opened.
        """
        self.state(id)
        if self.member is None:
            with self.path.open("rb") as file:
                yield file
            return
        with _opened_archive(self.path, id) as archive:
            content = archive.read(_checked(archive, self.member, id))
        yield io.BytesIO(content)

    @contextlib.contextmanager
    def on_disk(self, id: str, neighbours: bool = False) -> Iterator[Path]:
        """The file as a path, for readers that need one: a member lies in a temporary folder, removed afterwards.

        Args:
            neighbours: with the other files of its folder.

        Raises:
            ShapeError: as `opened` does, or there are too many neighbours.
        """
        if self.member is None:
            yield self.path
            return
        with tempfile.TemporaryDirectory(prefix="nfgen-", ignore_cleanup_errors=True) as folder:
            with _opened_archive(self.path, id) as archive:
                _checked(archive, self.member, id)
                wanted = [self.member]
                if neighbours:
                    here = PurePosixPath(self.member).parent
                    wanted += [
                        name for name in archive.namelist()
                        if PurePosixPath(name).parent == here and name != self.member and not name.endswith("/")
                    ]  # fmt: skip
                size = sum(archive.getinfo(name).file_size for name in wanted)
                if len(wanted) > MAX_BESIDE or size > MAX_MEMBER_BYTES:
                    raise ShapeError(f"{id}: lies among too many files in its archive", "unpack the archive")
                for name in wanted:
                    # Plain names in one folder: no member can lead outside.
                    place = Path(folder, PurePosixPath(name).name)
                    place.write_bytes(archive.read(_checked(archive, name, id)))
            yield Path(folder, self.name)


@contextlib.contextmanager
def damage_named(id: str, problem: str) -> Iterator[None]:
    """Raise as a ShapeError whatever a parser raises on rubbish, which it may do in any way: it is the file's fault.

    Args:
        problem: what could not be done with the file.
    """
    try:
        yield
    except ShapeError:
        raise
    except OSError as error:
        raise ShapeError(f"{id}: cannot be opened ({error.strerror or error})", "check the file") from error
    except Exception as error:
        raise ShapeError(f"{id}: {problem} ({reason_of(error)})", "check the file") from error


@contextlib.contextmanager
def _opened_archive(path: Path, id: str) -> Iterator[zipfile.ZipFile]:
    """Open an archive, and say it plainly where it, or a member of it, is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (ShapeError, MemoryError):
        raise
    except Exception as error:  # of zipfile, zlib, bz2, lzma, or a place before the file
        problem = f"{id}: cannot be unpacked ({reason_of(error, 80)})"
        raise ShapeError(problem, "check or pack the archive again") from error


def _checked(archive: zipfile.ZipFile, member: str, id: str) -> zipfile.ZipInfo:
    info = archive.NameToInfo.get(member)
    if info is None:
        raise ShapeError(f"{id}: is no longer in its archive", "check the archive")
    if info.flag_bits & 1:
        raise ShapeError(f"{id}: is encrypted", "unpack the archive")
    if info.file_size > min(MAX_MEMBER_BYTES, DEFLATE * info.compress_size):
        raise ShapeError(
            f"{id}: claims {info.file_size:,} bytes, packed {info.compress_size:,}; the limit is {MAX_MEMBER_BYTES:,}",
            "unpack the archive",
        )
    if not info.file_size:
        raise ShapeError(f"{id}: the file is empty", "check the file")
    return info
