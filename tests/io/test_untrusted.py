"""Nothing is let in: what a file from elsewhere claims is checked before it is believed."""

import contextlib
import json
import signal
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image

from nfgen.errors import ShapeError
from nfgen.shapes import find_shapes

from ..scripts import load_script

pytestmark = pytest.mark.filterwarnings("ignore::nfgen.errors.CollapsedCodebookWarning")

INPUTS = 12  # of each reader; `make fuzz` gives each 20,000


@pytest.fixture(scope="module")
def fuzz() -> Iterator[ModuleType]:
    for name in ("mesh_seeds", "fuzz_damage"):  # which the others import
        load_script(name)
    seeds = load_script("fuzz_seeds")
    assert seeds.READERS
    module = load_script("fuzz")
    before = signal.signal(signal.SIGPROF, module.too_slow)
    yield module
    signal.signal(signal.SIGPROF, before)


SHAPES = ("npy", "npz", "binvox", "idx", "idx.gz", "png", "jpeg", "obj", "off", "stl", "stl-text", "ply", "ply-text")
SCENES = ("glb", "glb-draco", "gltf", "3mf", "dae", "zae")
PICTURES = ("bmp", "gif", "tiff", "webp")
VOLUMES = ("mat", "nifti", "nifti.gz", "nrrd", "zip")
ARTIFACTS = ("field", "fields", "identity", "histogram", "codebook", "vq", "run", "config")
READERS = (*SHAPES, *SCENES, *PICTURES, *VOLUMES, *ARTIFACTS)


def test_every_reader_is_fuzzed(fuzz: ModuleType) -> None:
    assert sorted(fuzz.READERS) == sorted(READERS)


@pytest.mark.parametrize("name", READERS)
def test_damage_gives_a_result_or_an_error_of_ours(fuzz: ModuleType, tmp_path: Path, name: str) -> None:
    assert fuzz.feed(name, range(INPUTS), tmp_path) == []


@pytest.mark.parametrize("name", READERS)
def test_what_is_not_damaged_is_read(fuzz: ModuleType, tmp_path: Path, name: str) -> None:
    reader = fuzz.READERS[name]
    seeds = fuzz.make_seeds(name, tmp_path)
    for path in seeds if reader.file else [name]:
        reader.read(tmp_path / path)


