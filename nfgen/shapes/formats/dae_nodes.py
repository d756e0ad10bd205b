"""Transforms of COLLADA's nodes."""

import numpy as np
from numpy.typing import NDArray

from nfgen.errors import ShapeError

from .text import numbers
from .xml_tree import Element

Matrix = NDArray[np.float64]


def local_matrix(node: Element) -> Matrix:
    """Give the matrix [4, 4] of a node to its parent's frame: the product of its transforms, in their order.

    Raises:
        ShapeError: it is skewed, which is not supported.
    """
    found = np.eye(4)
    for element in node:
        if element.tag in ("matrix", "translate", "rotate", "scale", "lookat", "skew"):
            found = found @ _transform(element.tag, numbers((element.text or "").encode()))
    return found


def _transform(kind: str, values: Matrix) -> Matrix:
    matrix = np.eye(4)
    match kind:
        case "matrix":
            return values.reshape(4, 4)
        case "translate":
            matrix[:3, 3] = values
        case "scale":
            matrix[:3, :3] = np.diag(values.reshape(3))
        case "rotate":
            axis, angle = values[:3] / max(float(np.linalg.norm(values[:3])), 1e-12), np.radians(values[3])
            across = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
            matrix[:3, :3] += np.sin(angle) * across + (1 - np.cos(angle)) * across @ across  # Rodrigues
        case "lookat":
            eye, target, up = values.reshape(3, 3)
            back = (eye - target) / np.linalg.norm(eye - target)
            right = np.cross(up, back) / np.linalg.norm(np.cross(up, back))
            matrix[:3] = np.stack([right, np.cross(back, right), back, eye], axis=1)
        case _:
            raise ShapeError("a node is skewed, which is not supported", "apply the transforms before exporting")
    return matrix
