"""Small files of shapes, bit by bit, that claim whatever they are told to."""

import io
import json
import struct
import zipfile

import numpy as np
from PIL import Image


def obj(vertices: str, faces: str) -> bytes:
    lines = [f"v {v}" for v in vertices.split(",")] + [f"f {f}" for f in faces.split(",")]
    return "\n".join(lines).encode()


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def npy_claiming(shape: tuple[int, ...], dtype: str = "|u1") -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
    return stream.getvalue() + bytes(100)


def npz(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return stream.getvalue()


def glb(tree: dict) -> bytes:
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    return struct.pack("<4sIII4s", b"glTF", 2, 20 + len(text), len(text), b"JSON") + text


def idx(magic: int, shape: tuple[int, ...], data: bytes = b"") -> bytes:
    return struct.pack(f">I{len(shape)}I", magic, *shape) + data


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "png")
    return stream.getvalue()
