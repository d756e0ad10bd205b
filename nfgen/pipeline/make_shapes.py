"""The built-in families as a folder of meshes."""

import json
from pathlib import Path
from typing import Any

from nfgen.io import artifact, files
from nfgen.runtime.progress import progress
from nfgen.shapes.synthetic import make_shapes
from nfgen.viz.contact_sheet import Picture, contact_sheet, save_png
from nfgen.viz.render import render_mesh

KIND = "shapes"
PICTURED = 64  # shapes on the contact sheet: more would be too small to look at


def write_shapes(
    kind: str, n: int, out: str | Path, *, seed: int = 0, resolution: int = 96, overwrite: bool = False
) -> None:
    """Make n shapes of a family and write them as OBJ, with their parameters and a contact sheet.

    Args:
        kind: airplane, chair, mug, table or vase.
        seed: shape i depends on it and on i alone, not on n.
        resolution: marching cubes cells along each axis.

    Raises:
        ConfigError: if there is no such family.
    """
    shapes = make_shapes(kind, n, seed, resolution)
    parameters: dict[str, dict[str, Any]] = {}
    pictures: list[Picture] = []
    with artifact.writing(out, KIND, overwrite=overwrite) as folder, progress(n, f"make {kind}s", "shape") as bar:
        for id, mesh, values in shapes:
            mesh.export(folder / f"{id}.obj")
            parameters[id] = values
            if len(pictures) < PICTURED:
                pictures.append(render_mesh(mesh, 160))
            bar.update()
        files.write_atomically(folder / "parameters.json", json.dumps(parameters, indent=1).encode())
        save_png(folder / "contact_sheet.png", contact_sheet(pictures))
        artifact.write_config(folder, KIND, {"kind": kind, "n": n, "seed": seed, "resolution": resolution})
