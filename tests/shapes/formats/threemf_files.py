"""3MF files in the making."""

import zipfile
from pathlib import Path
from typing import Any

from ..boxes import CORNERS, TRIANGLES

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
