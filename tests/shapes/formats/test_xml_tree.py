"""XML of mesh files is UTF-8 or UTF-16, and anything else is refused."""

from pathlib import Path

import pytest

from ..boxes import refused
from .threemf_files import package


@pytest.mark.parametrize("encoding", ["utf-7", "utf-32", "iso-8859-1", "cp1252"])
def test_xml_is_utf_8_or_utf_16(encoding: str, tmp_path: Path) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><COLLADA/>'
    (tmp_path / "a.dae").write_bytes(text.encode("ascii"))
    refused(tmp_path / "a.dae", "UTF-8 and UTF-16 are read")
    refused(package(tmp_path / "a.3mf", {"3D/3dmodel.model": text}), "UTF-8 and UTF-16 are read")
