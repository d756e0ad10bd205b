"""glTF, COLLADA and 3MF: parts, placements, joints and axes, or an error that names what cannot be read."""

import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nfgen.shapes.formats.meshes import read_mesh

from .boxes import CORNERS, FIRST, MIXED, SECOND, SIDES, STRIPS, TRIANGLES, check, refused, rows
from .gltf_files import KINDS, Gltf

TURNED = (12, 4, 3)  # two boxes side by side, their y up


@pytest.mark.parametrize("suffix", ["glb", "gltf"])
def test_gltf_is_turned_upright(suffix: str, tmp_path: Path) -> None:
    file = Gltf()
    file.part(FIRST)
    file.part(CORNERS, node={"translation": [10, 0, 0]})
    check(file.write(tmp_path / f"a.{suffix}"), TURNED, 48)
    mesh = read_mesh(tmp_path / f"a.{suffix}", "a")
    assert (mesh.up, mesh.parts, mesh.polygons) == ("y", 2, 24)
    # What was 3 high along y is so along z, and the right side is still right.
    assert mesh.vertices.max(axis=0).tolist() == [12, 0, 3]
    assert mesh.vertices.min(axis=0).tolist() == [0, -4, 0]


@pytest.mark.parametrize("kind", ["i1", "u1", "i2", "u2"])
@pytest.mark.parametrize("normalized", [True, False])
def test_gltf_quantised_positions(kind: str, normalized: bool, tmp_path: Path) -> None:
    file = Gltf()
    most = np.iinfo(KINDS[kind][1]).max
    scale, low = (most, 0) if kind[0] == "u" else (most * 2, -most)
    whole = np.round(CORNERS / [2, 3, 4] * scale + low)
    size = np.array([2, 3, 4]) / ((scale / most) if normalized else scale)
    shift = -low / (most if normalized else 1) * size
    position = file.accessor(whole, kind, stride=4 * KINDS[kind][1].count("2") + 4, normalized=normalized)
    index = file.accessor(np.ravel(TRIANGLES), "u1")
    file.place(
        [{"attributes": {"POSITION": position}, "indices": index}], scale=size.tolist(), translation=shift.tolist()
    )
    file.part(SECOND)
    file.tree["extensionsRequired"] = file.tree["extensionsUsed"] = ["KHR_mesh_quantization"]
    check(file.write(tmp_path / "a.glb"), TURNED, 48)


@pytest.mark.parametrize("index", ["u1", "u2", "u4"])
@pytest.mark.parametrize("base", [True, False])
def test_gltf_sparse_positions(base: bool, index: str, tmp_path: Path) -> None:
    file = Gltf()
    changed = np.flatnonzero(CORNERS[:, 2] == 4) if base else np.arange(1, 8)
    sparse = {
        "count": len(changed),
        "indices": {
            "bufferView": file.view(changed.astype(KINDS[index][1]).tobytes()),
            "componentType": KINDS[index][0],
        },
        "values": {"bufferView": file.view((CORNERS[changed] * [1, 1, 2]).astype("<f4").tobytes())},
    }
    position = file.accessor(CORNERS, "f4", sparse=sparse)
    if not base:
        del file.tree["accessors"][position]["bufferView"]  # so all is zero but what is replaced
    file.place([{"attributes": {"POSITION": position}, "indices": file.accessor(np.ravel(TRIANGLES), "u4")}])
    check(file.write(tmp_path / "a.glb"), (2, 8, 3), 48)


def test_gltf_strips_fans_and_triangles_without_indices(tmp_path: Path) -> None:
    file = Gltf()
    fans = [file.accessor(side, "u2") for side in SIDES]
    position = file.accessor(FIRST, "f4")
    file.place([{"attributes": {"POSITION": position}, "indices": fan, "mode": 6} for fan in fans])
    position = file.accessor(SECOND, "f4")
    strips = [file.accessor(strip, "u1") for strip in STRIPS]
    file.place([{"attributes": {"POSITION": position}, "indices": strip, "mode": 5} for strip in strips])
    file.part((CORNERS + np.array([20, 0, 0]))[np.ravel(TRIANGLES)], None)
    file.part(CORNERS * 50, [[0, 1], [1, 2]], mode=1)  # lines
    check(file.write(tmp_path / "a.glb"), (22, 4, 3), 72)


