"""True normals of built-in shapes, from their distance functions: their meshes round every edge by a cell."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np
import trimesh

from nfgen.errors import ArtifactError
from nfgen.io import artifact, files
from nfgen.metrics.surfaces import POINTS, SurfacePoints, known_points, sample_normals
from nfgen.pipeline.make_shapes import KIND
from nfgen.shapes import ShapeRef
from nfgen.shapes.base import Shape
from nfgen.shapes.synthetic.truth import onto_surface, true_distance

PARAMETERS = "parameters.json"

Exact = Callable[[ShapeRef, Shape, trimesh.Trimesh], SurfacePoints | None]
"""Takes a reference, its shape and the shape's mesh; None if nothing more is known of it."""


def exact_surfaces(reference: str | Path) -> Exact | None:
    """What gives points of the true surfaces, in the frame of the fields; None unless `nfgen shapes` wrote the folder.

    Raises:
        ArtifactError: the folder's parameters are damaged.
    """
    folder = Path(reference)
    if artifact.kind_of(folder) != KIND or not (folder / PARAMETERS).is_file():
        return None
    kind, parameters = artifact.read_config(folder, KIND).get("kind"), files.read_json(folder / PARAMETERS)
    if not isinstance(parameters, dict) or not isinstance(kind, str):
        raise ArtifactError(f"{folder / PARAMETERS} holds no parameters of shapes", "make the shapes again")

    def exact(ref: ShapeRef, shape: Shape, mesh: trimesh.Trimesh) -> SurfacePoints | None:
        own = parameters.get(PurePosixPath(ref.id).stem)
        if not isinstance(own, dict):
            return None
        sampled, _ = sample_normals(mesh, POINTS, np.random.default_rng(0))
        points, normals = onto_surface(true_distance(kind, own), shape.transform.invert(sampled))
        placed = shape.transform.apply(points)
        turned = (shape.transform.apply(points + normals) - placed) / shape.transform.scale
        return known_points(mesh, placed, turned)

    return exact
