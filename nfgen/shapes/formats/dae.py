"""COLLADA (https://www.khronos.org/collada): the geometries of its scene, whatever their materials are.

`.zae` is an archive with such a file in it.
"""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ShapeError

from .dae_geometry import Geometry, read_geometry, read_source
from .dae_nodes import local_matrix
from .file_mesh import Assembly, FileMesh, no_faces
from .limits import MAX_DEPTH, MAX_PLACEMENTS, too_many_placements
from .text import numbers, whole_numbers
from .xml_tree import Element, parse_xml

Matrix = NDArray[np.float64]
UP = {"X_UP": "x", "Y_UP": "y", "Z_UP": "z"}


def read_dae(data: bytes) -> FileMesh:
    """Read a COLLADA file, skinned meshes in the pose of their joints.

    Raises:
        ShapeError: something that the scene places is not there.
    """
    scene = Scene(parse_xml(data))
    scene.place()
    up: Any = UP.get(scene.root.findtext("asset/up_axis", "Y_UP").strip().upper(), "y")
    mesh = scene.assembly.mesh(up)
    if not len(mesh.faces):
        meshes = len(scene.root.findall("library_geometries/geometry"))
        unplaced = [f"{meshes:,} meshes that its scene does not place"] if meshes and not scene.others else []
        raise no_faces(0, sorted(scene.others) or unplaced)
    return mesh


def read_zae(path: Path) -> FileMesh:
    """Read the COLLADA file of an archive: the one that its manifest names, or the first.

    Raises:
        ShapeError: there is none.
    """
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        found = [name for name in names if name.lower().endswith(".dae")]
        if "manifest.xml" in names:
            named = (parse_xml(archive.read("manifest.xml")).text or "").strip()
            found = [name for name in names if name == named.removeprefix("./")] or found
        if not found:
            raise ShapeError("has no .dae in it", "export the file again")
        return read_dae(archive.read(found[0]))


