"""All scores of a generated set in one dictionary, beside what real shapes and what worthless ones would get."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from nfgen.errors import NfgenError
from nfgen.runtime.device import CPU

from .chamfer import chamfer_matrix
from .clouds import Floats, as_clouds
from .copying import copying_scores
from .duplicates import near_duplicates, sampling_noise
from .emd import emd_matrix
from .frechet import Embedder, feature_score
from .jensen_shannon import jsd
from .mmd_cov_nna import ENOUGH, Matrix, Scores
from .novelty import novelty_scores
from .precision import NEIGHBOURS, precision_recall
from .protocols import Protocol, protocol_named

Distance = Callable[[Floats, Floats | None], Matrix]
Distances = tuple[Matrix, Matrix]
"""Of a set of clouds to itself, and to the references."""
FEW = "give two at least; below about 50 the intervals are very wide"


def evaluate_clouds(
    generated: npt.ArrayLike,
    reference: npt.ArrayLike,
    train: npt.ArrayLike | None = None,
    protocol: str = "nfgen",
    seed: int = 0,
    *,
    emd_points: int | None = None,
    noised: Mapping[str, npt.ArrayLike] | None = None,
    classifier: Embedder | None = None,
    device: torch.device = CPU,
) -> dict[str, Any]:
    """Score generated shapes against reference shapes.

    Args:
        generated: [G, points, 3], sampled by area, in the frame's coordinates, empty shapes left out.
        reference: [R, points, 3], real shapes that were not trained on.
        train: [T, points, 3], the shapes that were; without them there is neither novelty nor a ceiling.
        protocol: "nfgen", "hyperdiffusion" or "nef-gpt".
        seed: of thinning, intervals, noise and draws.
        emd_points: score by the exact earth mover's distance, too, of this many points a cloud, 1,024 at most.
        noised: label (such as "0.02", the standard deviation) to clouds [N, points, 3] of training fields whose weights
            got Gaussian noise: copies by construction, whose novelty stands beside (Zeng et al. use 0.02 and 0.04).
        classifier: compare its features of the clouds too; see `nfgen.metrics.frechet`.
        device: of the Chamfer distances.

    Returns:
        Plain values, ready for JSON: `mmd`, `cov`, `1_nna` by Chamfer distance, `jsd` and `jsd_pointflow` (see
        `nfgen.metrics.jsd`), `precision` and `recall` (None of fewer than four shapes); each {"value", "low", "high"},
        fractions, not percent. `enough`: whether there are 100 of each kind; of fewer the values say nothing, only the
        intervals do. `emd` (the first three once more, and `points`) and `frechet`, if asked for. `ceiling`
        (the same of as many random training shapes as there are references, if there are enough; None without
        `train`); `floor` with the same of `repeated` (one generated shape, again and again) and `noise` (uniform points
        in the references' bounding box). `novelty` (see `nfgen.metrics.novelty`, and under `noise` the same of each
        noised set; None without `train`). `copying`: under `cd` what `nfgen.metrics.copying_scores` gives of
        `generated` and of each noised set, by Chamfer distance, against the references without duplicates (None
        without `train`). `duplicates`: `count` of references that cannot be told from a training shape, and `scores`
        without these (None where there are none, or too few others; None as a whole without `train`). `validity`
        (None: the caller has the meshes); `protocol`; `points` of a
        cloud; `generated` and `reference` (counts of the clouds compared); `seed`.

    Raises:
        ConfigError: an unknown protocol, or an EMD of too many points.
        NfgenError: empty or not finite clouds, numbers of points that differ, fewer than two clouds of a kind, or fewer
            clouds or points than the protocol has.
    """
    chosen = protocol_named(protocol)
    real = chosen.prepare(as_clouds(reference, "reference"), "reference", seed)
    fake = chosen.prepare(chosen.select(as_clouds(generated, "generated"), len(real)), "generated", seed + 1)
    known = None if train is None else chosen.prepare(as_clouds(train, "train"), "train", seed + 2)
    _check_counts({"reference": real, "generated": fake, "train": known})
    rng = np.random.default_rng(seed)
    repeated = int(rng.integers(len(fake)))
    box = real.min(axis=(0, 1)), real.max(axis=(0, 1))
    sets = {
        "generated": fake,
        "repeated": np.repeat(fake[[repeated]], len(fake), axis=0),
        "noise": chosen.prepare(rng.uniform(*box, fake.shape).astype(np.float32), "noise", seed),
    }

    chamfer = partial(chamfer_matrix, device=device)
    to_real, real_real = chamfer(fake, real), chamfer(real)
    by_cd = _distances(chamfer, sets, real, to_real, repeated)
    novelty = copying = duplicates = None
    if known is not None:
        drawn = np.random.default_rng(seed).permutation(len(known))[: len(real)]
        sets["ceiling"] = known[drawn]
        real_known, known_known = chamfer(real, known), chamfer(known)
        by_cd["ceiling"] = known_known[np.ix_(drawn, drawn)], real_known[:, drawn].T
        beside = real_known, real_real, known_known, seed
        to_known = chamfer(fake, known)
        novelty = {**novelty_scores(to_known, to_real, *beside), "noise": {}}
        twins = near_duplicates(real_known, sampling_noise(real, seed), sampling_noise(known, seed))
        duplicates = _without(twins, chosen, by_cd["generated"], real_real, seed)
        # A twin of a training shape says nothing of how far unseen shapes are from these.
        unseen = real_known[~twins] if not twins.all() else real_known
        copying = {"generated": copying_scores(to_known, unseen)}
        for label, made in (noised or {}).items():
            clouds = chosen.prepare(as_clouds(made), "noised", seed)
            copy_known = chamfer(clouds, known)
            novelty["noise"][label] = novelty_scores(copy_known, chamfer(clouds, real), *beside)
            copying[f"weights + {label}"] = copying_scores(copy_known, unseen)
    rows: dict[str, dict[str, Any]] = {}
    for name, clouds in sets.items():
        rows[name] = {
            **scored(chosen, *by_cd[name], real_real, seed),
            "jsd": jsd(clouds, real, chosen.extent, seed=seed),
            "jsd_pointflow": jsd(clouds, real, chosen.extent, seed=seed, grid="pointflow"),
        }
        if classifier is not None:
            rows[name]["frechet"] = feature_score(clouds, real, classifier, seed)
    if emd_points is not None:
        emd = partial(emd_matrix, points=emd_points, seed=seed)
        own = emd(real, None)
        by_emd = _distances(emd, sets, real, emd(fake, real), repeated)
        for name, distances in by_emd.items():
            rows[name]["emd"] = {**chosen.score(*distances, own, seed), "points": min(emd_points, real.shape[1])}
    return {
        **rows["generated"],
        "enough": min(len(fake), len(real)) >= ENOUGH,
        "novelty": novelty,
        "copying": None if copying is None else {"cd": copying},
        "duplicates": duplicates,
        "validity": None,
        "ceiling": rows.get("ceiling"),
        "floor": {name: rows[name] for name in ("repeated", "noise")},
        "protocol": chosen.name,
        "points": int(real.shape[1]),
        "generated": len(fake),
        "reference": len(real),
        "seed": seed,
    }


def scored(protocol: Protocol, gg: Matrix, gr: Matrix, rr: Matrix, seed: int) -> dict[str, Any]:
    """MMD, COV, 1-NNA, precision and recall of distances [G, G], [G, R] and [R, R].

    The latter two are None of too few shapes. They are of all shapes, whatever the protocol draws.
    """
    both = {"precision": None, "recall": None} if min(gr.shape) <= NEIGHBOURS else precision_recall(gg, gr, rr, seed)
    return {**protocol.score(gg, gr, rr, seed), **both}


def _without(twins: npt.NDArray[np.bool_], protocol: Protocol, by_cd: Distances, real: Matrix, seed: int) -> dict:
    """The scores against the references that have no twin among the training shapes."""
    rest = np.flatnonzero(~twins)
    scores: Scores | None = None
    if 2 <= len(rest) < len(twins):
        scores = protocol.score(by_cd[0], by_cd[1][:, rest], real[np.ix_(rest, rest)], seed)
    return {"count": int(twins.sum()), "scores": scores}


def _distances(
    distance: Distance, sets: Mapping[str, Floats], real: Floats, to_real: Matrix, repeated: int
) -> dict[str, Distances]:
    """Of each set; those of one shape again and again are known without computing them."""
    count = len(to_real)
    found = {"repeated": (np.zeros((count, count)), np.repeat(to_real[[repeated]], count, axis=0))}
    for name, clouds in sets.items():
        if name not in found:
            found[name] = distance(clouds, None), to_real if name == "generated" else distance(clouds, real)
    return found


def _check_counts(sets: dict[str, Floats | None]) -> None:
    given = {name: clouds for name, clouds in sets.items() if clouds is not None}
    if len({clouds.shape[1] for clouds in given.values()}) > 1:
        counts = ", ".join(f"{name} {clouds.shape[1]}" for name, clouds in given.items())
        raise NfgenError(
            f"points a cloud differ: {counts}", "sample the same number everywhere; it moves the distances"
        )
    for name, clouds in given.items():
        require_several(len(clouds), f"{name} holds one shape")


def require_several(count: int, alone: str, remedy: str = FEW) -> None:
    """Refuse a set of one shape, as scores take distances within a set.

    Raises:
        NfgenError: there is one; `alone` says where.
    """
    if count < 2:
        raise NfgenError(alone, remedy)
