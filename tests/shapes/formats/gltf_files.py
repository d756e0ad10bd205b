"""glTF files in the making."""

import base64
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from ..boxes import TRIANGLES


class Gltf:
    """A file in the making: the JSON, and the buffer that its accessors view."""

    def __init__(self) -> None:
        self.data = b""
        self.tree: dict[str, Any] = {"asset": {"version": "2.0"}, "accessors": [], "bufferViews": [], "meshes": []}
        self.tree |= {"nodes": [], "scenes": [{"nodes": []}], "scene": 0}

    def view(self, data: bytes, **more: Any) -> int:
        self.data += bytes(-len(self.data) % 4)
        self.tree["bufferViews"].append({"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data), **more})
        self.data += data
        return len(self.tree["bufferViews"]) - 1

    def accessor(self, values: Any, kind: str, stride: int = 0, **more: Any) -> int:
        array = np.asarray(values, KINDS[kind][1])
        width = 1 if array.ndim == 1 else array.shape[1]
        data = array.tobytes()
        if stride:
            data = b"".join(row.tobytes().ljust(stride, b"\xee") for row in array)
            more |= {"bufferView": self.view(data, byteStride=stride)}
        elif "bufferView" not in more:
            more["bufferView"] = self.view(data)
        kinds = {1: "SCALAR", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
        self.tree["accessors"].append(
            {"componentType": KINDS[kind][0], "count": len(array), "type": kinds[width], **more}
        )
        return len(self.tree["accessors"]) - 1

    def part(self, points: Any, faces: Any = TRIANGLES, node: Any = None, **more: Any) -> dict[str, Any]:
        primitive = {"attributes": {"POSITION": self.accessor(points, "f4")}, **more}
        if faces is not None:
            primitive["indices"] = self.accessor(np.ravel(faces), "u2")
        self.place([primitive], **(node or {}))
        return primitive

    def place(self, primitives: list[Any], **node: Any) -> None:
        self.tree["meshes"].append({"primitives": primitives})
        self.tree["nodes"].append({"mesh": len(self.tree["meshes"]) - 1, **node})
        self.tree["scenes"][0]["nodes"].append(len(self.tree["nodes"]) - 1)

    def write(self, path: Path) -> Path:
        self.tree["buffers"] = [{"byteLength": len(self.data)}]
        if path.suffix == ".gltf":
            self.tree["buffers"][0]["uri"] = "data:;base64," + base64.b64encode(self.data).decode()
            path.write_text(json.dumps(self.tree))
            return path
        text = json.dumps(self.tree).encode()
        text += b" " * (-len(text) % 4)
        body = self.data + bytes(-len(self.data) % 4)
        path.write_bytes(
            struct.pack("<4sIII4s", b"glTF", 2, 28 + len(text) + len(body), len(text), b"JSON")
            + text
            + struct.pack("<I4s", len(body), b"BIN\0")
            + body
        )
        return path


KINDS = {"i1": (5120, "i1"), "u1": (5121, "u1"), "i2": (5122, "<i2"), "u2": (5123, "<u2"), "u4": (5125, "<u4")}
KINDS |= {"f4": (5126, "<f4")}
