"""COLLADA: faces of every kind, placements, joints and axes, or an error that names what cannot be read."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nfgen.shapes.formats.meshes import read_mesh

from ..boxes import CORNERS, FIRST, MIXED, SECOND, SIDES, STRIPS, TRIANGLES, check, refused, rows


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