def test_gltf_nodes_instances_and_scenes(tmp_path: Path) -> None:
    file = Gltf()
    file.part(CORNERS, node={"extensions": {"EXT_mesh_gpu_instancing": {"attributes": {
        "TRANSLATION": file.accessor([[0, 0, 0], [10, 0, 0]], "f4")}}}})  # fmt: skip
    half = np.sqrt(0.5)
    # About y by a quarter, so that 2 x 3 x 4 becomes 4 x 3 x 2, mirrored by its parent.
    file.tree["nodes"] += [
        {"children": [2], "matrix": [-1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]},
        {"mesh": 0, "rotation": [0, half, 0, half], "translation": [5, 0, 0]},
        {"mesh": 0, "scale": [9, 9, 9]},
    ]
    file.tree["scenes"] = [{"nodes": [3]}, {"nodes": [0, 1]}]
    file.tree["scene"] = 1
    check(file.write(tmp_path / "a.glb"), (21, 6, 3), 72)
    del file.tree["scenes"], file.tree["scene"], file.tree["nodes"][3]
    check(file.write(tmp_path / "b.glb"), (21, 6, 3), 72)


def test_gltf_skins_place_a_mesh_by_its_joints_alone(tmp_path: Path) -> None:
    file = Gltf()
    # Joint 0 stands where it was bound; joint 1, bound at z = 4, has gone 2 further.
    bound = np.stack([np.eye(4), np.eye(4)])
    bound[1, 2, 3] = -4
    weights = np.where(CORNERS[:, 2:] == 4, [0.0, 1.0, 0, 0], [1.0, 0, 0, 0])
    primitive = file.part(CORNERS, node={"skin": 0, "translation": [100, 0, 0], "scale": [9, 9, 9]})
    primitive["attributes"] |= {
        "JOINTS_0": file.accessor(np.tile([0, 1, 0, 0], (8, 1)), "u1"),
        "WEIGHTS_0": file.accessor(weights * 255, "u1", normalized=True),
    }
    matrices = file.accessor(bound.swapaxes(1, 2).reshape(2, 16), "f4")
    file.tree["skins"] = [{"joints": [1, 2], "inverseBindMatrices": matrices}]
    file.tree["nodes"] += [{"children": [2]}, {"translation": [0, 0, 6]}]
    file.tree["scenes"][0]["nodes"].append(1)
    check(file.write(tmp_path / "a.glb"), (2, 6, 3), 36)


def test_gltf_morph_targets_with_weights(tmp_path: Path) -> None:
    file = Gltf()
    primitive = file.part(CORNERS)
    primitive["targets"] = [{"POSITION": file.accessor(CORNERS * [0, 0, 1], "f4")}, {"NORMAL": 0}]
    file.tree["meshes"][0]["weights"] = [0.5, 1]
    check(file.write(tmp_path / "a.glb"), (2, 6, 3), 36)


DRACO, MESHOPT = "KHR_draco_mesh_compression", "EXT_meshopt_compression"


def compressed(file: Gltf) -> None:
    primitive = file.part(SECOND)
    primitive["extensions"] = {DRACO: {"bufferView": file.view(bytes(20)), "attributes": {"POSITION": 0}}}
    for index in (primitive["attributes"]["POSITION"], primitive["indices"]):
        del file.tree["accessors"][index]["bufferView"]


def meshopt(file: Gltf) -> None:
    file.part(SECOND)
    view = file.tree["accessors"][file.tree["meshes"][1]["primitives"][0]["indices"]]["bufferView"]
    file.tree["bufferViews"][view]["extensions"] = {MESHOPT: {"buffer": 0, "byteLength": 9, "count": 36}}


