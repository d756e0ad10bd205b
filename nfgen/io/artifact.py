"""Artifacts: folders of a `config.json` and safetensors files, written whole or not at all."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nfgen import __version__
from nfgen.errors import ArtifactError
from nfgen.runtime.provenance import command

from .files import TEMPORARY, read_json, write_json

FORMAT = 1
"""Version of the artifact layout; raised when older readers could no longer understand it."""

CONFIG = "config.json"
MOST_VALUES = 4_000_000  # in it: the ids of a million fields, four times over

UNFINISHED = ".nfgen-unfinished"
"""Empty file in a folder that nfgen fills or empties: all that is in the folder is nfgen's to remove."""

CANNOT_LOCK = (errno.EBADF, errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
SIBLINGS = ("partial", "replaced", "lock")
LOCK_SECONDS = 0.2  # enough to try again if a lock's last holder has just removed its file


@contextlib.contextmanager
def writing(
    path: str | Path, kind: str, *, resume: bool = False, overwrite: bool = False, resumable: Sequence[str] = ()
) -> Iterator[Path]:
    """Write an artifact into a temporary sibling folder that takes its name only when all is there.

    Yields the folder of `partial_of(path)`. The body writes into it, `config.json` by `write_config`, which it does
    last. If the body fails, the partial folder stays for `resume=True` if it holds one of the `resumable` files
    (patterns), else it goes. A killed process leaves the partial folder, too; never half an artifact, and never none
    where one was.

    Nothing is removed but what nfgen wrote: an artifact, known by its `config.json`, if `overwrite` is set, and partial
    folders, known by their `UNFINISHED`. A path that is a link stays one; the artifact is where it points to.

    Raises:
        ArtifactError: if `path` exists and is not an artifact to overwrite, if unfinished work is there that is neither
            resumed nor overwritten, if the folder cannot be replaced (a mount point), if another process is writing it,
            or if the disk refuses.
    """
    given, path, partial = path, resolved(path), partial_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path, given):
            _undo_half_a_replacement(path)
            _check_free(path, given, resume, overwrite)
            _begin(partial, given, resume, overwrite, resumable)
            try:
                yield partial
            except BaseException:
                if not _holds(partial, resumable):
                    with contextlib.suppress(OSError):
                        _remove(partial)
                raise
            if not (partial / CONFIG).exists():
                raise AssertionError(f"nothing wrote the config of this {kind}")
            _check_free(path, given, False, overwrite)  # again: hours may have passed
            _replace(partial, path)
    except OSError as error:
        named = None if error.filename is None else Path(os.fsdecode(error.filename))
        # What is read for it may be missing, too.
        elsewhere = named is not None and path.parent not in named.parents and named not in path.parents
        what = f"cannot open {named}" if elsewhere else f"cannot write {given}"
        raise ArtifactError(f"{what}: {error.strerror or error}", "check the disk and the folder's rights") from error


def resolved(path: str | Path) -> Path:
    """The place of a folder to write: absolute, links followed.

    Raises:
        ArtifactError: if it cannot be a folder of its own.
    """
    try:
        place = Path(path).resolve()
        here = Path.cwd()
        if place.is_symlink():  # from Python 3.13 on `resolve` leaves them
            raise RuntimeError("links in a circle")
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, a NUL
        raise ArtifactError(f"{str(path)!r} is no path ({error})", "choose another --out") from error
    if place == here or place in here.parents:
        raise ArtifactError(f"{str(path)!r} is the folder you are in, or one around it", "name a folder of its own")
    return place


def partial_of(path: str | Path) -> Path:
    """Where an artifact is written until it is whole."""
    return _sibling(resolved(path), "partial")


def _sibling(path: Path, what: str) -> Path:
    return path.with_name(f".{path.name}.nfgen-{what}")


def is_temporary(path: Path) -> bool:
    """Whether a path is a partial folder or the like, which is there only while an artifact is written."""
    return path.name.startswith(".") and path.name.endswith(tuple(f".nfgen-{what}" for what in SIBLINGS))


def is_artifact(path: Path) -> bool:
    """Whether nfgen wrote the folder: its `config.json` says so."""
    if not path.is_dir() or not (path / CONFIG).is_file():
        return False
    try:
        config = read_json(path / CONFIG)
    except ArtifactError:
        return False
    return isinstance(config, dict) and {"format", "type", "nfgen"} <= config.keys()


def remove_artifact(path: Path) -> None:
    """Remove an artifact.

    Raises:
        ArtifactError: if nfgen did not write it, or it is a link.
    """
    if path.is_symlink() or not is_artifact(path):
        raise ArtifactError(f"{path} is not a folder that nfgen wrote", "move it away")
    _remove(path)


def _check_free(path: Path, given: str | Path, resume: bool, overwrite: bool) -> None:
    if not path.exists():
        return
    if _is_mounted(path):
        raise ArtifactError(
            f"{given} is a mount point, which cannot be replaced",
            f"choose a folder in it, such as {Path(given, 'out')}",
        )
    if path.is_dir() and not any(path.iterdir()):
        return
    # --overwrite is for our own artifacts: it must not delete somebody's home for a slip of the keyboard.
    ours = is_artifact(path)
    if overwrite and ours:
        return
    problem = f"{given} is finished: there is nothing to resume" if resume and ours else f"{given} exists already"
    remedy = "choose another --out" + (", or say --overwrite" if ours else "; nfgen did not write this one")
    raise ArtifactError(problem, remedy)


