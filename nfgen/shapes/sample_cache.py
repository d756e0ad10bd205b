"""Samples on disk, so that a second fit of the same shapes does not sample again."""

import hashlib
import json
import os
from functools import lru_cache
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from nfgen.errors import ArtifactError, NfgenError
from nfgen.io.files import check_tensor_file, parse_json
from nfgen.runtime.machine import is_running

from .base import Samples, Shape, Transform
from .shape_ref import ShapeRef

FORMAT = 3  # raised whenever loading or sampling gives other values, so that older samples are not taken for new ones

Kept = tuple[Transform, Samples, tuple[str, ...], float]
"""Transform, samples, what reading said, and the share of the surface that is lost."""


class SampleCache:
    """A folder of samples, one safetensors file a shape, named by the content of the shape's file and the arguments.

    Files are written whole or not at all, so many processes may share a folder; one that cannot be read is as good as
    absent. A `.gltf` is not kept, since its vertices lie in other files. Delete the folder to empty the cache.

    Args:
        near, uniform, seed: of the samples, see `sample_shapes`.
    """

    def __init__(self, folder: Path, near: int, uniform: int, seed: int) -> None:
        self.folder, self._count, self._drawn = folder, near + uniform, (near, uniform, seed)

    def read(self, ref: ShapeRef) -> Kept | None:
        """Give what was written for the same arguments, or None."""
        path = self._path(ref)
        if path is None or not path.is_file():
            return None
        try:
            check_tensor_file(path)
            with safe_open(path, framework="numpy") as file:
                about = parse_json(file.metadata()["shape"])
                transform = Transform.from_json(about["transform"])
                notes, lost = tuple(map(str, about["notes"])), float(about["lost"])
                samples = Samples(file.get_tensor("points"), file.get_tensor("values"))
        except (OSError, SafetensorError, ValueError, KeyError, TypeError, RecursionError, NfgenError):
            return None
        complete = samples.points.shape == (self._count, ref.dims) and samples.values.shape == (self._count,)
        return (transform, samples, notes, lost) if complete and np.isfinite(samples.values).all() else None

    def write(self, ref: ShapeRef, shape: Shape, samples: Samples) -> None:
        """Keep the samples of a shape, and what reading it said.

        Raises:
            ArtifactError: the folder cannot be written.
        """
        path = self._path(ref)
        if path is None:
            return
        about = {"transform": shape.transform.to_json(), "notes": shape.notes, "lost": shape.lost}
        data = save(samples._asdict(), {"shape": json.dumps(about)})
        temporary = path.with_suffix(f".{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(data)
            temporary.replace(path)
            for other in path.parent.glob(f"{path.stem}.*"):
                if other.suffix[1:].isdigit() and not is_running(int(other.suffix[1:])):
                    other.unlink(missing_ok=True)  # of a process that was killed
        except OSError as error:
            temporary.unlink(missing_ok=True)
            problem = f"cannot write the cache {self.folder} ({error.strerror})"
            raise ArtifactError(problem, "free some space") from error

    def _path(self, ref: ShapeRef) -> Path | None:
        if ref.problem is not None or ref.path.suffix.lower() == ".gltf":
            return None
        try:
            status = ref.path.stat()
            content = _content_hash(ref.path, status.st_mtime_ns, status.st_size)
        except OSError:
            return None
        how_read = [ref.id, ref.index, ref.kind, ref.normalize, ref.member, ref.reading.to_json()]
        key = hashlib.sha256(json.dumps([FORMAT, content, *how_read, *self._drawn]).encode()).hexdigest()
        return self.folder / key[:2] / f"{key}.safetensors"


@lru_cache(maxsize=64)
def _content_hash(path: Path, changed: int, size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
