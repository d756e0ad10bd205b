"""GLB, the binary glTF 2.0 (https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html): one mesh, small.

Positions are single precision: steps of 16 bits would let vertices of a thin triangle fall together, and the surface
would be closed no more. Corners take two bytes where there are fewer than 65,536 vertices. A compact file has normals
of a byte an axis (KHR_mesh_quantization, 0.3 degrees) and texture coordinates of two: 281 kB for 20,000 triangles with
normals instead of 361. Blender and nfgen read them; but Assimp (assimp-py 1.1) takes such normals for floats, and
trimesh 5.2 such texture coordinates, so that it is no default.
"""

import json
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FLOAT, BYTE, USHORT, UINT = 5126, 5120, 5123, 5125
VERTICES, CORNERS = 34962, 34963  # what a buffer view is for
MOST_SHORT = 65_535  # index that restarts strips, which no vertex may have
MATTE = {"pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.8}}
"""Without a material a mesh is metal by the standard, which viewers draw dark."""
JSON_CHUNK, BINARY_CHUNK = 0x4E4F534A, 0x004E4942


def glb(
    vertices: Floats,
    faces: NDArray[np.int64],
    normals: Floats | None,
    uv: Floats | None,
    place: Floats | None,
    compact: bool,
) -> bytes:
    """The file of a mesh.

    Args:
        vertices: [v, 3], y up.
        normals: [v, 3] of unit length.
        uv: [v, 2] in [0, 1], from the top left corner of the texture.
        place: where a node puts the mesh.
        compact: normals and texture coordinates as small integers.
    """
    tree: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "nfgen"},
        "scene": 0,
        "scenes": [{"nodes": []}],
    }
    if not len(faces):
        return _container(tree, b"")
    buffer = _Buffer()
    attributes = {"POSITION": buffer.add(vertices.astype("<f4"), FLOAT, "VEC3", bounds=True)}
    if normals is not None and not compact:
        attributes["NORMAL"] = buffer.add(normals.astype("<f4"), FLOAT, "VEC3")
    elif normals is not None:
        padded = np.zeros((len(normals), 4), "i1")  # attributes begin at multiples of four bytes
        padded[:, :3] = np.rint(normals * 127)
        attributes["NORMAL"] = buffer.add(padded, BYTE, "VEC3", normalized=True)
        tree |= {"extensionsUsed": ["KHR_mesh_quantization"], "extensionsRequired": ["KHR_mesh_quantization"]}
    if uv is not None and not compact:
        attributes["TEXCOORD_0"] = buffer.add(uv.astype("<f4"), FLOAT, "VEC2")
    elif uv is not None:
        attributes["TEXCOORD_0"] = buffer.add(np.rint(uv * MOST_SHORT).astype("<u2"), USHORT, "VEC2", normalized=True)
    short = len(vertices) <= MOST_SHORT
    corners = buffer.add(
        faces.reshape(-1, 1).astype("<u2" if short else "<u4"), USHORT if short else UINT, "SCALAR", target=CORNERS
    )
    node: dict[str, Any] = {"mesh": 0}
    if place is not None:
        node["translation"] = place.tolist()
    tree["scenes"][0]["nodes"] = [0]
    tree |= {
        "nodes": [node],
        "meshes": [{"primitives": [{"attributes": attributes, "indices": corners, "material": 0}]}],
        "materials": [MATTE],
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.data)}],
    }
    return _container(tree, bytes(buffer.data))


class _Buffer:
    """Arrays behind one another, and where they are."""

    def __init__(self) -> None:
        self.data, self.views, self.accessors = bytearray(), list[dict[str, Any]](), list[dict[str, Any]]()

    def add(
        self,
        values: NDArray[Any],
        component: int,
        kind: str,
        *,
        normalized: bool = False,
        bounds: bool = False,
        target: int = VERTICES,
    ) -> int:
        """Add rows [n, width], and give the number of their accessor."""
        view = {"buffer": 0, "byteOffset": len(self.data), "byteLength": values.nbytes, "target": target}
        if target == VERTICES:
            view["byteStride"] = values.strides[0]
        accessor = {"bufferView": len(self.views), "componentType": component, "count": len(values), "type": kind}
        if normalized:
            accessor["normalized"] = True
        if bounds:
            accessor |= {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}
        self.data += values.tobytes() + bytes(-values.nbytes % 4)
        self.views.append(view)
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def _container(tree: dict[str, Any], data: bytes) -> bytes:
    text = json.dumps(tree, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), JSON_CHUNK) + text
    if data:
        chunks += struct.pack("<II", len(data), BINARY_CHUNK) + data
    return b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks
