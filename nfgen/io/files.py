"""Files of JSON and of tensors: written whole or not at all, and no claim of theirs is believed unchecked."""

import contextlib
import hashlib
import json
import math
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import load, load_file, save
from torch import Tensor

from nfgen.errors import ArtifactError, ConfigError

MAX_JSON_BYTES = 256 << 20  # fit_report.json of a million fields is about 170 MB; more is not ours
MAX_JSON_VALUES = 20_000_000  # a number takes some 40 bytes of memory, however few in the file
MAX_JSON_CONTAINERS = 2_000_000  # lists and objects: each takes some 200 bytes of memory, however few in the file
MOST_DIGITS = 300  # of a whole number: more are beyond the floats that it may become
TEMPORARY = ".*.nfgen-tmp"
"""Names of files that are not yet whole."""
OF_ARTIFACTS = ("*.safetensors", "config.json", "shard-*.json")
MAX_HEADER_BYTES = 4 << 20  # of a safetensors file: room for 40,000 tensors


def require_writable(folder: Path) -> None:
    """Find out before long work that its results can be written.

    Args:
        folder: need not exist.

    Raises:
        ArtifactError: neither it nor the folder that it would be made in can be written to.
    """
    try:
        there = folder
        while not there.exists():  # a name that is too long is an error here
            there = there.parent
        reason = "" if there.is_dir() else f"{there} is no folder"
        if there.is_dir() and not os.access(there, os.W_OK | os.X_OK):
            reason = f"{there} is read-only for you"
    except OSError as error:
        reason = error.strerror or str(error)
    if reason:
        raise ArtifactError(f"cannot write to {folder}: {reason}", "choose another --out")


@contextlib.contextmanager
def writable(path: str | Path, remedy: str = "check the disk and the folder's rights") -> Iterator[None]:
    """Write to a path in the block; an ArtifactError says why the disk refuses."""
    try:
        yield
    except OSError as error:
        raise ArtifactError(f"cannot write {path}: {error.strerror or error}", remedy) from error


def write_json(path: Path, value: object) -> None:
    """Write JSON atomically; NaN and infinity are refused."""
    write_atomically(path, json.dumps(value, indent=1, allow_nan=False).encode())


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` if the body ends well, so that a reader sees all or nothing."""
    # A name that nobody has; the first letters say whose it is, all of them might be too many for a name.
    temporary = path.with_name(f".{path.name[:40]}.{secrets.token_hex(8)}.nfgen-tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with replacing(path) as file:
        file.write(content)


def read_json(path: Path, most_values: int = MAX_JSON_VALUES) -> Any:
    """Read a JSON file.

    Args:
        most_values: that it may hold.

    Raises:
        ArtifactError: if it is missing, too large or not JSON (NaN and infinity are not).
    """
    remedy = "give a file that nfgen wrote"
    try:
        if path.exists() and not path.is_file():
            raise ArtifactError(f"{path} is not a regular file", remedy)
        if path.stat().st_size > MAX_JSON_BYTES:
            raise ArtifactError(f"{path} is larger than {MAX_JSON_BYTES:,} bytes", remedy)
        return parse_json(path.read_bytes(), most_values)
    except (OSError, ValueError) as error:
        raise ArtifactError(f"cannot read {path}: {error}", remedy) from error


def parse_json(content: bytes | str, most_values: int = MAX_JSON_VALUES) -> Any:
    """The one reader of JSON that comes from files.

    Raises:
        ValueError: if it is not JSON (NaN, infinity and numbers beyond the floats are not), nested too deeply, or of
            more values than the limits.
    """
    content = content.encode() if isinstance(content, str) else content
    containers, values = content.count(b"[") + content.count(b"{"), content.count(b",")
    if containers > MAX_JSON_CONTAINERS or values > most_values:
        raise ValueError(f"more than {MAX_JSON_CONTAINERS:,} lists and objects, or {most_values:,} values")
    try:
        return json.loads(content, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_whole)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large a number")
    return value


def _whole(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError(f"{text[:20]}… is too large a number")
    return int(text)


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write a safetensors file atomically.

    Raises:
        ArtifactError: if the disk refuses.
    """
    # Not safetensors' own save_file: it makes files that only their owner may read.
    content = save({key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()})
    with writable(path):
        write_atomically(path, content)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file: its tensors are mapped to memory, and only what is looked at is read.

    Raises:
        ArtifactError: if it is missing or damaged.
    """
    try:
        check_tensor_file(path)
        # Windows renames no folder that holds a mapped file, as an artifact does that is to be replaced.
        return load(path.read_bytes()) if sys.platform == "win32" else load_file(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise ArtifactError(f"cannot read {path}: {error}", "give a file that nfgen wrote") from error


def check_tensor_file(path: str | Path) -> None:
    """Refuse what cannot be a safetensors file, before anything that its header claims is believed.

    Raises:
        ArtifactError: if it is no regular file, or its header is longer than the file or the limit.
        OSError: if it cannot be opened.
    """
    path = Path(path)
    size = path.stat().st_size
    if not path.is_file():
        raise ArtifactError(f"{path} is not a regular file", "give a file that nfgen wrote")
    with path.open("rb") as file:
        header = int.from_bytes(file.read(8), "little")
    if size < 8 or header > min(size - 8, MAX_HEADER_BYTES):
        raise ArtifactError(
            f"{path} claims a header of {header:,} bytes; it has {size:,}, the limit is {MAX_HEADER_BYTES:,}",
            "give a file that nfgen wrote",
        )


def check_finite(tensors: dict[str, Tensor]) -> None:
    """Refuse stored weights that no training wrote.

    Raises:
        ConfigError: if a number is not finite.
    """
    wrong = [key for key, tensor in tensors.items() if tensor.is_floating_point() and not tensor.isfinite().all()]
    if wrong:
        raise ConfigError(f"its {wrong[0]} holds numbers that are not finite")


def content_digest(*paths: Path) -> str:
    """A fingerprint of what files hold; of a folder's, what an artifact is read from, and no report or score beside it.

    Raises:
        ArtifactError: if one cannot be read.
    """
    found = hashlib.sha256()
    for path in paths:
        inside = [file for name in OF_ARTIFACTS for file in sorted(path.rglob(name))]
        for file in inside if path.is_dir() else [path]:
            try:
                with file.open("rb") as stream:
                    one = hashlib.file_digest(stream, "sha256").hexdigest()
            except OSError as error:
                raise ArtifactError(f"cannot read {file}: {error.strerror or error}", "check the file") from error
            found.update(f"{file.relative_to(path).as_posix()} {one};".encode("utf-8", "surrogateescape"))
    return found.hexdigest()


def json_digest(value: object) -> str:
    """A fingerprint of what can be written as JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def digest(tensors: dict[str, Tensor]) -> str:
    """A fingerprint of tensors: equal for equal names, types, shapes and values."""
    found = hashlib.sha256()
    for key, tensor in sorted(tensors.items()):
        found.update(f"{key} {tensor.dtype} {tuple(tensor.shape)};".encode())
        found.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return found.hexdigest()