def refused(path: Path, match: str) -> None:
    (ref,) = find_shapes(path)
    with pytest.raises(ShapeError, match=match):
        ref.load()


ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_xml_with_entities_is_refused(tmp_path: Path, encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?>{ENTITIES}<COLLADA>&b;</COLLADA>'
    (tmp_path / "a.dae").write_bytes(text.encode(encoding))
    refused(tmp_path / "a.dae", "declares entities")
    with zipfile.ZipFile(tmp_path / "a.zae", "w") as archive:
        archive.writestr("a.dae", text.encode(encoding))
    refused(tmp_path / "a.zae", "declares entities")


def three_mf(path: Path, objects: str) -> Path:
    model = f'<model xmlns="x"><resources>{objects}</resources><build><item objectid="0"/></build></model>'
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("3D/3dmodel.model", model)
    return path


def test_components_that_multiply_without_end_are_refused(tmp_path: Path) -> None:
    # Forty levels of two parts each are 2^40 placements.
    twice = '<component objectid="{0}"/><component objectid="{0}"/>'
    doubling = "".join(f'<object id="{i}"><components>{twice.format(i + 1)}</components></object>' for i in range(40))
    refused(three_mf(tmp_path / "a.3mf", doubling), "places parts")
    itself = '<object id="0"><components><component objectid="0"/></components></object>'
    refused(three_mf(tmp_path / "b.3mf", itself), "places parts")


def test_archives_that_unpack_to_a_hundred_times_their_size_are_refused(tmp_path: Path) -> None:
    vertex = '<vertex x="0" y="0" z="0"/>'
    with zipfile.ZipFile(tmp_path / "a.3mf", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("3D/3dmodel.model", f"<model><resources>{vertex * 700_000}</resources></model>")
    assert (tmp_path / "a.3mf").stat().st_size < 100_000
    refused(tmp_path / "a.3mf", "is too large")


def test_xml_of_more_elements_than_a_mesh_needs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("threemf", "xml_tree"):
        monkeypatch.setattr(f"nfgen.shapes.formats.{module}.MAX_ELEMENTS", 100)
    refused(three_mf(tmp_path / "a.3mf", "<a/>" * 101), "more than 100 elements")
    (tmp_path / "a.dae").write_text(f"<COLLADA>{'<a/>' * 11}</COLLADA>")
    refused(tmp_path / "a.dae", "more than 10 elements")


def test_polygons_that_would_take_minutes_to_cut_are_refused(tmp_path: Path) -> None:
    angles = np.arange(30_000)
    points = "".join(f"v {np.cos(a):.4f} {np.sin(a):.4f} 0\n" for a in angles)
    (tmp_path / "a.obj").write_text(points + "f " + " ".join(str(a + 1) for a in angles) + "\n")
    refused(tmp_path / "a.obj", "concave faces of 30,000 corners are too many")


def test_a_long_chain_of_nodes_is_walked_once(tmp_path: Path) -> None:
    def chained(nodes: list[dict[str, Any]]) -> None:
        mesh = next(node for node in nodes if "mesh" in node)
        nodes[:] = [*({"children": [i + 1], "translation": [0, 0, 1]} for i in range(5000)), {"mesh": mesh["mesh"]}]

    path = changed_glb(tmp_path / "a.glb", nodes=chained, scenes=lambda all: all[0].update(nodes=list(range(5001))))
    (ref,) = find_shapes(path)
    # 5000 along z in the file, which is y there: -5000 where z is up.
    assert ref.load().transform.center == pytest.approx((0, -5000, 0), abs=0.01)


def changed_glb(path: Path, **changes: Any) -> Path:
    data = trimesh.creation.box().export(file_type="glb")
    size = int.from_bytes(data[12:16], "little")
    tree = json.loads(data[20 : 20 + size])
    for key, change in changes.items():
        change(tree[key])
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    rest = data[20 + size :]
    path.write_bytes(data[:8] + struct.pack("<II", 20 + len(text) + len(rest), len(text)) + data[16:20] + text + rest)
    return path


def test_parts_that_are_placed_too_often_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = trimesh.Scene()
    for i in range(3):
        scene.add_geometry(trimesh.creation.box(), transform=trimesh.transformations.translation_matrix([i, 0, 0]))
    for name in ("a.glb", "a.3mf"):
        scene.export(tmp_path / name)
        monkeypatch.setattr("nfgen.shapes.formats.file_mesh.MAX_PARTS", 3)
        find_shapes(tmp_path / name)[0].load()
        monkeypatch.setattr("nfgen.shapes.formats.file_mesh.MAX_PARTS", 2)
        refused(tmp_path / name, "places more than 2 parts")


def test_gltf_that_claims_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    refused(changed_glb(tmp_path / "a.glb", accessors=lambda all: all[0].update(count=10**9)), "accessors claim")

    def empty(accessors: list[dict[str, Any]]) -> None:
        accessors[0].pop("bufferView")
        accessors[0]["count"] = 10**9

    refused(changed_glb(tmp_path / "c.glb", accessors=empty), "without data")
    twice = changed_glb(tmp_path / "d.glb", nodes=lambda all: all[0].update(children=[1, 1]))
    refused(twice, "no tree")
    find_shapes(changed_glb(tmp_path / "whole.glb"))[0].load()


def test_gltf_reads_files_of_its_own_folder_only(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name, data in trimesh.Scene(trimesh.creation.box()).export(file_type="gltf").items():
        (folder / name).write_bytes(data)
    find_shapes(folder / "model.gltf")[0].load()
    tree = json.loads((folder / "model.gltf").read_text())
    (tmp_path / "secret.bin").write_bytes(bytes(1000))
    for uri, match in (("../secret.bin", "outside its folder"), ("/dev/zero", "outside"), ("none.bin", "no file")):
        tree["buffers"][0]["uri"] = uri
        (folder / "model.gltf").write_text(json.dumps(tree))
        refused(folder / "model.gltf", match)


def test_a_picture_is_png_or_jpeg_whatever_its_name(tmp_path: Path) -> None:
    Image.new("L", (8, 8), 255).save(tmp_path / "a.bmp")
    (tmp_path / "a.bmp").rename(tmp_path / "a.png")
    refused(tmp_path / "a.png", "cannot be read as a picture")


def test_the_arrays_of_an_archive_share_one_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nfgen.shapes.formats.voxels.MAX_NPZ_BYTES", 1000)
    np.savez_compressed(tmp_path / "a.npz", voxels=np.ones((1, 8, 8, 8), bool), labels=np.zeros(100, int))
    refused(tmp_path / "a.npz", "the limit of all is 1,000")
    np.savez_compressed(tmp_path / "b.npz", voxels=np.ones((1, 8, 8, 8), bool))
    assert find_shapes(tmp_path / "b.npz")[0].load().dims == 3
    with zipfile.ZipFile(tmp_path / "c.npz", "w") as archive:
        for i in range(100):
            archive.writestr(f"{i}.npy", b"")
    refused(tmp_path / "c.npz", "100 arrays")


def test_members_of_archives_are_written_nowhere(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with zipfile.ZipFile(tmp_path / "in" / "a.zae", "w") as archive:
        archive.writestr("../out.dae", trimesh.creation.box().export(file_type="dae"))
        archive.writestr("manifest.xml", "<dae_root>../out.dae</dae_root>")
    (ref,) = find_shapes(tmp_path / "in" / "a.zae")
    with contextlib.suppress(ShapeError):
        ref.load()
    assert [path.name for path in tmp_path.rglob("*")] == ["in", "a.zae"]
