"""glTF 2.0, as JSON or GLB (https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html): the meshes of its scene."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ShapeError
from nfgen.io.files import parse_json

from .file_mesh import Assembly, Faces, FileMesh, Vertices, check_count, no_faces
from .gltf_accessors import Accessors
from .gltf_draco import DRACO
from .gltf_nodes import Nodes, matrices
from .limits import MAX_GLTF_JSON, check_gltf
from .polygons import fan, strips

HARMLESS = (
    "KHR_materials_",
    "KHR_texture_",
    "EXT_texture_",
    "MSFT_texture_",
    "KHR_lights_",
    "KHR_technique",
    "KHR_xmp",
)
KNOWN = {
    DRACO,
    "KHR_mesh_quantization",
    "EXT_mesh_gpu_instancing",
    "KHR_animation_pointer",
    "MSFT_lod",
    "KHR_node_visibility",
}
TRIANGLES = {4, 5, 6}  # and strips and fans; the other modes are points and lines


def read_gltf(path: Path) -> FileMesh:
    """Read a `.gltf` or `.glb`: the scene that it shows, skinned meshes in the pose of their joints.

    Raises:
        ShapeError: glTF 1.0, an extension that is needed and not supported, or data that are not there.
    """
    tree, chunk = _container(path)
    _check_version(tree)
    check_gltf(tree, path)
    accessors, nodes = Accessors(tree, chunk, path.parent), Nodes(tree)
    assembly, others = Assembly(), set[str]()
    shown: dict[tuple[int, tuple[float, ...], int | None], list[NDArray[np.float64]]] = defaultdict(list)
    for node, world in nodes.placed():
        properties = tree["nodes"][node]
        weights = properties.get("weights", tree["meshes"][properties["mesh"]].get("weights", ()))
        # A skinned mesh stands where its joints are: its node's own transform does not count.
        at = np.eye(4)[None] if "skin" in properties else _instances(properties, accessors, world)
        shown[properties["mesh"], tuple(weights), properties.get("skin")].append(at)
    for (number, weights, skin), placements in shown.items():
        for primitive in tree["meshes"][number]["primitives"]:
            if primitive.get("mode", 4) not in TRIANGLES:
                others.add("lines" if primitive.get("mode") in (1, 2, 3) else "points")
                continue
            vertices, faces = _primitive(primitive, accessors, weights)
            if skin is not None:
                vertices = _skinned(vertices, primitive["attributes"], tree["skins"][skin], accessors, nodes)
            assembly.add(vertices, faces, np.concatenate(placements))
    mesh = assembly.mesh("y")
    if not len(mesh.faces):
        if tree.get("meshes") and not others:
            others.add(f"{len(tree['meshes']):,} meshes that its scene does not place")
        raise no_faces(0, sorted(others))
    return mesh


def _container(path: Path) -> tuple[dict[str, Any], bytes]:
    """Give the JSON and the binary chunk of a GLB."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(20)
        if head[:4] != b"glTF":
            if size > MAX_GLTF_JSON:
                raise ShapeError(f"its JSON is larger than {MAX_GLTF_JSON:,} bytes", "put the data into buffers")
            return _parsed(head + file.read()), b""
        if int.from_bytes(head[4:8], "little") != 2:
            raise ShapeError(f"is glTF {int.from_bytes(head[4:8], 'little')}.0", "export it as glTF 2.0")
        length = int.from_bytes(head[12:16], "little")
        if length > MAX_GLTF_JSON or head[16:20] != b"JSON":
            raise ShapeError(f"its JSON is larger than {MAX_GLTF_JSON:,} bytes, or none", "put the data into buffers")
        tree = _parsed(file.read(length))
        head = file.read(8)
        length = int.from_bytes(head[:4], "little") if head[4:8] == b"BIN\0" else 0
        chunk = file.read(min(length, size))
    check_count("bytes of data", length, len(chunk))
    return tree, chunk


def _parsed(text: bytes) -> dict[str, Any]:
    tree = parse_json(text)
    if not isinstance(tree, dict):
        raise ShapeError("its JSON is no glTF", "check the file")
    return tree