def required(name: str) -> Callable[[Gltf], None]:
    return lambda file: file.tree.update(extensionsRequired=[name])


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (required(MESHOPT), f"requires the extension {MESHOPT}"),
        (required("KHR_meshopt_compression"), "requires the extension KHR_meshopt_compression"),
        (required("ACME_shape"), "requires the extension ACME_shape"),
        (
            compressed,
            f"a part (needs the extension {DRACO}, which the Python package|that {DRACO} packed cannot be unpacked)",
        ),
        (meshopt, f"a part needs the extension {MESHOPT}"),
        (lambda file: file.tree["asset"].update(version="1.0"), r"is glTF 1\.0"),
        (lambda file: file.tree["asset"].update(version="3.0"), r"is glTF 3\.0"),
        (lambda file: file.tree["accessors"][1].update(count=37), "claims 74 bytes of data"),
        (lambda file: file.tree["scenes"][0].update(nodes=[]), "holds 1 meshes that its scene does not place"),
        (lambda file: file.tree["meshes"][0]["primitives"][0].update(mode=0), "holds points, but no faces"),
        (lambda file: file.tree["meshes"][0]["primitives"][0].update(mode=3), "holds lines, but no faces"),
    ],
)
def test_gltf_that_cannot_be_read_says_why(change: Callable[[Gltf], None], match: str, tmp_path: Path) -> None:
    file = Gltf()
    file.part(FIRST)
    change(file)
    for name in ("a.glb", "a.gltf"):
        refused(file.write(tmp_path / name), match)


def test_gltf_beside_its_fallback_or_with_materials_is_read(tmp_path: Path) -> None:
    file = Gltf()
    primitive = file.part(FIRST)
    primitive["extensions"] = {DRACO: {"bufferView": file.view(bytes(20)), "attributes": {"POSITION": 0}}}
    file.tree["extensionsUsed"] = [DRACO]
    file.tree["extensionsRequired"] = ["KHR_materials_unlit", "KHR_texture_transform"]
    check(file.write(tmp_path / "a.glb"), (2, 4, 3), 24)


def test_gltf_1_is_refused_as_such(tmp_path: Path) -> None:
    (tmp_path / "a.gltf").write_text(json.dumps({"asset": {"version": "1.0"}, "meshes": {"m": {}}, "nodes": {"n": {}}}))
    refused(tmp_path / "a.gltf", r"is glTF 1\.0")
    (tmp_path / "a.glb").write_bytes(struct.pack("<4sIII", b"glTF", 1, 24, 4) + bytes(8))
    refused(tmp_path / "a.glb", r"is glTF 1\.0")


def collada(scene: str, libraries: str = "", up: str = "Z_UP", faces: str = "") -> str:
    points = {name: rows(points) for name, points in (("a", FIRST), ("b", SECOND))}
    faces = faces or (
        '<triangles count="12" material="m"><input semantic="VERTEX" source="#v{0}" offset="0"/>'
        f"<p>{rows(TRIANGLES)}</p></triangles>"
    )
    geometries = "".join(
        f'<geometry id="{name}"><mesh><source id="s{name}"><float_array id="f{name}" count="24">{text}</float_array>'
        f'<technique_common><accessor source="#f{name}" count="8" stride="3"/></technique_common></source>'
        f'<vertices id="v{name}"><input semantic="POSITION" source="#s{name}"/></vertices>{faces.format(name)}'
        "</mesh></geometry>"
        for name, text in points.items()
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?><COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema">'
        f"<asset>{f'<up_axis>{up}</up_axis>' if up else ''}</asset>"
        f"<library_geometries>{geometries}</library_geometries>"
        f'{libraries}<library_visual_scenes><visual_scene id="w">{scene}</visual_scene></library_visual_scenes>'
        '<scene><instance_visual_scene url="#w"/></scene></COLLADA>'
    )


