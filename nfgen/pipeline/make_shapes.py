"""The built-in families as a folder of meshes."""

import json
from pathlib import Path
from typing import Any

from nfgen.io import artifact, files
from nfgen.runtime.progress import progress
from nfgen.shapes.synthetic import make_shapes
from nfgen.viz.contact_sheet import Picture, contact_sheet, save_png
from nfgen.viz.render import render_mesh

from .config import ShapesConfig

KIND = "shapes"
PICTURED = 64  # shapes on the contact sheet: more would be too small to look at


def write_shapes(
    kind: str, out: str | Path, config: ShapesConfig | None = None, *, overwrite: bool = False, **settings: Any
) -> None:
    """Make shapes of a family and write them as OBJ, with their parameters and a contact sheet.

    Args:
        kind: airplane, chair, mug, table or vase.
        out: folder to write.
        config: how many, and how finely; `settings` are single ones of it, such as `n=16, seed=3`.

    Raises:
        ConfigError: if there is no such family, or a setting is wrong.
    """
    config = ShapesConfig.given(config, settings)
    shapes = make_shapes(kind, config.n, config.seed, config.resolution)
    parameters: dict[str, dict[str, Any]] = {}
    pictures: list[Picture] = []
    made = progress(config.n, f"make {kind}s", "shape")
    with artifact.writing(out, KIND, overwrite=overwrite) as folder, made as bar:
        for id, mesh, values in shapes:
            mesh.export(folder / f"{id}.obj")
            parameters[id] = values
            if len(pictures) < PICTURED:
                pictures.append(render_mesh(mesh, 160))
            bar.update()
        files.write_atomically(folder / "parameters.json", json.dumps(parameters, indent=1).encode())
        save_png(folder / "contact_sheet.png", contact_sheet(pictures))
        artifact.write_config(folder, KIND, {"kind": kind, "settings": config.to_json()})
