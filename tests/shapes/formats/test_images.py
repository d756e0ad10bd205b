"""Image files: IDX with the labels beside it, and pictures as brightness."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nfgen.shapes import find_shapes


def write_idx(path: Path, array: np.ndarray) -> None:
    data = struct.pack(f">I{array.ndim}I", 0x800 | array.ndim, *array.shape) + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.mark.parametrize("end", ["", ".gz"])
def test_idx_images_take_the_labels_beside_them(end: str, tmp_path: Path) -> None:
    images = np.zeros((3, 8, 8), np.uint8)
    images[:, 2:6, 2:6] = 255
    write_idx(tmp_path / f"train-images-idx3-ubyte{end}", images)
    assert [ref.label for ref in find_shapes(tmp_path)] == [None] * 3
    write_idx(tmp_path / f"train-labels-idx1-ubyte{end}", np.array([7, 0, 2]))
    refs = find_shapes(tmp_path, kind="brightness")
    assert [(ref.id.split("#")[1], ref.label, ref.dims) for ref in refs] == [
        ("0", "7", 2),
        ("1", "0", 2),
        ("2", "2", 2),
    ]
    assert refs[1].load().value(np.array([[0.0, 0.0], [0.9, 0.9]])).tolist() == [1, 0]


def test_pictures_are_read_as_brightness(tmp_path: Path) -> None:
    pixels = np.zeros((16, 16), np.uint8)
    pixels[4:12, 4:12] = 255
    Image.fromarray(pixels).save(tmp_path / "grey.png")
    Image.fromarray(np.stack([pixels] * 3, axis=-1)).save(tmp_path / "colour.jpg", quality=100)
    clear = np.full((16, 16, 4), 255, np.uint8)
    clear[..., 3] = pixels
    Image.fromarray(clear).save(tmp_path / "clear.png")
    Image.fromarray(pixels.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    refs = find_shapes(tmp_path, kind="brightness")
    assert len(refs) == 4
    for ref in refs:
        np.testing.assert_allclose(ref.load().value(np.array([[0, 0], [0.9, 0.9]])), [1, 0], atol=0.02)
