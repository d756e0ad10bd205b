"""Artifacts: folders of a `config.json` and safetensors files, written whole or not at all."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from . import __version__
from .errors import ArtifactError
from .provenance import command

FORMAT = 1
"""Version of the artifact layout; raised when older readers could no longer understand it."""

CONFIG = "config.json"
MAX_JSON_BYTES = 256 << 20  # config.json of a million fields is about 100 MB; more is not ours


@contextlib.contextmanager
def writing(
    path: str | Path, kind: str, *, resume: bool = False, overwrite: bool = False, resumable: Sequence[str] = ()
) -> Iterator[Path]:
    """Write an artifact into a temporary sibling folder that takes its name only when all is there.

    Yields the folder `<path>.partial`. The body writes into it, `config.json` by `write_config`. If the body fails,
    the partial folder stays for `resume=True` if it holds one of the `resumable` files (patterns), else it goes.

    Raises:
        ArtifactError: if `path` exists and is not an artifact to overwrite, if another process is writing it, or
            if the disk refuses.
    """
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    if path.exists() and not _replaceable(path, overwrite):
        raise ArtifactError(f"{path} exists already", "choose another --out, or say --overwrite")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            if partial.exists() and not resume:
                shutil.rmtree(partial)
            partial.mkdir(exist_ok=True)
            for unfinished in partial.rglob("*.tmp"):
                unfinished.unlink()
            try:
                yield partial
            except BaseException:
                if not any(True for pattern in resumable for _ in partial.glob(pattern)):
                    shutil.rmtree(partial, ignore_errors=True)
                raise
            if not (partial / CONFIG).exists():
                raise AssertionError(f"nothing wrote the config of this {kind}")
            if path.exists():
                shutil.rmtree(path)
            partial.rename(path)
    except OSError as error:
        raise ArtifactError(
            f"cannot write {path}: {error.strerror or error}", "check the disk and the folder's rights"
        ) from error


def _replaceable(path: Path, overwrite: bool) -> bool:
    if path.is_dir() and not any(path.iterdir()):
        return True
    # --overwrite is for our own artifacts: it must not delete somebody's home for a slip of the keyboard.
    return overwrite and (path / CONFIG).is_file()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    import fcntl

    lock = path.with_name(path.name + ".lock")
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ArtifactError(f"another process is writing {path}", "wait for it, or choose another --out") from error
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


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
    return (
        "; an unfinished one is there: say --resume where it was made"
        if path.with_name(path.name + ".partial").exists()
        else ""
    )


def write_json(path: Path, value: object) -> None:
    """Write JSON atomically; NaN and infinity are refused."""
    write_atomically(path, json.dumps(value, indent=1, allow_nan=False).encode())


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it, so that a reader sees all or nothing."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        ArtifactError: if it is missing, too large or not JSON (NaN and infinity are not).
    """
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise ArtifactError(f"{path} is larger than {MAX_JSON_BYTES} bytes", "give a file that nfgen wrote")
        return json.loads(path.read_bytes(), parse_constant=_refuse_constant)
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactError(f"cannot read {path}: {error}", "give a file that nfgen wrote") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write a safetensors file atomically.

    Raises:
        ArtifactError: if the disk refuses.
    """
    # Not safetensors' own save_file: it makes files that only their owner may read.
    content = save({key: tensor.detach().contiguous() for key, tensor in tensors.items()})
    try:
        write_atomically(path, content)
    except OSError as error:
        remedy = "check the disk and the folder's rights"
        raise ArtifactError(f"cannot write {path}: {error.strerror or error}", remedy) from error


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file.

    Raises:
        ArtifactError: if it is missing or damaged.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise ArtifactError(f"cannot read {path}: {error}", "give a file that nfgen wrote") from error