MATERIAL = (
    '<bind_material><technique_common><instance_material symbol="m" target="#no"/></technique_common></bind_material>'
)
BOTH = (
    f'<node><instance_geometry url="#a">{MATERIAL}</instance_geometry></node><node><instance_geometry url="#b"/></node>'
)
INPUT = '<input semantic="VERTEX" source="#v{0}" offset="1"/><input semantic="NORMAL" source="#n" offset="0"/>'


def faces_as(kind: str, lists: list[list[list[int]]], before: str = "") -> str:
    texts = "".join(f"<p>{rows([[x for i in face for x in (0, i)] for face in faces])}</p>" for faces in lists)
    count = len(MIXED) if kind == "polylist" else len(lists)
    return f'<{kind} count="{count}">{INPUT}{before}{texts}</{kind}>'


VCOUNT = " ".join(str(len(face)) for face in MIXED)
DAE = {
    "missing_material": collada(BOTH),
    "polylist": collada(BOTH, faces=faces_as("polylist", [MIXED], f"<vcount>{VCOUNT}</vcount>")),
    "polygons": collada(BOTH, faces=faces_as("polygons", [[side] for side in SIDES])),
    "strips": collada(BOTH, faces=faces_as("tristrips", [[strip] for strip in STRIPS])),
    "fans": collada(BOTH, faces=faces_as("trifans", [[side] for side in SIDES])),
    "transforms": collada(
        '<node><instance_geometry url="#a"/></node><node><translate>10 0 0</translate><node><rotate>0 0 1 90</rotate>'
        '<node><matrix>0 1 0 0 -1 0 0 0 0 0 1 0 0 0 0 1</matrix><instance_geometry url="#a"/></node></node></node>'
    ),
    "instances": collada(
        '<node><instance_node url="#n"/></node><node><translate>10 0 0</translate><instance_node url="#n"/></node>',
        '<library_nodes><node id="n"><scale>-1 1 1</scale><instance_geometry url="#a"/></node></library_nodes>',
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DAE)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_dae(name: str, encoding: str, tmp_path: Path) -> None:
    data = DAE[name].replace("utf-8", encoding).encode(encoding)
    (tmp_path / "a.dae").write_bytes(data)
    check(tmp_path / "a.dae", (12, 3, 4), 48)
    with zipfile.ZipFile(tmp_path / "a.zae", "w") as archive:
        archive.writestr("parts/a.dae", data)
    check(tmp_path / "a.zae", (12, 3, 4), 48)


@pytest.mark.parametrize(("up", "extent"), [("", (12, 4, 3)), ("Y_UP", (12, 4, 3)), ("X_UP", (3, 4, 12))])
def test_dae_is_turned_upright_by_its_own_word(up: str, extent: tuple[float, ...], tmp_path: Path) -> None:
    (tmp_path / "a.dae").write_text(collada(BOTH, up=up))
    check(tmp_path / "a.dae", extent, 48)
    assert read_mesh(tmp_path / "a.dae", "a").up == (up or "Y")[0].lower()


def source(id: str, values: Any, tag: str = "float_array", stride: int = 1) -> str:
    text = " ".join(str(value) for value in np.ravel(values))
    return (
        f'<source id="{id}"><{tag} id="{id}0" count="{np.size(values)}">{text}</{tag}><technique_common>'
        f'<accessor source="#{id}0" count="{np.size(values) // stride}" stride="{stride}"/></technique_common></source>'
    )


def test_dae_skins_place_a_mesh_by_its_joints_alone(tmp_path: Path) -> None:
    bound = np.stack([np.eye(4), np.eye(4)])
    bound[1, 2, 3] = -4
    top = (CORNERS[:, 2] == 4).astype(int)
    skin = (
        '<library_controllers><controller id="c"><skin source="#a">'
        + f"<bind_shape_matrix>{rows(np.eye(4))}</bind_shape_matrix>"
        + source("j", ["base", "lid"], "Name_array")
        + source("i", bound, stride=16)
        + source("weights", [1.0, 0.5])
        + '<joints><input semantic="JOINT" source="#j"/><input semantic="INV_BIND_MATRIX" source="#i"/></joints>'
        + '<vertex_weights count="8"><input semantic="JOINT" source="#j" offset="0"/>'
        + '<input semantic="WEIGHT" source="#weights" offset="1"/>'
        + f"<vcount>{'2 ' * 8}</vcount><v>{' '.join(f'{t} 0 {t} 1' for t in top)}</v></vertex_weights></skin>"
        + "</controller></library_controllers>"
    )
    scene = (
        '<node><scale>9 9 9</scale><instance_controller url="#c"><skeleton>#k</skeleton></instance_controller></node>'
        '<node id="k" sid="base"><node sid="lid"><translate>0 0 6</translate></node></node>'
    )
    (tmp_path / "a.dae").write_text(collada(scene, skin))
    check(tmp_path / "a.dae", (2, 3, 6), 36)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (collada('<node><instance_geometry url="#none"/></node>'), "places 'none', which is not in the file"),
        (collada('<node><instance_geometry url="b.dae#a"/></node>'), "outside the file"),
        (collada("<node/>"), "holds 2 meshes that its scene does not place"),
        (collada(BOTH).replace('<triangles count="12"', '<triangles count="14"'), "claims 14 faces, holds 12"),
        (collada(BOTH).replace('count="8" stride="3"', 'count="9" stride="3"'), "claims 9 vertices, holds 8"),
        (collada('<node id="n"><instance_node url="#n"/></node>'), "in themselves"),
    ],
    ids=["absent", "elsewhere", "unplaced", "faces", "vertices", "itself"],
)
def test_dae_that_cannot_be_read_says_why(text: str, match: str, tmp_path: Path) -> None:
    (tmp_path / "a.dae").write_text(text)
    refused(tmp_path / "a.dae", match)


