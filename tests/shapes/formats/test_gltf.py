"""glTF: parts, accessors, nodes, joints and axes, or an error that names what cannot be read."""

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nfgen.shapes.formats.meshes import read_mesh

from ..boxes import CORNERS, FIRST, SECOND, SIDES, STRIPS, TRIANGLES, check, refused
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
