"""Generated shapes against real ones: find both, sample their surfaces in one frame, score them."""

from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from . import artifact
from .errors import ConfigError, NfgenError, ShapeError
from .metrics import evaluate_clouds, validity_summary
from .progress import progress
from .samples import KIND as SAMPLES
from .samples import read_list
from .shapes import ShapeRef, find_shapes
from .shapes.sampling import shape_rng

SCORES_FILE = "evaluation.json"


def evaluate(
    generated: str | Path,
    reference: str | Path,
    *,
    train: str | Path | None = None,
    protocol: str = "nfgen",
    points: int = 2048,
    limit: int | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """MMD, COV and 1-NNA of generated shapes, beside the ceiling and the floor.

    All shapes are compared in one frame: that of the files if all have one in common (as voxel grids of an array
    do), else each normalised to [-1, 1]^3 by its bounding box. Samples that `nfgen generate` wrote are in the frame
    that their run knows. The scores are also left in the folder of such samples.

    Args:
        generated: samples that `nfgen generate` wrote, or a file or folder of any shapes.
        reference: real shapes that were not trained on.
        train: real shapes that were; adds novelty and the ceiling.
        protocol: `nfgen`, `hyperdiffusion` or `nef-gpt`.
        points: of each cloud, by area.
        limit: use only the first so many references.

    Raises:
        NfgenError: if a set holds no usable shape, or too few for the protocol.
    """
    ours = artifact.kind_of(generated) == SAMPLES
    in_file_frame = ours and artifact.read_config(generated, SAMPLES)["frame"] is not None
    # Find everything before the long work starts: a wrong path should not cost a minute.
    made_refs = [] if ours else find_shapes(generated)
    real_refs, known_refs = find_shapes(reference)[:limit], [] if train is None else find_shapes(train)
    real = _clouds(real_refs, points, seed, in_file_frame, "reference")
    known = None if train is None else _clouds(known_refs, points, seed + 1, in_file_frame, "training")
    if ours:
        meshes = _read_samples(Path(generated))
        clouds = [_area_sample(mesh, points, seed, i) for i, mesh in enumerate(meshes) if mesh is not None]
        if not clouds:
            raise NfgenError(f"no sample of {generated} has a surface", "train for longer, or lower --temperature")
        made, validity = np.stack(clouds), validity_summary(meshes)
    else:
        made, validity = _clouds(made_refs, points, seed + 2, False, "generated"), _validity(made_refs)
    scores = evaluate_clouds(made, real, known, protocol, seed) | {"validity": validity}
    if ours:
        artifact.write_json(Path(generated) / SCORES_FILE, scores)
    return scores


def _clouds(refs: list[ShapeRef], points: int, seed: int, in_file_frame: bool, name: str) -> np.ndarray:
    """Points [shapes, points, 3] on the surfaces; unusable shapes are left out."""
    clouds, reasons = [], []
    with progress(len(refs), f"sample {name} shapes", "shape") as bar:
        for ref in refs:
            try:
                shape = ref.load()
                if shape.dims != 3:
                    raise ConfigError(f"{ref.id} is 2-D: surfaces are compared in 3-D", "give meshes or voxel grids")
                cloud = shape.surface(points, shape_rng(seed, ref.id))
                clouds.append(shape.transform.invert(cloud) if in_file_frame else cloud)
            except ShapeError as error:
                reasons.append(error.problem)
            bar.update()
    if not clouds:
        raise NfgenError(f"no {name} shape is usable: {'; '.join(reasons[:3])}", "look at the files named")
    return np.stack(clouds).astype(np.float32)


def _read_samples(folder: Path) -> list[trimesh.Trimesh | None]:
    if any(entry["file"] is not None and entry["file"].endswith(".png") for entry in read_list(folder)):
        raise ConfigError(f"{folder} holds images: surfaces are compared in 3-D", "give samples of 3-D fields")
    return [
        None if entry["file"] is None else trimesh.load_mesh(folder / entry["file"], process=False)
        for entry in read_list(folder)
    ]


def _area_sample(mesh: trimesh.Trimesh, points: int, seed: int, index: int) -> np.ndarray:
    rng = np.random.default_rng([seed, index])
    return np.asarray(trimesh.sample.sample_surface(mesh, points, seed=rng)[0], dtype=np.float32)


def _validity(refs: list[ShapeRef]) -> dict[str, Any]:
    meshes: list[trimesh.Trimesh | None] = []
    for ref in refs:
        try:
            meshes.append(ref.load().mesh())
        except ShapeError:
            meshes.append(None)
    return validity_summary(meshes)


def score_lines(scores: dict[str, Any]) -> list[str]:
    """The scores as lines of text."""
    ceiling, floor = scores["ceiling"], scores["floor"]
    lines = [
        f"{scores['generated']} generated against {scores['reference']} reference shapes, {scores['points']} points, "
        f"protocol {scores['protocol']}, seed {scores['seed']}; 95 % intervals",
        f"{'':16}{'MMD x100':>24}{'COV %':>24}{'1-NNA %':>24}",
    ]
    rows = {
        "generated": scores,
        "real (ceiling)": ceiling,
        "one repeated": floor and floor.get("repeated"),
        "noise": floor and floor.get("noise"),
    }
    for name, row in rows.items():
        if row:
            cells = [_cell(row[key]) for key in ("mmd", "cov", "1_nna")]
            lines.append(f"{name:16}" + "".join(f"{cell:>24}" for cell in cells))
    validity = scores["validity"]
    lines.append(
        f"surface {validity['nonempty']:.1%}, watertight {validity['watertight']:.1%}, "
        f"one body {validity['single_body']:.1%}, largest body {validity['largest_share'] or 0:.1%} of the volume"
    )
    return lines


def _cell(score: dict[str, float] | float) -> str:
    if isinstance(score, dict):
        return f"{100 * score['value']:.2f} [{100 * score['low']:.2f}, {100 * score['high']:.2f}]"
    return f"{100 * score:.2f}"
