"""What a scene file may claim: a few hundred bytes of glTF, 3MF or XML can ask for any amount of memory."""

import io
import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote

from nfgen.errors import ShapeError

MAX_PLACEMENTS = 100_000  # nodes of a scene, after parts of parts are counted as often as they are placed
MAX_EMPTY_ENTRIES = 1_000_000  # of glTF accessors without data, which are filled with zeros
MAX_NODES_DEPTH = 64  # of components in components
MAX_PARSED_AGAIN = 2**30
MAX_GLTF_JSON = 2**26  # bytes; parsed it takes some ten times as much
ITEM_BYTES = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}
ITEMS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}


def check_gltf(path: Path, file: BinaryIO, id: str) -> None:
    """Refuse a `.gltf` or `.glb` whose accessors claim more than its buffers hold, or whose nodes are no tree.

    Raises:
        ShapeError: so; rubbish raises whatever it may.
    """
    held = path.stat().st_size
    head = file.read(20)
    length = int.from_bytes(head[12:16], "little") if head[:4] == b"glTF" else -1
    if length < 0:
        file.seek(0)
    if max(length, held if length < 0 else 0) > MAX_GLTF_JSON:
        raise ShapeError(f"{id}: its JSON is larger than {MAX_GLTF_JSON:,} bytes", "put the data into buffers")
    tree = json.loads(file.read(length))
    for uri in (buffer.get("uri", "data:") for buffer in tree.get("buffers", [])):
        if not uri.startswith("data:"):
            held += _beside(path, uri, id).stat().st_size
    claimed = empty = 0
    for accessor in tree.get("accessors", []):
        count = int(accessor["count"])
        if count < 0:
            raise ShapeError(f"{id}: an accessor claims {count:,} entries", "export the file again")
        if "bufferView" in accessor:
            claimed += count * ITEM_BYTES[accessor["componentType"]] * ITEMS[accessor["type"]]
        else:
            empty += count
    if empty > MAX_EMPTY_ENTRIES:
        raise ShapeError(f"{id}: accessors without data claim {empty:,} entries", "export the file again")
    if claimed > 2 * held:
        raise ShapeError(f"{id}: accessors claim {claimed:,} bytes of {held:,}", "export the file again")
    nodes = tree.get("nodes", [])
    parents = Counter(child for node in nodes for child in node.get("children", []))
    if len(nodes) > MAX_PLACEMENTS or max(parents.values(), default=0) > 1:
        raise ShapeError(f"{id}: its nodes are no tree, or more than {MAX_PLACEMENTS:,}", "export the file again")


def _beside(path: Path, uri: str, id: str) -> Path:
    named = next((one for one in (path.parent / uri, path.parent / unquote(uri)) if one.exists()), path.parent / uri)
    named = named.resolve()
    if not named.is_relative_to(path.parent.resolve()):
        raise ShapeError(f"{id}: names {uri!r}, which is outside its folder", "put the buffers beside the file")
    if not named.is_file():
        raise ShapeError(f"{id}: names {uri!r}, which is no file", "put the buffers beside the file")
    return named


def check_xml(path: Path, format: str, id: str) -> None:
    """Refuse XML that declares entities (they may grow without end), and 3MF whose components do.

    Raises:
        ShapeError: so; rubbish raises whatever it may.
    """
    members = _members(path, format)
    for name, content in members.items():
        # UTF-16 has zeros between the letters.
        plain = content.replace(b"\0", b"").upper() if b"\0" in content[:64] else content.upper()
        if b"<!DOCTYPE" in plain or b"<!ENTITY" in plain:
            raise ShapeError(f"{id}: declares entities, which no mesh needs", "export the file again")
        if format == "3mf" and "3dmodel.model" in name.lower():
            _check_components(content, {name: len(part) for name, part in members.items()}, id)


def _members(path: Path, format: str) -> dict[str, bytes]:
    if format in ("dae", "xaml"):
        return {path.name: path.read_bytes()}
    with zipfile.ZipFile(path) as archive:
        return {member.filename: archive.read(member) for member in archive.infolist()}


def _check_components(content: bytes, sizes: dict[str, int], id: str) -> None:
    from lxml import etree

    parts: dict[str, list[str]] = {}
    items: list[str] = []
    again = 0  # bytes of other members, which are parsed for each component that names them
    options: dict[str, Any] = {"resolve_entities": False, "no_network": True, "huge_tree": False}
    for _, element in etree.iterparse(io.BytesIO(content), tag=("{*}object", "{*}build"), **options):
        if element.tag.endswith("object"):
            components = list(element.iter("{*}component"))
            parts[element.get("id")] = [one.get("objectid") for one in components]
            named = [value.strip("/") for one in components for key, value in one.items() if key.endswith("path")]
            again += sum(sizes.get(name, 0) for name in named)
        else:
            items += [one.get("objectid") for one in element.iter("{*}item")]
        element.clear()
    if again > MAX_PARSED_AGAIN:
        raise ShapeError(f"{id}: names {again:,} bytes of parts, over and over", "export it as one model")
    # Level by level: how often each object is placed at that depth.
    level, total = Counter(items), len(items)
    for _ in range(MAX_NODES_DEPTH):
        deeper: Counter[str] = Counter()
        for name, times in level.items():
            for part in parts.get(name, []):
                deeper[part] += times
        level, total = deeper, total + deeper.total()
        if not level:
            return
        if total > MAX_PLACEMENTS:
            break
    raise ShapeError(f"{id}: places parts more than {MAX_PLACEMENTS:,} times, or in themselves", "export it again")