NAMESPACES = (
    'xmlns="http://schemas.microsoft.com/3dmanufacturing/core/2015/02" '
    'xmlns:p="http://schemas.microsoft.com/3dmanufacturing/production/2015/06" '
    'xmlns:b="http://schemas.microsoft.com/3dmanufacturing/beamlattice/2017/02"'
)


def model(objects: str, build: str, **more: str) -> str:
    attributes = "".join(f' {key}="{value}"' for key, value in more.items())
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><model unit="millimeter" {NAMESPACES}{attributes}>'
        f"<resources>{objects}</resources><build>{build}</build></model>"
    )


def part(id: int, points: Any = CORNERS, **more: str) -> str:
    vertices = "".join(f'<vertex x="{x:g}" y="{y:g}" z="{z:g}"/>' for x, y, z in points)
    faces = "".join(f'<triangle v1="{a}" v2="{b}" v3="{c}"/>' for a, b, c in TRIANGLES)
    attributes = "".join(f' {key}="{value}"' for key, value in more.items())
    mesh = f"<mesh><vertices>{vertices}</vertices><triangles>{faces}</triangles></mesh>"
    return f'<object id="{id}"{attributes}>{mesh}</object>'


def package(path: Path, models: dict[str, str], start: str | None = "/3D/3dmodel.model") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in models.items():
            archive.writestr(name, text)
        if start:
            kind = "http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"
            archive.writestr(
                "_rels/.rels", f'<Relationships><Relationship Target="{start}" Type="{kind}"/></Relationships>'
            )
    return path


