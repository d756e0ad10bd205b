"""Parts of glTF that Draco packed are read by DracoPy, or refused with the remedy."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ..boxes import CORNERS, FIRST, SECOND, TRIANGLES, check, refused
from .gltf_files import Gltf

DRACO = "KHR_draco_mesh_compression"


def packed(points: Any, **attributes: Any) -> bytes:
    library = pytest.importorskip("DracoPy", reason="the extra draco is not installed")
    faces = np.array(TRIANGLES, np.uint32)
    more = {"generic_attributes": dict(enumerate(attributes.values()))} if attributes else {}
    return library.encode(np.asarray(points, np.float64), faces, quantization_bits=16, preserve_order=True, **more)


def part(file: Gltf, data: bytes, position: int = 0, **more: Any) -> dict[str, Any]:
    """A part whose accessors have no data but what Draco packed."""
    primitive = file.part(CORNERS, **more)
    for index in (primitive["attributes"]["POSITION"], primitive["indices"]):
        del file.tree["accessors"][index]["bufferView"]
    view = {"bufferView": file.view(data), "attributes": {"POSITION": position}}
    primitive["extensions"] = {DRACO: view}
    file.tree["extensionsUsed"] = file.tree["extensionsRequired"] = [DRACO]
    return primitive


@pytest.mark.parametrize("suffix", ["glb", "gltf"])
def test_a_packed_part_beside_a_plain_one(suffix: str, tmp_path: Path) -> None:
    file = Gltf()
    part(file, packed(FIRST))
    file.part(SECOND)
    check(file.write(tmp_path / f"a.{suffix}"), (12, 4, 3), 48)


def test_packed_joints_place_a_part(tmp_path: Path) -> None:
    file = Gltf()
    joints = np.tile(np.uint8([[0, 1, 0, 0]]), (8, 1))
    weights = np.where(CORNERS[:, 2:] == 4, [0.0, 1.0, 0, 0], [1.0, 0, 0, 0]).astype(np.float32)
    primitive = part(file, packed(CORNERS, joints=joints, weights=weights), 2, node={"skin": 0})
    primitive["extensions"][DRACO]["attributes"] |= {"JOINTS_0": 0, "WEIGHTS_0": 1}
    for name, kind in (("JOINTS_0", 5121), ("WEIGHTS_0", 5126)):
        file.tree["accessors"].append({"componentType": kind, "count": 8, "type": "VEC4"})
        primitive["attributes"][name] = len(file.tree["accessors"]) - 1
    bound = np.stack([np.eye(4), np.eye(4)])
    bound[1, 2, 3] = -4
    matrices = file.accessor(bound.swapaxes(1, 2).reshape(2, 16), "f4")
    file.tree["skins"] = [{"joints": [1, 2], "inverseBindMatrices": matrices}]
    file.tree["nodes"] += [{"children": [2]}, {"translation": [0, 0, 6]}]
    file.tree["scenes"][0]["nodes"].append(1)
    check(file.write(tmp_path / "a.glb"), (2, 6, 3), 36)


def test_packed_parts_that_hold_less_are_refused(tmp_path: Path) -> None:
    file = Gltf()
    primitive = part(file, packed(FIRST))
    file.tree["accessors"][primitive["indices"]]["count"] = 39
    refused(file.write(tmp_path / "a.glb"), "claims 39 corners, holds 36")
    file = Gltf()
    part(file, packed(FIRST), position=7)
    refused(file.write(tmp_path / "a.glb"), "that Draco packed lacks POSITION")
    file = Gltf()
    part(file, packed(FIRST)[:60])
    refused(file.write(tmp_path / "a.glb"), f"{DRACO} packed cannot be unpacked")


def test_without_the_library_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "DracoPy", None)
    file = Gltf()
    part(file, b"DRACO")
    with pytest.raises(Exception, match="which the Python package DracoPy reads") as caught:
        check(file.write(tmp_path / "a.glb"))
    assert "nfgen[draco]" in caught.value.remedy
