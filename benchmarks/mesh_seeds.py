"""Mesh files in the harder dialects of their formats, for `fuzz.py` to damage."""

import json
import struct
from typing import Any

import numpy as np

CORNERS = np.array([[x, y, z] for x in (0.0, 2) for y in (0.0, 3) for z in (0.0, 4)])
SIDES = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
TRIANGLES = [[s[0], s[i], s[i + 1]] for s in SIDES for i in (1, 2)]
MIXED = TRIANGLES[:6] + SIDES[3:]
OUTLINE = [(0, 0), (4, 0), (4, 1), (1, 1), (1, 4), (0, 4)]
EXTRA = "property list uchar short extra"
LIST = "property list uchar int vertex_indices"


def rows(values: object) -> str:
    return "".join(" ".join(f"{value:g}" for value in row) + "\n" for row in np.asarray(values))


def off() -> str:
    coloured = np.hstack([CORNERS, np.full((8, 4), 0.5)])
    return f"COFF # a box\n8 9 0\n{rows(coloured)}# sides\n" + "".join(
        f"{len(f)} {' '.join(map(str, f))} 1 0 0\n" for f in MIXED
    )


def obj() -> str:
    points = [(x, y, z) for z in (0, 2) for x, y in OUTLINE]
    sides = "".join(f"f {i + 1}/1 {(i + 1) % 6 - 12}/1 \\\n {7 + (i + 1) % 6}//2 {7 + i}\n" for i in range(6))
    return (
        "".join(f"v\t{x} {y} {z} # corner\n" for x, y, z in points) + f"f 6 5 4 3 2 1\nf 7 8 9 10 11 12\n{sides}l 1 2\n"
    )


def stl() -> str:
    def solid(points: np.ndarray, end: str) -> str:
        facets = "".join(
            "facet normal 0 0 0\nouter loop\n" + "".join(f"vertex {row}\n" for row in rows(points[face]).splitlines())
            + "endloop\nendfacet\n" for face in TRIANGLES
        )  # fmt: skip
        return f"solid a vertex\n{facets}{end}\n"

    return solid(CORNERS, "end solid a") + solid(CORNERS + 10, "")


def ply(order: str) -> bytes:
    head = (
        f"ply\nformat binary_{'little' if order == '<' else 'big'}_endian 1.0\nelement vertex 8\n"
        f"{EXTRA}\nproperty float x\nproperty double y\nproperty short z\nelement face 9\n{LIST}\n"
        "element tristrips 1\nproperty list int int vertex_indices\nend_header\n"
    )
    points = b"".join(
        struct.pack(f"{order}B{i % 2}hfdh", i % 2, *[7] * (i % 2), x, y, int(z)) for i, (x, y, z) in enumerate(CORNERS)
    )
    faces = b"".join(struct.pack(f"{order}B{len(f)}i", len(f), *f) for f in MIXED)
    return head.encode() + points + faces + struct.pack(f"{order}i9i", 9, 0, 1, 2, 3, -1, 4, 5, 6, 7)


def glb() -> bytes:
    """A skinned part with sparse positions, a quantised one beside it, strips and fans, instances."""
    data, views, accessors = b"", list[dict[str, int]](), list[dict[str, object]]()

    def view(array: np.ndarray) -> int:
        nonlocal data
        data += bytes(-len(data) % 4)
        views.append({"buffer": 0, "byteOffset": len(data), "byteLength": array.nbytes})
        data += array.tobytes()
        return len(views) - 1

    def accessor(array: np.ndarray, component: int, kind: str, **more: object) -> int:
        accessors.append(
            {"bufferView": view(array), "componentType": component, "count": len(array), "type": kind, **more}
        )
        return len(accessors) - 1

    rows_changed, values = view(np.array([7], np.uint8)), view(np.float32([[2, 3, 5]]))
    sparse = {
        "count": 1,
        "indices": {"bufferView": rows_changed, "componentType": 5121},
        "values": {"bufferView": values},
    }
    skinned = {
        "POSITION": accessor(CORNERS.astype("<f4"), 5126, "VEC3", sparse=sparse),
        "JOINTS_0": accessor(np.tile(np.uint8([0, 1, 0, 0]), (8, 1)), 5121, "VEC4"),
        "WEIGHTS_0": accessor(np.tile(np.float32([0.5, 0.5, 0, 0]), (8, 1)), 5126, "VEC4"),
    }
    whole = {
        "POSITION": accessor(
            np.pad(CORNERS * 8000, ((0, 0), (0, 1))).astype("<i2")[:, :3].copy(), 5122, "VEC3", normalized=True
        )
    }
    triangles = accessor(np.ravel(TRIANGLES).astype(np.uint8), 5121, "SCALAR")
    strip = accessor(np.uint8([0, 1, 2, 3, 6, 7]), 5121, "SCALAR")
    bound = accessor(np.tile(np.eye(4, dtype="<f4").ravel(), (2, 1)), 5126, "MAT4")
    shifts = accessor(np.float32([[0, 0, 0], [9, 0, 0]]), 5126, "VEC3")
    tree = {
        "asset": {"version": "2.0"},
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(data)}],
        "extensionsUsed": ["KHR_mesh_quantization", "EXT_mesh_gpu_instancing"],
        "extensionsRequired": ["KHR_mesh_quantization"],
        "meshes": [
            {"primitives": [{"attributes": skinned, "indices": triangles, "targets": [whole]}], "weights": [0.5]},
            {"primitives": [{"attributes": whole, "indices": strip, "mode": 5}, {"attributes": whole, "mode": 6},
                            {"attributes": whole, "indices": triangles}]},
        ],
        "nodes": [
            {"mesh": 0, "skin": 0},
            {"children": [2], "rotation": [0, 0.6, 0, 0.8]},
            {"translation": [0, 0, 2], "scale": [1, 1, -1]},
            {"mesh": 1, "extensions": {"EXT_mesh_gpu_instancing": {"attributes": {"TRANSLATION": shifts}}}},
        ],
        "scenes": [{"nodes": [0, 1, 3]}],
        "skins": [{"joints": [1, 2], "inverseBindMatrices": bound}],
    }  # fmt: skip
    return _glb(tree, data)