def _check_version(tree: dict[str, Any]) -> None:
    version = str(tree.get("asset", {}).get("version", "none"))
    if not version.startswith("2.") or str(tree["asset"].get("minVersion", "2.0")) not in ("2.0", "2.1"):
        raise ShapeError(f"is glTF {version[:8]}, not 2.0", "export it as glTF 2.0")
    for name in tree.get("extensionsRequired", []):
        if name not in KNOWN and not str(name).startswith(HARMLESS):
            packing = "compression" if "compression" in str(name) else "this extension"
            raise ShapeError(f"requires the extension {name}, which is not supported", f"export it without {packing}")


def _primitive(primitive: dict[str, Any], accessors: Accessors, weights: tuple[float, ...]) -> tuple[Vertices, Faces]:
    """Give vertices [v, 3] and triangles [f, 3] of one primitive, in the mesh's frame."""
    attributes = primitive["attributes"]
    faces = None
    if DRACO in primitive.get("extensions", {}):  # beside which a file may hold the same plainly
        listed = [one for one in (attributes.get("POSITION"), primitive.get("indices")) if one is not None]
        if any(accessors.is_empty(one) for one in listed):
            faces = accessors.unpack_draco(primitive)
    if attributes.get("POSITION") is None:
        raise ShapeError("a part has no positions", "export the file again")
    vertices = accessors.read(attributes["POSITION"])
    if vertices.shape[1:] != (3,):
        raise ShapeError("a part has positions of other than three numbers", "export the file again")
    for weight, target in zip(weights, primitive.get("targets", []), strict=False):
        if weight and "POSITION" in target:
            vertices = vertices + weight * accessors.read(target["POSITION"])
    if faces is not None:
        return vertices, faces
    corners = np.arange(len(vertices))
    if primitive.get("indices") is not None:
        corners = accessors.read_indices(primitive["indices"])
    mode = primitive.get("mode", 4)
    if mode == 4:
        if len(corners) % 3:
            raise ShapeError(f"a part has {len(corners):,} corners, no multiple of three", "export the file again")
        return vertices, corners.reshape(-1, 3)
    return vertices, strips(corners) if mode == 5 else fan(corners)


def _instances(properties: dict[str, Any], accessors: Accessors, world: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the matrices [p, 4, 4] that a node places its mesh by."""
    instancing = properties.get("extensions", {}).get("EXT_mesh_gpu_instancing")
    if instancing is None:
        return world[None]
    found = {name: accessors.read(index) for name, index in instancing["attributes"].items()}
    count = len(next(iter(found.values())))
    return world @ matrices(
        found.get("TRANSLATION", np.zeros((count, 3))),
        found.get("ROTATION", np.tile([0.0, 0, 0, 1], (count, 1))),
        found.get("SCALE", np.ones((count, 3))),
    )


def _skinned(
    vertices: Vertices, attributes: dict[str, int], skin: dict[str, Any], accessors: Accessors, nodes: Nodes
) -> Vertices:
    """Take vertices where the joints of their skin carry them."""
    joints = nodes.worlds(skin["joints"])
    if "inverseBindMatrices" in skin:
        # Column by column, as all matrices of glTF.
        joints = joints @ accessors.read(skin["inverseBindMatrices"]).reshape(-1, 4, 4)[: len(joints)].swapaxes(1, 2)
    moved, total = np.zeros_like(vertices), np.zeros((len(vertices), 1))
    for i in range(8):
        if f"JOINTS_{i}" not in attributes:
            break
        chosen = accessors.read_indices(attributes[f"JOINTS_{i}"])
        weights = accessors.read(attributes[f"WEIGHTS_{i}"])
        if chosen.size and (chosen.max() >= len(joints) or len(chosen) != len(vertices) != len(weights)):
            raise ShapeError("a skin names joints that it does not have", "export the file again")
        for joint, weight in zip(chosen.T, weights.T, strict=True):
            matrices = joints[joint]
            placed = np.einsum("vij,vj->vi", matrices[:, :3, :3], vertices) + matrices[:, :3, 3]
            moved += weight[:, None] * placed
            total += weight[:, None]
    with np.errstate(all="ignore"):
        return np.where(total > 0, moved / total, vertices)
