"""3MF (https://github.com/3MFConsortium/spec_core), with parts in files of their own: what its build places.

Read as a stream, an element at a time: the file's numbers are kept, its elements are not.
"""

import posixpath
import zipfile
from array import array
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ShapeError

from .file_mesh import Assembly, FileMesh, no_faces
from .limits import MAX_DEPTH, MAX_ELEMENTS, MAX_PLACEMENTS, check_xml, too_many_placements

CORE = "http://schemas.microsoft.com/3dmanufacturing/core/2015/02"
PRODUCTION = "http://schemas.microsoft.com/3dmanufacturing/production/2015/06"
MATERIALS = "http://schemas.microsoft.com/3dmanufacturing/material/2015/02"
HARMLESS = {CORE, PRODUCTION, MATERIALS}
NOT_SHAPE = {"support", "solidsupport", "other"}  # types of objects: made for printing alone, or for reference
MODEL = "3D/3dmodel.model"

Key = tuple[str, str]
"""The file of an object within the archive, and its number there."""


class Use(NamedTuple):
    """An object placed by a build or by another object."""

    key: Key
    matrix: NDArray[np.float64]


class Model:
    """The objects and the build of one XML file of the archive."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.types: dict[str, str] = {}
        self.vertices: defaultdict[str, array[float]] = defaultdict(lambda: array("d"))
        self.corners: defaultdict[str, array[int]] = defaultdict(lambda: array("q"))
        self.components: defaultdict[str, list[Use]] = defaultdict(list)
        self.items: list[Use] = []
        self.others: set[str] = set()
        self._object, self._elements = "", 0
        self._prefixes: dict[str, str] = {}

    def parse(self, content: bytes) -> None:
        """Read the XML.

        Raises:
            ShapeError: it requires an extension that is not supported, or has too many elements.
        """
        check_xml(content)
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.StartNamespaceDeclHandler = lambda prefix, uri: self._prefixes.update({prefix or "": uri})
        parser.Parse(content, True)

    def _start(self, tag: str, values: dict[str, str]) -> None:
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise ShapeError(f"has more than {MAX_ELEMENTS:,} elements", "decimate the mesh")
        match tag.rpartition(" ")[2]:
            case "vertex":
                self.vertices[self._object].extend((float(values["x"]), float(values["y"]), float(values["z"])))
            case "triangle":
                self.corners[self._object].extend((int(values["v1"]), int(values["v2"]), int(values["v3"])))
            case "model":
                self._require_harmless(values.get("requiredextensions", "").split())
            case "object":
                self._object = values["id"]
                self.types[self._object] = values.get("type", "model")
            case "component":
                self.components[self._object].append(self._use(values))
            case "item":
                self.items.append(self._use(values))
            case "beam":
                self.others.add("beams")

    def _require_harmless(self, prefixes: list[str]) -> None:
        for uri in (self._prefixes.get(prefix, prefix) for prefix in prefixes):
            if uri not in HARMLESS:
                problem = f"requires the extension {uri}, which is not supported"
                raise ShapeError(problem, "export it without this extension")

    def _use(self, values: dict[str, str]) -> Use:
        path = next((value for key, value in values.items() if key.endswith(" path")), None)
        name = self.name if path is None else posixpath.normpath(path.strip("/"))
        matrix = np.eye(4)
        if "transform" in values:  # of rows, to be multiplied from the right
            matrix[:3] = np.array(values["transform"].split(), np.float64).reshape(4, 3).T
        return Use((name, values["objectid"]), matrix)


def read_3mf(path: Path) -> FileMesh:
    """Read a 3MF file; supports are left out.

    Raises:
        ShapeError: an object that is placed is not there, objects hold one another, or are placed too often.
    """
    models: dict[str, Model] = {}
    with zipfile.ZipFile(path) as archive:
        names = {name.strip("/").lower(): name for name in archive.namelist()}

        def model(name: str) -> Model:
            if name not in models:
                if name.lower() not in names:
                    raise ShapeError(f"places a part of {name!r}, which is not in the file", "export the file again")
                models[name] = Model(name)
                models[name].parse(archive.read(names[name.lower()]))
            return models[name]

        root = model(_root(archive, names))
        placed = _placed(root.items, model)
    assembly = Assembly()
    for (name, number), matrices in placed.items():
        vertices = np.array(models[name].vertices[number]).reshape(-1, 3)
        assembly.add(vertices, np.array(models[name].corners[number], np.int64).reshape(-1, 3), np.array(matrices))
    mesh = assembly.mesh("z")
    if not len(mesh.faces):
        raise _nothing(models)
    return mesh


def _nothing(models: dict[str, Model]) -> ShapeError:
    others = sorted(set[str]().union(*(model.others for model in models.values())))
    objects = sum(len(corners) > 0 for model in models.values() for corners in model.corners.values())
    if objects:
        kinds = set[str]().union(*(model.types.values() for model in models.values()))
        what = "supports" if kinds <= NOT_SHAPE else "objects that its build does not place"
        others.append(f"{objects:,} {what}")
    return no_faces(sum(len(v) // 3 for model in models.values() for v in model.vertices.values()), others)


def _root(archive: zipfile.ZipFile, names: dict[str, str]) -> str:
    """Give the name of the model that the package starts with."""
    if "_rels/.rels" in names:
        targets: list[str] = []

        def start(tag: str, values: dict[str, str]) -> None:
            if tag.endswith("Relationship") and values.get("Type", "").endswith("/3dmodel"):
                targets.append(values.get("Target", MODEL))

        content = archive.read(names["_rels/.rels"])
        check_xml(content)
        parser = expat.ParserCreate()
        parser.StartElementHandler = start
        parser.Parse(content, True)
        if targets:
            return posixpath.normpath(targets[0].strip("/"))
    found = [name for name in names.values() if name.lower().endswith(MODEL.lower())]
    return found[0].strip("/") if found else MODEL


def _placed(items: list[Use], model: Callable[[str], Model]) -> dict[Key, list[NDArray[Any]]]:
    """Give for each object with a mesh the matrices [4, 4] that place it, level by level."""
    placed: dict[Key, list[NDArray[Any]]] = defaultdict(list)
    level, total = items, 0
    for _ in range(MAX_DEPTH):
        deeper: list[Use] = []
        total += len(level)
        if total > MAX_PLACEMENTS:
            break
        for (name, number), matrix in level:
            known = model(name)
            if number not in known.types:
                raise ShapeError(f"places the object {number!r}, which is not in the file", "export the file again")
            if known.types[number] in NOT_SHAPE:
                continue
            if number in known.corners:
                placed[name, number].append(matrix)
            if total + len(deeper) + len(known.components[number]) > MAX_PLACEMENTS:
                raise too_many_placements()
            deeper += [Use(use.key, matrix @ use.matrix) for use in known.components[number]]
        level = deeper
        if not level:
            return placed
    raise too_many_placements()
