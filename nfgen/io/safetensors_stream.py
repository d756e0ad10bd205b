"""A safetensors file written row by row, for tensors that had better never be in memory as a whole."""

import contextlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from . import files

NAMES = {
    torch.int64: "I64",
    torch.float64: "F64",
    torch.float32: "F32",
    torch.int32: "I32",
    torch.float16: "F16",
    torch.bool: "BOOL",
}
"""What the format calls the types, in the order of its own library: wide ones first, so that all begin at a multiple of
their width."""

TensorLayout = Mapping[str, tuple[torch.dtype, tuple[int, ...]]]
"""Type and shape of each tensor."""


class TensorWriter:
    """Takes the rows of each tensor in their order; made by `writing_tensors`."""

    def __init__(self, file: BinaryIO, layout: TensorLayout) -> None:
        order = list(NAMES)
        self._file, self._layout = file, dict(layout)
        self._places: dict[str, int] = {}
        header, end = {}, 0
        for key in sorted(layout, key=lambda key: (order.index(layout[key][0]), key)):
            dtype, shape = layout[key]
            self._places[key], start = end, end
            end += dtype.itemsize * math.prod(shape)
            header[key] = {"dtype": NAMES[dtype], "shape": list(shape), "data_offsets": [start, end]}
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        file.write(len(text).to_bytes(8, "little") + text)
        self._begin = 8 + len(text)
        self._rows = dict.fromkeys(layout, 0)
        file.truncate(self._begin + end)

    def append(self, key: str, rows: Tensor) -> None:
        """Write the next rows of a tensor.

        Raises:
            ValueError: if they are of another type or width than was claimed, or too many.
        """
        dtype, shape = self._layout[key]
        if rows.dtype != dtype or tuple(rows.shape[1:]) != shape[1:] or self._rows[key] + len(rows) > shape[0]:
            raise ValueError(f"rows of {rows.dtype} {tuple(rows.shape)} do not go on {key}, {dtype} {shape}")
        content = rows.detach().contiguous().flatten().view(torch.uint8).numpy()
        self._file.seek(self._begin + self._places[key])
        self._file.write(content.data)
        self._places[key] += content.nbytes
        self._rows[key] += len(rows)

    def check_whole(self) -> None:
        """Refuse to end before every row is there.

        Raises:
            ValueError: if one is missing.
        """
        short = [key for key, (_, shape) in self._layout.items() if self._rows[key] != shape[0]]
        if short:
            raise ValueError(f"{short[0]} has {self._rows[short[0]]} of {self._layout[short[0]][1][0]} rows")


@contextlib.contextmanager
def writing_tensors(path: Path, layout: TensorLayout) -> Iterator[TensorWriter]:
    """Write a safetensors file, whole or not at all: the body appends the rows.

    Raises:
        ArtifactError: if the disk refuses.
        ValueError: if the body appends other rows than were claimed.
    """
    with files.writable(path), files.replacing(path) as file:
        writer = TensorWriter(file, layout)
        yield writer
        writer.check_whole()


def join_tensors(path: Path, paths: Sequence[Path], count: int, whole: Mapping[str, Tensor] | None = None) -> None:
    """Put the tensors of several safetensors files one below the other into one file; one of them is read at a time.

    Args:
        paths: one at least, all with the same names, types and widths.
        count: rows of all of them together.
        whole: further tensors, of any number of rows.

    Raises:
        ArtifactError: if a file cannot be read, or the disk refuses.
        ValueError: if they do not go together.
    """
    layout = {key: (tensor.dtype, (count, *tensor.shape[1:])) for key, tensor in files.read_tensors(paths[0]).items()}
    layout |= {key: (tensor.dtype, tuple(tensor.shape)) for key, tensor in (whole or {}).items()}
    with writing_tensors(path, layout) as writer:
        for key, tensor in (whole or {}).items():
            writer.append(key, tensor)
        for file in paths:
            for key, tensor in files.read_tensors(file).items():
                writer.append(key, tensor)
