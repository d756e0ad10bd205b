"""Nodes of glTF: a forest of transforms, walked without recursion."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ShapeError

Matrix = NDArray[np.float64]


class Nodes:
    """The nodes of a file, of which `check_gltf` knows that none has two parents.

    Args:
        tree: the JSON.
    """

    def __init__(self, tree: dict[str, Any]) -> None:
        self._nodes, self._tree = tree.get("nodes", []), tree
        self._parents = {child: i for i, node in enumerate(self._nodes) for child in node.get("children", [])}
        self._worlds: dict[int, Matrix] = {}

    def placed(self) -> list[tuple[int, Matrix]]:
        """Give the nodes with a mesh that the scene shows, each with its matrix [4, 4] to the scene's frame."""
        found, waiting = list[tuple[int, Matrix]](), list(reversed(self._roots()))
        seen = set[int]()
        while waiting:
            node = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            visible = self._nodes[node].get("extensions", {}).get("KHR_node_visibility", {}).get("visible", True)
            if not visible:
                continue
            if "mesh" in self._nodes[node]:
                found.append((node, self._world(node)))
            waiting += reversed(self._nodes[node].get("children", []))
        return found

    def worlds(self, nodes: list[int]) -> Matrix:
        """Give the matrices of some nodes: [n, 4, 4]."""
        return np.array([self._world(node) for node in nodes]).reshape(-1, 4, 4)

    def _roots(self) -> list[int]:
        scenes = self._tree.get("scenes", [])
        if scenes:
            return list(scenes[self._tree.get("scene", 0)].get("nodes", []))
        return [i for i in range(len(self._nodes)) if i not in self._parents]

    def _world(self, node: int) -> Matrix:
        chain = []
        while node not in self._worlds:
            chain.append(node)
            if node not in self._parents:
                break
            node = self._parents[node]
            if len(chain) > len(self._nodes):
                raise ShapeError("its nodes are no tree", "export the file again")
        world = self._worlds.get(node, np.eye(4))
        for one in reversed(chain):
            world = world @ _local(self._nodes[one])
            self._worlds[one] = world
        return self._worlds[chain[0]] if chain else world


def _local(node: dict[str, Any]) -> Matrix:
    """Give the matrix [4, 4] of a node to its parent's frame."""
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    given = (node.get("translation", (0, 0, 0)), node.get("rotation", (0, 0, 0, 1)), node.get("scale", (1, 1, 1)))
    return matrices(*(np.array([one], np.float64) for one in given))[0]


def matrices(shifts: Matrix, turns: Matrix, scales: Matrix) -> Matrix:
    """Give matrices [p, 4, 4] of translations [p, 3], quaternions x y z w [p, 4] and scales [p, 3]."""
    x, y, z, w = (turns / np.maximum(np.linalg.norm(turns, axis=1, keepdims=True), 1e-12)).T
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    ).transpose(2, 0, 1)
    found = np.tile(np.eye(4), (len(shifts), 1, 1))
    found[:, :3, :3] = rotation * scales[:, None, :]
    found[:, :3, 3] = shifts
    return found
