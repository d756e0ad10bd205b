"""What a scene file may ask for: a few hundred bytes of glTF, 3MF or XML can ask for any amount of memory."""

import re
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from nfgen.errors import ShapeError

MAX_MESH_BYTES = 2**30  # of a file, or of an archive unpacked; a text file this long takes minutes to parse
MAX_ARCHIVE_BYTES = 2**28  # of all members unpacked: they are held in memory, and parsed to several times as much
MAX_MEMBERS = 10_000
DEFLATE = 1032  # no byte of a zip member unpacks to more (zlib's technical details)
MAX_RATIO = 100  # of members of more than FREE_BYTES: meshes as XML shrink 5 to 20 times, bombs 400 times and more
FREE_BYTES = 2**24
MAX_ELEMENTS = 5_000_000  # of an XML file; a mesh has one for each vertex and each face at most
MAX_PLACEMENTS = 100_000  # nodes of a scene, after parts of parts are counted as often as they are placed
MAX_DEPTH = 64  # of parts in parts
MAX_EMPTY_ENTRIES = 1_000_000  # of glTF accessors without data, which are filled with zeros
MAX_GLTF_JSON = 2**26  # bytes; parsed it takes some ten times as much
ITEM_BYTES = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}
ITEMS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
ENCODINGS = {"UTF-8", "UTF-16", "UTF-16LE", "UTF-16BE", "US-ASCII", "ASCII"}


def check_size(path: Path, archive: bool) -> None:
    """Refuse what is no regular file, empty or too large, archives by what they unpack to.

    Raises:
        ShapeError: so; rubbish raises whatever it may.
    """
    size = path.stat().st_size
    if not path.is_file():
        raise ShapeError("is not a regular file", "give a mesh file")
    if size == 0:
        raise ShapeError("the file is empty", "check the file")
    if archive:
        with zipfile.ZipFile(path) as opened:
            members = opened.infolist()
        size = sum(member.file_size for member in members)
        packed = sum(member.compress_size for member in members)
        limit = min(MAX_ARCHIVE_BYTES, DEFLATE * packed, max(FREE_BYTES, MAX_RATIO * packed))
        if len(members) > MAX_MEMBERS or size > limit:
            claimed = f"{len(members):,} members of {size:,} bytes, packed {packed:,}"
            raise ShapeError(
                f"is too large ({claimed}; the limits are {MAX_MEMBERS:,} members and {limit:,} bytes)",
                "decimate the mesh, or pack it again",
            )
    if size > MAX_MESH_BYTES:
        raise ShapeError(f"is too large ({size:,} bytes; the limit is {MAX_MESH_BYTES:,})", "decimate the mesh")


def check_gltf(tree: dict[str, Any], path: Path) -> None:
    """Refuse a glTF whose accessors claim more than its buffers hold, or whose nodes are no tree.

    Args:
        tree: the JSON.
        path: the file, beside which other buffers lie.

    Raises:
        ShapeError: so; rubbish raises whatever it may.
    """
    held = path.stat().st_size
    for uri in (buffer.get("uri", "data:") for buffer in tree.get("buffers", [])):
        if not uri.startswith("data:"):
            held += file_beside(path.parent, uri).stat().st_size
    if held > MAX_MESH_BYTES:
        raise ShapeError(f"is too large ({held:,} bytes; the limit is {MAX_MESH_BYTES:,})", "decimate the mesh")
    claimed = 0
    for accessor in tree.get("accessors", []):
        count = int(accessor["count"])
        if count < 0:
            raise ShapeError(f"an accessor claims {count:,} entries", "export the file again")
        if "bufferView" in accessor:
            claimed += count * ITEM_BYTES[accessor["componentType"]] * ITEMS[accessor["type"]]
    if claimed > 2 * held:
        raise ShapeError(f"accessors claim {claimed:,} bytes of {held:,}", "export the file again")
    nodes = tree.get("nodes", [])
    parents = Counter(child for node in nodes for child in node.get("children", []))
    if len(nodes) > MAX_PLACEMENTS or max(parents.values(), default=0) > 1:
        raise ShapeError(f"its nodes are no tree, or more than {MAX_PLACEMENTS:,}", "export the file again")


def file_beside(folder: Path, uri: str) -> Path:
    """Give the file of a folder that a URI names.

    Raises:
        ShapeError: it is outside the folder, or no file.
    """
    named = next((one for one in (folder / uri, folder / unquote(uri)) if one.exists()), folder / uri).resolve()
    if not named.is_relative_to(folder.resolve()):
        raise ShapeError(f"names {uri!r}, which is outside its folder", "put the buffers beside the file")
    if not named.is_file():
        raise ShapeError(f"names {uri!r}, which is no file", "put the buffers beside the file")
    return named


def too_many_placements() -> ShapeError:
    """Give the error for a scene whose parts are placed without end."""
    return ShapeError(f"places parts more than {MAX_PLACEMENTS:,} times, or in themselves", "export it again")


def check_xml(content: bytes) -> None:
    """Refuse XML that declares entities (they may grow without end), or is in an encoding that could hide them.

    Raises:
        ShapeError: so.
    """
    # UTF-16 has zeros between the letters.
    wide = b"\0" in content[:64]
    declared = re.search(rb"<\?xml[^>]*encoding\s*=\s*[\"']([^\"']*)", content[:1000].replace(b"\0", b""))
    name = declared[1].decode("latin-1").upper() if declared else "UTF-8"
    if name not in ENCODINGS or (declared and wide != name.startswith("UTF-16")):
        raise ShapeError(f"is XML in the encoding {name[:20]}; UTF-8 and UTF-16 are read", "save it as UTF-8")
    plain = (content.replace(b"\0", b"") if wide else content).upper()
    if b"<!DOCTYPE" in plain or b"<!ENTITY" in plain:
        raise ShapeError("declares entities, which no mesh needs", "export the file again")
