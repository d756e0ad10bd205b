"""Files of shapes and samples as meshes, and as points on their surfaces."""

from pathlib import Path
from typing import Any

import numpy as np

from nfgen.errors import ConfigError, NfgenError, ShapeError
from nfgen.metrics import surface_clouds, validity_summary
from nfgen.metrics.clouds import Floats
from nfgen.pipeline.sample_set import read_meshes
from nfgen.runtime.progress import progress
from nfgen.shapes import ShapeRef
from nfgen.shapes.base import shape_rng
from nfgen.shapes.load_many import load_shapes


def shape_clouds(
    refs: list[ShapeRef], points: int, seed: int, in_file_frame: bool, name: str
) -> tuple[Floats, list[ShapeRef]]:
    """Points [shapes, points, 3] on the surfaces, and the shapes that they are of: unusable ones are left out.

    Args:
        in_file_frame: give coordinates of the files, else of [-1, 1]^3, into which each shape is put.
        name: of the set, for messages.

    Raises:
        ConfigError: a shape is 2-D.
        NfgenError: no shape is usable.
    """
    clouds, usable, reasons = [], [], []
    with progress(len(refs), f"sample {name} shapes", "shape") as bar:
        for ref, shape in zip(refs, load_shapes(refs), strict=True):
            try:
                if isinstance(shape, ShapeError):
                    raise shape
                if shape.dims != 3:
                    raise ConfigError(f"{ref.id} is 2-D: surfaces are compared in 3-D", "give meshes or voxel grids")
                cloud = shape.surface(points, shape_rng(seed, ref.id))
                clouds.append(shape.transform.invert(cloud) if in_file_frame else cloud)
                usable.append(ref)
            except ShapeError as error:
                reasons.append(error.problem)
            bar.update()
    if not clouds:
        raise NfgenError(f"no {name} shape is usable: {'; '.join(reasons[:3])}", "look at the files named")
    return np.stack(clouds).astype(np.float32), usable


def shape_validity(refs: list[ShapeRef]) -> dict[str, Any]:
    """Which of the shapes are solids; unusable ones count as empty."""
    return validity_summary([None if isinstance(shape, ShapeError) else shape.mesh() for shape in load_shapes(refs)])


def sample_clouds(folder: Path, points: int, seed: int) -> tuple[Floats, dict[str, Any]]:
    """Points on the samples that have a surface, [samples, points, 3], and which of all samples are solids.

    Raises:
        NfgenError: no sample has a surface.
    """
    meshes = read_meshes(folder)
    if all(mesh is None for mesh in meshes):
        raise NfgenError(f"no sample of {folder} has a surface", "train for longer, or lower --temperature")
    return surface_clouds(meshes, points, seed)[0], validity_summary(meshes)
