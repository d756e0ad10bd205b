"""3MF: items, components, supports and parts in files of their own, or an error that names what cannot be read."""

from pathlib import Path

import pytest

from nfgen.shapes.formats.meshes import read_mesh

from ..boxes import CORNERS, SECOND, check, refused
from .threemf_files import model, package, part

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
