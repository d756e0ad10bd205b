"""Artifacts: folders of a `config.json` and safetensors files, written whole or not at all."""

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nfgen import __version__
from nfgen.errors import ArtifactError
from nfgen.runtime.provenance import command

from .files import read_json, write_json

FORMAT = 1
"""Version of the artifact layout; raised when older readers could no longer understand it."""

CONFIG = "config.json"
PLAN = "plan.json"
"""What resumable work was told to do; it goes when the work is done."""

CANNOT_LOCK = (errno.EBADF, errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)


@contextlib.contextmanager
def writing(
    path: str | Path, kind: str, *, resume: bool = False, overwrite: bool = False, resumable: Sequence[str] = ()
) -> Iterator[Path]:
    """Write an artifact into a temporary sibling folder that takes its name only when all is there.

    Yields the folder `<path>.partial`. The body writes into it, `config.json` by `write_config`, which it does last. If
    the body fails, the partial folder stays for `resume=True` if it holds one of the `resumable` files (patterns), else
    it goes. A killed process leaves the partial folder, too; never half an artifact, and never none where one was.

    Raises:
        ArtifactError: if `path` exists and is not an artifact to overwrite, if another process is writing it, or
            if the disk refuses.
    """
    path, partial = Path(path), partial_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(partial, path):
            _undo_half_a_replacement(path)
            _check_free(path, resume, overwrite)
            _clean(partial, resume)
            try:
                yield partial
            except BaseException:
                if not any(True for pattern in resumable for _ in partial.glob(pattern)):
                    shutil.rmtree(partial, ignore_errors=True)
                raise
            if not (partial / CONFIG).exists():
                raise AssertionError(f"nothing wrote the config of this {kind}")
            _replace(partial, path)
    except OSError as error:
        raise ArtifactError(
            f"cannot write {path}: {error.strerror or error}", "check the disk and the folder's rights"
        ) from error


def partial_of(path: str | Path) -> Path:
    """Where an artifact is written until it is whole."""
    path = Path(path)
    return path.with_name(path.name + ".partial")


def _check_free(path: Path, resume: bool, overwrite: bool) -> None:
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    # --overwrite is for our own artifacts: it must not delete somebody's home for a slip of the keyboard.
    if overwrite and (path / CONFIG).is_file():
        return
    finished = resume and (path / CONFIG).is_file()
    problem = f"{path} is finished: there is nothing to resume" if finished else f"{path} exists already"
    raise ArtifactError(problem, "choose another --out, or say --overwrite")


def _clean(partial: Path, resume: bool) -> None:
    """Empty the folder, or leave what an interrupted process finished in it."""
    for entry in list(partial.rglob("*.tmp") if resume else partial.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _replace(partial: Path, path: Path) -> None:
    if path.exists():
        # A kill between the two renames is undone by the next writer: the old artifact is never lost.
        path.rename(_replaced(path))
    partial.rename(path)
    shutil.rmtree(_replaced(path), ignore_errors=True)


def _undo_half_a_replacement(path: Path) -> None:
    old = _replaced(path)
    if old.exists() and path.exists():
        shutil.rmtree(old)
    elif old.exists():
        old.rename(path)


def _replaced(path: Path) -> Path:
    return path.with_name(path.name + ".replaced")


@contextlib.contextmanager
def _locked(partial: Path, path: Path) -> Iterator[None]:
    """Make the partial folder and lock it. The lock is on the folder itself: it ends with the process, however that
    ends, and leaves no file behind. File systems that cannot lock folders (some network ones) go without."""
    import fcntl

    while True:
        partial.mkdir(exist_ok=True)
        handle = os.open(partial, os.O_RDONLY)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ArtifactError(
                    f"another process is writing {path}", "wait for it, or choose another --out"
                ) from error
            except OSError as error:
                if error.errno not in CANNOT_LOCK:
                    raise
            if not _is_open_as(partial, handle):
                continue  # the one before has just finished, and renamed or removed it
            try:
                yield
            finally:
                with contextlib.suppress(OSError):
                    if _is_open_as(partial, handle):
                        partial.rmdir()  # fails if something was written
            return
        finally:
            os.close(handle)


def _is_open_as(partial: Path, handle: int) -> bool:
    try:
        return os.path.samestat(partial.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def agree_on_plan(folder: Path, kind: str, plan: dict[str, Any]) -> None:
    """Keep the plan of resumable work, or check that of the interrupted one: parts of two plans do not belong together.

    Raises:
        ArtifactError: if the plan kept there is another one; it says what is different.
    """
    if not (folder / PLAN).exists():
        write_json(folder / PLAN, plan)
        return
    before, now = read_json(folder / PLAN), json.loads(json.dumps(plan))
    changed = [key for key in now if not isinstance(before, dict) or now[key] != before.get(key)]
    if changed:
        raise ArtifactError(
            f"the {kind} to resume had other {' and '.join(changed)}",
            "repeat its arguments, or start anew without --resume",
        )


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
    path = Path(path)
    if not path.is_dir() or not (path / CONFIG).is_file():
        what = "is not a folder that nfgen wrote" if path.exists() else "does not exist"
        raise ArtifactError(f"{path} {what}", "give the path of a finished artifact" + _unfinished(path))
    config = read_json(path / CONFIG)
    if not isinstance(config, dict) or "type" not in config or "format" not in config:
        raise ArtifactError(f"{path / CONFIG} is not an nfgen config", "give a folder that nfgen wrote")
    if config["format"] != FORMAT:
        raise ArtifactError(
            f"{path} has format {config['format']}, this nfgen reads {FORMAT}", "use the nfgen that wrote it"
        )
    if kind is not None and config["type"] != kind:
        raise ArtifactError(f"{path} holds {config['type']}, not {kind}", f"give a folder of {kind}")
    return {key: value for key, value in config.items() if key not in ("format", "type", "nfgen", "command")}


def kind_of(path: str | Path) -> str | None:
    """The kind of artifact at a path, or None if there is none."""
    try:
        read_config(path)
    except ArtifactError:
        return None
    return str(read_json(Path(path) / CONFIG)["type"])


def _unfinished(path: Path) -> str:
    return "; an unfinished one is there: say --resume where it was made" if partial_of(path).exists() else ""
