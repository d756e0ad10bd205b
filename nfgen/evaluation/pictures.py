"""What pictures of shapes say: C2ST and KID on views from around, light-field distance, and how wavy surfaces are."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import trimesh
from PIL import Image

from nfgen.errors import ShapeError
from nfgen.fields.field_set import FieldSet
from nfgen.io import artifact
from nfgen.metrics.copying import copying_scores
from nfgen.metrics.light_field import SIZE, light_field_matrix, light_fields, silhouette_directions
from nfgen.metrics.novelty import novelty_scores
from nfgen.metrics.protocols import PROTOCOLS
from nfgen.metrics.score_sets import scored
from nfgen.metrics.surfaces import ripple
from nfgen.metrics.two_sample import FEWEST, two_sample_test
from nfgen.pipeline.sample_set import KIND as SAMPLES
from nfgen.pipeline.sample_set import frame_of, read_meshes
from nfgen.runtime.device import CPU
from nfgen.runtime.progress import progress
from nfgen.shapes import ShapeRef
from nfgen.shapes.base import Transform
from nfgen.shapes.load_many import load_shapes
from nfgen.viz.contact_sheet import Picture, contact_sheet
from nfgen.viz.views import silhouettes_of, views_of

FIT_RESOLUTION = 96  # cells along each axis of fields that stand for real shapes
TELLING = 12  # views on the sheet of what gave samples away
PICTURE = 192  # pixels a side, of each

Meshes = Iterable[trimesh.Trimesh | None]


class Looks(NamedTuple):
    """Pictures of a set; shapes without a surface are left out."""

    views: np.ndarray
    """[shapes, views, 2, size, size], see `nfgen.viz.views`."""
    light_fields: np.ndarray
    """[shapes, 10, 45], see `nfgen.metrics.light_field`."""
    ripple: float
    """Median of the set, degrees, see `nfgen.metrics.surfaces`."""


def looks_of(meshes: Meshes, count: int, name: str) -> Looks:
    """Draw the meshes of a set, of which there are so many; they lie within [-1, 1]^3.

    Raises:
        ShapeError: no mesh has a surface.
    """
    directions = silhouette_directions()
    views, described, ripples = [], [], []
    with progress(count, f"draw {name} shapes", "shape") as bar:
        for mesh in meshes:
            bar.update()
            if mesh is None or len(mesh.faces) == 0 or not mesh.area > 0:
                continue
            drawn = silhouettes_of(mesh, directions, SIZE)
            if not drawn.any(axis=(1, 2)).all():
                continue  # thinner than a pixel from some side
            views.append(views_of(mesh))
            described.append(light_fields(drawn[None])[0])
            ripples.append(ripple(mesh))
    if not views:
        raise ShapeError(f"none of {count} {name} shapes has a surface", "give meshes with faces of positive area")
    return Looks(np.stack(views), np.stack(described), float(np.median(ripples)))


def sample_meshes(folder: Path) -> list[trimesh.Trimesh | None]:
    """Of samples that `nfgen generate` wrote, in the frame of their fields."""
    frame = frame_of(artifact.read_config(folder, SAMPLES))
    return [_placed(mesh, frame) for mesh in read_meshes(folder)]


def shape_meshes(refs: list[ShapeRef], frame: Transform | None) -> Iterator[trimesh.Trimesh | None]:
    """Of files of shapes, each put into [-1, 1]^3, or all by one frame; None of what cannot be read."""
    for shape in load_shapes(refs):
        if isinstance(shape, ShapeError):
            yield None
            continue
        mesh = shape.mesh()
        if frame is not None:
            mesh.vertices = shape.transform.invert(mesh.vertices)
        yield _placed(mesh, frame)


def field_meshes(fields: FieldSet) -> Iterator[trimesh.Trimesh]:
    """Of the fits of shapes, in the frame of the fields."""
    return (fields[i].mesh(FIT_RESOLUTION) for i in range(len(fields)))


def _placed(mesh: trimesh.Trimesh | None, frame: Transform | None) -> trimesh.Trimesh | None:
    if mesh is None or frame is None:
        return mesh
    placed = mesh.copy()
    placed.vertices = frame.apply(placed.vertices)
    return placed


def picture_scores(
    made: Looks, real: Looks, known: Looks | None, fitted: Looks | None, seed: int, device: torch.device = CPU
) -> tuple[dict[str, Any], Picture | None]:
    """Scores of pictures, ready for JSON, and a sheet of what gave samples away (None where C2ST was not computed).

    Args:
        made: generated shapes.
        real: held-out real shapes.
        known: shapes that were trained on.
        fitted: the held-out shapes as their fits show them: C2ST and the ripple of real shapes are against these.
        seed: of the networks, halves and draws.
        device: of the networks.

    Returns:
        `c2st`: `accuracy` and `kid`, each {"value", "low", "high"}; `real`, the accuracy of training against
        held-out shapes, or of halves of these where there are no others drawn alike, and `kid_real`; `views`,
        `pictures_of` (`fits` or `files`) and `shapes`, the numbers of both kinds. None of fewer than ten of a kind.
        `normals`: `ripple` of the generated and `ripple_real` of the real shapes. `light_field`: `mmd`, `cov`,
        `1_nna`, `precision`, `recall`, `ceiling` and `novelty` (without its scatter; the last two None without training
        shapes), by light-field distance. `copying`, by it: what `copying_scores` gives (None without training shapes).
    """
    seen = fitted or real
    light_field, copying = _light_field(made, real, known, seed)
    scores: dict[str, Any] = {
        "c2st": None,
        "normals": {"ripple": made.ripple, "ripple_real": seen.ripple},
        "light_field": light_field,
    }
    sheet = None
    if min(len(made.views), len(seen.views)) >= FEWEST:
        beside = None if known is None or fitted is not None else _some(known.views, len(seen.views), seed)
        found = two_sample_test(made.views, seen.views, beside, seed, device=device)
        halves = (beside, seen.views) if beside is not None else _halves(seen.views, seed)
        enough = min(map(len, halves)) >= FEWEST
        scores["c2st"] = {
            "accuracy": found.accuracy,
            "kid": found.kid,
            "real": two_sample_test(*halves, seed=seed, device=device).accuracy if enough else None,
            "kid_real": found.kid_beside,
            "views": made.views.shape[1],
            "pictures_of": "files" if fitted is None else "fits",
            "shapes": [len(made.views), len(seen.views)],
        }
        sheet = giveaways(made.views, found.evidence)
    return {**scores, "copying": copying}, sheet


def giveaways(views: np.ndarray, evidence: np.ndarray) -> Picture:
    """The views that gave samples away most surely, one a sample, with what did it in red.

    Args:
        views: [shapes, views, 2, size, size].
        evidence: [shapes, views, places, places] of `two_sample_test`.
    """
    logits = evidence.mean(axis=(2, 3))
    order = np.argsort(-logits.max(axis=1))[:TELLING]
    strongest = max(float(np.percentile(evidence[order], 99)), 1e-6)
    pictures = []
    for shape in order:
        view = int(logits[shape].argmax())
        shading = Image.fromarray(views[shape, view, 0]).resize((PICTURE, PICTURE), Image.Resampling.BICUBIC)
        places = Image.fromarray(evidence[shape, view].astype(np.float32))
        heat = np.asarray(places.resize((PICTURE, PICTURE), Image.Resampling.BICUBIC))
        grey = np.repeat(np.asarray(shading, np.float64)[..., None], 3, axis=2)
        red = np.clip(heat / strongest, 0, 1)[..., None]
        heated = (1 - 0.6 * red) * grey + 0.6 * red * np.array([255.0, 40.0, 20.0])
        pictures.append(np.concatenate([grey, heated], axis=1).round().astype(np.uint8))
    return contact_sheet(pictures, columns=3)


def _light_field(
    made: Looks, real: Looks, known: Looks | None, seed: int
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    own, between = light_field_matrix(real.light_fields), light_field_matrix(made.light_fields, real.light_fields)
    scores = {
        **scored(PROTOCOLS["nfgen"], light_field_matrix(made.light_fields), between, own, seed),
        "ceiling": None,
        "novelty": None,
    }
    if known is None:
        return scores, None
    to_known, real_known = (light_field_matrix(one.light_fields, known.light_fields) for one in (made, real))
    all_known = light_field_matrix(known.light_fields)
    drawn = np.random.default_rng(seed).permutation(len(all_known))[: len(own)]
    scores["ceiling"] = scored(PROTOCOLS["nfgen"], all_known[np.ix_(drawn, drawn)], real_known[:, drawn].T, own, seed)
    novelty = novelty_scores(to_known, between, real_known, own, all_known, seed)
    novelty.pop("scatter")
    scores["novelty"] = novelty
    return scores, {"generated": copying_scores(to_known, real_known)}


def _some(views: np.ndarray, count: int, seed: int) -> np.ndarray:
    return views[np.sort(np.random.default_rng(seed).permutation(len(views))[:count])]


def _halves(views: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    order = np.random.default_rng(seed).permutation(len(views))
    return views[order[: len(views) // 2]], views[order[len(views) // 2 :]]