def draco() -> bytes:
    """A part that Draco packed."""
    import DracoPy

    data = DracoPy.encode(CORNERS, np.array(TRIANGLES, np.uint32), quantization_bits=12)
    accessors = [
        {"componentType": 5126, "count": 8, "type": "VEC3"},
        {"componentType": 5121, "count": 36, "type": "SCALAR"},
    ]
    packed = {"KHR_draco_mesh_compression": {"bufferView": 0, "attributes": {"POSITION": 0}}}
    tree = {
        "asset": {"version": "2.0"},
        "accessors": accessors,
        "bufferViews": [{"buffer": 0, "byteLength": len(data)}],
        "buffers": [{"byteLength": len(data)}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1, "extensions": packed}]}],
        "nodes": [{"mesh": 0}],
        "scenes": [{"nodes": [0]}],
    }
    return _glb(tree, data)


def _glb(tree: dict[str, Any], data: bytes) -> bytes:
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    data += bytes(-len(data) % 4)
    head = struct.pack("<4sIII4s", b"glTF", 2, 28 + len(text) + len(data), len(text), b"JSON")
    return head + text + struct.pack("<I4s", len(data), b"BIN\0") + data


def dae() -> str:
    """A skinned part, a concave polygon, strips, instances of nodes."""

    def source(id: str, values: object, stride: int, tag: str = "float_array") -> str:
        flat = np.ravel(values)
        return (
            f'<source id="{id}"><{tag} count="{len(flat)}">{" ".join(map(str, flat))}</{tag}><technique_common>'
            f'<accessor count="{len(flat) // stride}" stride="{stride}"/></technique_common></source>'
        )

    points = [(x, y, z) for z in (0, 2) for x, y in OUTLINE]
    corners = "5 4 3 2 1 0 6 7 8 9 10 11 " + " ".join(f"{i} {(i + 1) % 6} {6 + (i + 1) % 6} {6 + i}" for i in range(6))
    vertex = '<input semantic="VERTEX" source="#v" offset="0"/>'
    weights = f"<vcount>{'2 ' * 12}</vcount><v>{'0 0 1 0 ' * 12}</v>"
    return (
        "<COLLADA><asset><up_axis>Y_UP</up_axis></asset><library_geometries>"
        f'<geometry id="g"><mesh>{source("p", points, 3)}<vertices id="v">'
        '<input semantic="POSITION" source="#p"/></vertices>'
        f'<polylist count="8">{vertex}<vcount>6 6 4 4 4 4 4 4</vcount><p>{corners}</p></polylist>'
        f'<tristrips count="1">{vertex}<p>0 1 2 3 4</p></tristrips></mesh></geometry></library_geometries>'
        f'<library_controllers><controller id="c"><skin source="#g">{source("j", ["a", "b"], 1, "Name_array")}'
        f"{source('i', np.tile(np.eye(4).ravel(), 2), 16)}{source('w', [0.5], 1)}"
        '<joints><input semantic="JOINT" source="#j"/><input semantic="INV_BIND_MATRIX" source="#i"/></joints>'
        '<vertex_weights count="12"><input semantic="JOINT" source="#j" offset="0"/>'
        f'<input semantic="WEIGHT" source="#w" offset="1"/>{weights}</vertex_weights></skin></controller>'
        "</library_controllers>"
        '<library_nodes><node id="n"><rotate>0 0 1 90</rotate><instance_geometry url="#g"/></node></library_nodes>'
        '<library_visual_scenes><visual_scene id="s">'
        '<node sid="a"><node sid="b"><translate>0 0 1</translate></node></node>'
        '<node><instance_controller url="#c"/></node><node><scale>1 -1 1</scale><instance_node url="#n"/></node>'
        "</visual_scene></library_visual_scenes><scene><instance_visual_scene url='#s'/></scene></COLLADA>"
    )


def threemf_parts() -> dict[str, bytes]:
    """A package whose build names a part of another file, twice over components, and a support."""
    space = (
        'xmlns="http://schemas.microsoft.com/3dmanufacturing/core/2015/02" '
        'xmlns:p="http://schemas.microsoft.com/3dmanufacturing/production/2015/06" requiredextensions="p"'
    )
    vertices = "".join(f'<vertex x="{x:g}" y="{y:g}" z="{z:g}"/>' for x, y, z in CORNERS)
    faces = "".join(f'<triangle v1="{a}" v2="{b}" v3="{c}"/>' for a, b, c in TRIANGLES)
    mesh = f"<mesh><vertices>{vertices}</vertices><triangles>{faces}</triangles></mesh>"
    use = '<component objectid="1" p:path="/3D/a.model" transform="1 0 0 0 1 0 0 0 -1 9 0 0"/>'
    root = (
        f'<model {space}><resources><object id="1" type="support">{mesh}</object><object id="2"><components>{use}{use}'
        '</components></object></resources><build><item objectid="2"/><item objectid="1"/>'
        '<item objectid="1" p:path="/3D/a.model"/></build></model>'
    )
    start = '<Relationships><Relationship Target="/3D/b.model" Type="http://x/3dmodel"/></Relationships>'
    part = f'<model {space}><resources><object id="1">{mesh}</object></resources><build/></model>'
    return {"_rels/.rels": start.encode(), "3D/b.model": root.encode(), "3D/a.model": part.encode()}