class Scene:
    """A document, and the parts that its scene places.

    Args:
        root: of the document.
    """

    def __init__(self, root: Element) -> None:
        self.root, self.assembly, self.others = root, Assembly(), set[str]()
        self._ids = {element.get("id"): element for element in root.iter() if element.get("id")}
        self._geometries: dict[str, Geometry] = {}
        self._worlds: dict[int, Matrix] = {}  # of nodes of the scene, by their elements
        self._placements = 0

    def place(self) -> None:
        """Walk through the scene's nodes: once for their matrices, which skins need, and once for what they place."""
        shown = self.root.find("scene/instance_visual_scene")
        scenes = [self._named(shown)] if shown is not None else self.root.findall("library_visual_scenes/visual_scene")
        nodes = [node for scene in scenes[:1] for node in scene.findall("node")]
        found = self._walked(nodes)
        for element, world in found:
            for instance in element.findall("instance_geometry"):
                geometry = self._geometry(self._named(instance))
                self.assembly.add(geometry.vertices, geometry.faces, world[None], geometry.polygons)
            for instance in element.findall("instance_controller"):
                self._place_controller(instance, world)

    def _walked(self, nodes: list[Element]) -> list[tuple[Element, Matrix]]:
        found: list[tuple[Element, Matrix]] = []
        waiting = [(node, np.eye(4), 0) for node in reversed(nodes)]
        while waiting:
            element, parent, depth = waiting.pop()
            if depth > 8 * MAX_DEPTH or len(found) > MAX_PLACEMENTS:
                raise too_many_placements()
            world = parent @ local_matrix(element)
            self._worlds[id(element)] = world
            found.append((element, world))
            below = [*element.findall("node"), *(self._named(one) for one in element.findall("instance_node"))]
            waiting += [(one, world, depth + 1) for one in reversed(below)]
        return found

    def _named(self, instance: Element, attribute: str = "url") -> Element:
        url = instance.get(attribute, "")
        if not url.startswith("#"):
            raise ShapeError(f"names {url[:60]!r}, which is outside the file", "export it as one file")
        if url[1:] not in self._ids:
            raise ShapeError(f"places {url[1:61]!r}, which is not in the file", "export the file again")
        return self._ids[url[1:]]

    def _geometry(self, element: Element) -> Geometry:
        key = element.get("id", "")
        if key not in self._geometries:
            self._geometries[key] = read_geometry(element, self._ids)
        self.others |= self._geometries[key].others
        return self._geometries[key]

    def _place_controller(self, instance: Element, world: Matrix) -> None:
        controller = self._named(instance)
        skin = controller.find("skin")
        if skin is None:
            geometry = self._morphed(controller)
            self.assembly.add(geometry.vertices, geometry.faces, world[None], geometry.polygons)
            return
        source = self._named(skin, "source")
        geometry = self._geometry(source) if source.tag == "geometry" else self._morphed(source)
        moved = self._skinned(geometry.vertices, skin, instance)
        self.assembly.add(moved, geometry.faces, np.eye(4)[None], geometry.polygons)

    def _morphed(self, controller: Element) -> Geometry:
        morph = controller.find("morph")
        if morph is None:
            raise ShapeError("a controller is neither skin nor morph", "export the file again")
        base = self._geometry(self._named(morph, "source"))
        inputs = {one.get("semantic"): one for one in morph.iterfind("targets/input")}
        if not {"MORPH_TARGET", "MORPH_WEIGHT"} <= inputs.keys():
            return base
        targets = (self._named(inputs["MORPH_TARGET"], "source").findtext("IDREF_array") or "").split()
        weights = read_source(self._named(inputs["MORPH_WEIGHT"], "source"))[:, 0]
        relative = morph.get("method") == "RELATIVE"
        moved = base.vertices if relative else base.vertices * (1 - weights[: len(targets)].sum())
        for target, weight in zip(targets, weights, strict=False):
            if weight and target in self._ids:
                moved = moved + weight * self._geometry(self._ids[target]).vertices
        return base._replace(vertices=moved)

    def _skinned(self, vertices: Matrix, skin: Element, instance: Element) -> Matrix:
        """Take vertices [v, 3] where their joints carry them (COLLADA 1.4.1, chapter 4, skinning)."""
        shape = skin.findtext("bind_shape_matrix")
        bind = numbers(shape.encode()).reshape(4, 4) if shape else np.eye(4)
        vertices = vertices @ bind[:3, :3].T + bind[:3, 3]
        inputs = {one.get("semantic"): self._named(one, "source") for one in skin.iterfind("joints/input")}
        names_of = inputs["JOINT"].find("Name_array")
        names_of = inputs["JOINT"].find("IDREF_array") if names_of is None else names_of
        names = ((names_of.text if names_of is not None else "") or "").split()
        joints = np.array([self._joint(name, instance) for name in names]).reshape(-1, 4, 4)
        joints = joints @ read_source(inputs["INV_BIND_MATRIX"]).reshape(-1, 4, 4)[: len(joints)]
        influences = skin.find("vertex_weights")
        if influences is None:
            return vertices
        named = {one.get("semantic"): one for one in influences.iterfind("input")}
        step = 1 + max(int(one.get("offset", 0)) for one in named.values())
        counts = whole_numbers(numbers((influences.findtext("vcount") or "").encode()), "a number of joints")
        table = whole_numbers(numbers((influences.findtext("v") or "").encode()), "a joint").reshape(-1, step)
        which = table[:, int(named["JOINT"].get("offset", 0))]
        weights = read_source(self._named(named["WEIGHT"], "source"))[:, 0]
        weights = weights[table[:, int(named["WEIGHT"].get("offset", 0))]]
        if len(counts) != len(vertices) or counts.sum() != len(table):
            raise ShapeError("a skin has weights for other vertices than its mesh", "export the file again")
        owner = np.repeat(np.arange(len(vertices)), counts)
        # A joint of -1 is the mesh where it was bound.
        matrices = np.concatenate([joints, np.eye(4)[None]])[which]
        placed = np.einsum("vij,vj->vi", matrices[:, :3, :3], vertices[owner]) + matrices[:, :3, 3]
        moved = np.stack([np.bincount(owner, weights * one, len(vertices)) for one in placed.T], axis=1)
        total = np.bincount(owner, weights, len(vertices))[:, None]
        with np.errstate(all="ignore"):
            return np.where(total > 0, moved / total, vertices)

    def _joint(self, name: str, instance: Element) -> Matrix:
        """Give the matrix of a joint: a node of that `sid` below the skeleton, or of that id."""
        roots = [self._ids[one.text.strip()[1:]] for one in instance.findall("skeleton")
                 if one.text and one.text.strip()[1:] in self._ids]  # fmt: skip
        for root in [*roots, self.root]:
            for node in root.iter("node"):
                if name in (node.get("sid"), node.get("id")) and id(node) in self._worlds:
                    return self._worlds[id(node)]
        raise ShapeError(f"a skin names the joint {name[:60]!r}, which its scene lacks", "export the file again")