SHIFT = 'transform="1 0 0 0 1 0 0 0 1 10 0 0"'
MIRROR = 'transform="-1 0 0 0 1 0 0 0 1 12 0 0"'
ITEMS = f'<item objectid="1"/><item objectid="1" {SHIFT}/>'
ELSEWHERE = 'p:path="/3D/Objects/a.model"'
THREE_MF = {
    "items": {"3D/3dmodel.model": model(part(1), ITEMS)},
    "mirrored": {"3D/3dmodel.model": model(part(1), f'<item objectid="1"/><item objectid="1" {MIRROR}/>')},
    "supports": {"3D/3dmodel.model": model(
        part(1) + part(2, CORNERS * 50, type="support") + part(3, CORNERS * 50, type="solidsupport"),
        f'{ITEMS}<item objectid="2"/><item objectid="3"/>')},
    "supports_in_components": {"3D/3dmodel.model": model(
        part(1) + part(2, CORNERS * 50, type="support")
        + '<object id="3"><components><component objectid="1"/><component objectid="2"/>'
        f'<component objectid="1" {SHIFT}/></components></object>', '<item objectid="3"/>')},
    "item_path": {
        "3D/3dmodel.model": model("", f'<item objectid="1" {ELSEWHERE}/><item objectid="1" {SHIFT} {ELSEWHERE}/>',
                                  requiredextensions="p"),
        "3D/Objects/a.model": model(part(1), ""),
    },
    "same_numbers_elsewhere": {
        "3D/3dmodel.model": model(part(1), '<item objectid="1"/><item objectid="1" p:path="/3D/Objects/a.model"/>'),
        "3D/Objects/a.model": model(part(1, SECOND), ""),
    },
    "component_path": {
        "3D/3dmodel.model": model(
            f'<object id="7"><components><component objectid="1" p:path="/3D/a.model"/>'
            f'<component objectid="1" {SHIFT} p:path="/3D/a.model"/></components></object>', '<item objectid="7"/>'),
        "3D/a.model": model(part(1), ""),
    },
    "unplaced": {"3D/3dmodel.model": model(part(1) + part(2, CORNERS * 50), ITEMS)},
}  # fmt: skip


@pytest.mark.parametrize("name", THREE_MF)
def test_3mf(name: str, tmp_path: Path) -> None:
    check(package(tmp_path / "a.3mf", THREE_MF[name]), (12, 3, 4), 48)
    check(package(tmp_path / "b.3mf", THREE_MF[name], start=None), (12, 3, 4), 48)
    assert read_mesh(tmp_path / "a.3mf", "a").up == "z"


def test_3mf_starts_where_its_package_says(tmp_path: Path) -> None:
    models = {"3D/other.model": model(part(1), ITEMS), "3D/3dmodel.model": model(part(1), '<item objectid="1"/>')}
    check(package(tmp_path / "a.3mf", models, "/3D/other.model"), (12, 3, 4), 48)


@pytest.mark.parametrize(
    ("objects", "build", "more", "match"),
    [
        (part(1), '<item objectid="2"/>', {}, "places the object '2', which is not in the file"),
        (part(1), '<item objectid="1" p:path="/no.model"/>', {}, "places a part of 'no.model', which is not in the"),
        (part(1), ITEMS, {"requiredextensions": "p b"}, "requires the extension .*beamlattice"),
        (part(1, type="support"), ITEMS, {}, "holds 1 supports, but no faces"),
        (part(1), "", {}, "holds 1 objects that its build does not place"),
        (part(1).replace('v3="7"', 'v3="9"'), ITEMS, {}, "out of range"),
    ],
    ids=["absent", "no_file", "beams", "supports", "unplaced", "index"],
)
def test_3mf_that_cannot_be_read_says_why(
    objects: str, build: str, more: dict[str, str], match: str, tmp_path: Path
) -> None:
    refused(package(tmp_path / "a.3mf", {"3D/3dmodel.model": model(objects, build, **more)}), match)


@pytest.mark.parametrize("encoding", ["utf-7", "utf-32", "iso-8859-1", "cp1252"])
def test_xml_is_utf_8_or_utf_16(encoding: str, tmp_path: Path) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><COLLADA/>'
    (tmp_path / "a.dae").write_bytes(text.encode("ascii"))
    refused(tmp_path / "a.dae", "UTF-8 and UTF-16 are read")
    refused(package(tmp_path / "a.3mf", {"3D/3dmodel.model": text}), "UTF-8 and UTF-16 are read")