def _is_mounted(path: Path) -> bool:
    if os.path.ismount(path) or os.name == "nt":
        return os.path.ismount(path)
    import psutil

    # os.path.ismount does not see a folder that is mounted from the same disk.
    return any(str(path) == mount.mountpoint for mount in psutil.disk_partitions(all=True))


def _begin(partial: Path, given: str | Path, resume: bool, overwrite: bool, resumable: Sequence[str]) -> None:
    """Make the partial folder, empty unless work that an interrupted process left there is to be resumed."""
    _require_ours(partial)
    if partial.exists() and not resume:
        if _holds(partial, resumable) and not overwrite:
            raise ArtifactError(
                f"{given} was begun and is not finished", "go on with --resume, or begin anew with --overwrite"
            )
        _remove(partial)
    partial.mkdir(exist_ok=True)
    (partial / UNFINISHED).touch()
    for unfinished in list(partial.rglob(TEMPORARY)):
        unfinished.unlink()


def _holds(partial: Path, resumable: Sequence[str]) -> bool:
    return any(True for pattern in resumable for _ in partial.glob(pattern))


def _require_ours(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and not _is_ours(folder)):
        raise ArtifactError(f"{folder} is in the way: nfgen did not write it", "move it away")


def _is_ours(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    return (folder / UNFINISHED).is_file() or is_artifact(folder) or not any(folder.iterdir())


def _remove(folder: Path) -> None:
    """Remove a folder of ours; if that is cut off, what is left is known as ours."""
    (folder / UNFINISHED).touch()
    for entry in list(folder.iterdir()):
        if entry.name == UNFINISHED:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    (folder / UNFINISHED).unlink()
    folder.rmdir()


def _replace(partial: Path, path: Path) -> None:
    (partial / UNFINISHED).unlink()
    old = _sibling(path, "replaced")
    if path.exists() and not any(path.iterdir()):
        path.rmdir()
    elif path.exists():
        # A kill between the two renames is undone by the next writer: the old artifact is never lost.
        path.rename(old)
    partial.rename(path)
    if old.exists():
        with contextlib.suppress(OSError):
            _remove(old)


def _undo_half_a_replacement(path: Path) -> None:
    old = _sibling(path, "replaced")
    _require_ours(old)
    if old.exists() and path.exists():
        _remove(old)
    elif old.exists():
        old.rename(path)


@contextlib.contextmanager
def _locked(path: Path, given: str | Path) -> Iterator[None]:
    """Lock a sibling file. The lock ends with the process, however that ends; the file goes when the work ends, or
    the next work. File systems that cannot lock (some network ones) go without."""
    from filelock import FileLock, Timeout

    lock = FileLock(_sibling(path, "lock"), timeout=LOCK_SECONDS)
    try:
        lock.acquire()
    except Timeout as error:
        raise ArtifactError(f"another process is writing {given}", "wait for it, or choose another --out") from error
    except OSError as error:
        if error.errno not in CANNOT_LOCK:
            raise
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            Path(lock.lock_file).unlink()  # before the release: whoever waits for this one begins with a new file
        lock.release()


def write_config(folder: Path, kind: str, settings: dict[str, Any]) -> None:
    """Write `config.json` with the artifact's kind, settings and command line; values must be JSON and finite."""
    made_by = command()
    head = {"format": FORMAT, "type": kind, "nfgen": __version__} | ({} if made_by is None else {"command": made_by})
    write_json(folder / CONFIG, head | settings)


def read_config(path: str | Path, kind: str | None = None) -> dict[str, Any]:
    """Read `config.json`, without the head keys: format, type, version, command line.

    Raises:
        ArtifactError: if the folder is no artifact, or not of this kind.
    """
    return without_head(read_whole_config(path, kind))


def without_head(config: dict[str, Any]) -> dict[str, Any]:
    """The keys of a config that are not of the head."""
    return {key: value for key, value in config.items() if key not in ("format", "type", "nfgen", "command")}


def read_whole_config(path: str | Path, kind: str | None = None) -> dict[str, Any]:
    """Read `config.json` with its head: format, type, version, command line.

    Raises:
        ArtifactError: if the folder is no artifact, or not of this kind.
    """
    path = Path(path)
    if not path.is_dir() or not (path / CONFIG).is_file():
        what = "is not a folder that nfgen wrote" if path.exists() else "does not exist"
        raise ArtifactError(f"{path} {what}", "give the path of a finished artifact" + _unfinished(path))
    config = read_json(path / CONFIG, MOST_VALUES)
    if not isinstance(config, dict) or "type" not in config or "format" not in config:
        raise ArtifactError(f"{path / CONFIG} is not an nfgen config", "give a folder that nfgen wrote")
    if config["format"] != FORMAT:
        raise ArtifactError(
            f"{path} has format {config['format']}, this nfgen reads {FORMAT}", "use the nfgen that wrote it"
        )
    if kind is not None and config["type"] != kind:
        raise ArtifactError(f"{path} holds {config['type']}, not {kind}", f"give a folder of {kind}")
    return config


def kind_of(path: str | Path) -> str | None:
    """The kind of artifact at a path, or None if there is none."""
    try:
        return str(read_whole_config(path)["type"])
    except ArtifactError:
        return None


def _unfinished(path: Path) -> str:
    path = path.absolute()
    begun = path.name and _sibling(path, "partial").exists()
    return "; an unfinished one is there: say --resume where it was made" if begun else ""
