"""What pictures of shapes say: C2ST and KID on views from around, light-field distance, and how wavy surfaces are."""

from typing import Any

import numpy as np
import torch
from PIL import Image

from nfgen.fields.field_set import FieldSet
from nfgen.metrics.copying import copying_scores
from nfgen.metrics.light_field import light_field_matrix
from nfgen.metrics.novelty import novelty_scores
from nfgen.metrics.protocols import PROTOCOLS
from nfgen.metrics.score_sets import scored
from nfgen.metrics.two_sample import FEWEST, two_sample_test
from nfgen.runtime.device import CPU
from nfgen.runtime.progress import progress
from nfgen.viz.contact_sheet import Picture, contact_sheet

from .look import Looks, look_at, looks_of

FIT_RESOLUTION = 96  # cells along each axis of fields that stand for real shapes
TELLING = 12  # views on the sheet of what gave samples away
PICTURE = 192  # pixels a side, of each


def field_looks(fields: FieldSet) -> Looks:
    """What the fits of shapes look like, in the frame of the fields."""
    with progress(len(fields), "draw fitted shapes", "shape") as bar:
        found = []
        for i in range(len(fields)):
            found.append(look_at(fields[i].mesh(FIT_RESOLUTION)))
            bar.update()
    return looks_of(found, "fitted")


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
