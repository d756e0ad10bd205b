"""All scores of a generated set in one dictionary, beside what real shapes and what worthless ones would get."""

from typing import Any

import numpy as np
import numpy.typing as npt

from nfgen.errors import NfgenError
from nfgen.metrics.chamfer import chamfer_matrix
from nfgen.metrics.clouds import Floats, as_clouds
from nfgen.metrics.emd import POINTS, emd_matrix
from nfgen.metrics.novelty import novelty_scores
from nfgen.metrics.protocols import Protocol, protocol_named
from nfgen.metrics.scores import Matrix, Scores


def evaluate_clouds(
    generated: npt.ArrayLike,
    reference: npt.ArrayLike,
    train: npt.ArrayLike | None = None,
    protocol: str = "nfgen",
    seed: int = 0,
) -> dict[str, Any]:
    """Score generated shapes against reference shapes with Chamfer distance.

    Args:
        generated: [G, points, 3], sampled by area, in the frame's coordinates, empty shapes left out.
        reference: [R, points, 3], real shapes that were not trained on.
        train: [T, points, 3], the shapes that were; without them there is neither novelty nor a ceiling.
        protocol: "nfgen", "hyperdiffusion" or "nef-gpt".
        seed: of thinning, intervals, noise and draws.

    Returns:
        Plain values, ready for JSON: `mmd`, `cov`, `1_nna` ({"value", "low", "high"}; fractions, not percent);
        `novelty` (see `nfgen.metrics.novelty`; None without `train`); `validity` (None: the caller has the meshes);
        `ceiling` (the three scores of as many random training shapes as there are references, if there are so many;
        None without `train`); `floor` with `repeated` (one generated shape, again and again) and `noise` (uniform
        points in the references' bounding box); `protocol`; `points` of a cloud; `generated` and `reference` (counts of
        the clouds compared); `seed`.

    Raises:
        ConfigError: an unknown protocol.
        NfgenError: empty or not finite clouds, numbers of points that differ, fewer than two clouds of a kind, or fewer
            clouds or points than the protocol has.
    """
    chosen = protocol_named(protocol)
    real = chosen.prepare(as_clouds(reference, "reference"), "reference", seed)
    fake = chosen.prepare(chosen.select(as_clouds(generated, "generated"), len(real)), "generated", seed + 1)
    known = None if train is None else chosen.prepare(as_clouds(train, "train"), "train", seed + 2)
    _check_counts({"reference": real, "generated": fake, "train": known})

    gg, gr, rr = chamfer_matrix(fake), chamfer_matrix(fake, real), chamfer_matrix(real)
    result: dict[str, Any] = {**chosen.score(gg, gr, rr, seed), "novelty": None, "validity": None, "ceiling": None}
    if known is not None:
        gt, rt, tt = chamfer_matrix(fake, known), chamfer_matrix(real, known), chamfer_matrix(known)
        result["novelty"] = novelty_scores(gt, gr, rt, rr, tt, seed)
        result["ceiling"] = _ceiling(chosen, rt, tt, rr, seed)
    result["floor"] = _floor(chosen, fake, real, gr, rr, seed)
    return {
        **result,
        "protocol": chosen.name,
        "points": int(real.shape[1]),
        "generated": len(fake),
        "reference": len(real),
        "seed": seed,
    }


def emd_scores(
    generated: npt.ArrayLike, reference: npt.ArrayLike, protocol: str = "nfgen", points: int = POINTS, seed: int = 0
) -> dict[str, Any]:
    """MMD, COV and 1-NNA with the exact earth mover's distance of `points` points; the count stands in `points`.

    Raises:
        ConfigError, NfgenError: as `evaluate_clouds` and `emd_matrix`.
    """
    chosen = protocol_named(protocol)
    real = chosen.prepare(as_clouds(reference, "reference"), "reference", seed)
    fake = chosen.prepare(chosen.select(as_clouds(generated, "generated"), len(real)), "generated", seed + 1)
    _check_counts({"reference": real, "generated": fake})
    gg, gr = emd_matrix(fake, None, points, seed), emd_matrix(fake, real, points, seed)
    rr = emd_matrix(real, None, points, seed)
    return {**chosen.score(gg, gr, rr, seed), "points": min(points, int(real.shape[1]))}


def _check_counts(sets: dict[str, Floats | None]) -> None:
    given = {name: clouds for name, clouds in sets.items() if clouds is not None}
    if len({clouds.shape[1] for clouds in given.values()}) > 1:
        counts = ", ".join(f"{name} {clouds.shape[1]}" for name, clouds in given.items())
        raise NfgenError(
            f"points a cloud differ: {counts}", "sample the same number everywhere; it moves the distances"
        )
    for name, clouds in given.items():
        if len(clouds) < 2:
            raise NfgenError(f"{name} holds one shape", "give two at least; below about 50 the intervals are very wide")


def _ceiling(protocol: Protocol, rt: Matrix, tt: Matrix, rr: Matrix, seed: int) -> Scores:
    references, train = rt.shape
    drawn = np.random.default_rng(seed).permutation(train)[:references]
    return protocol.score(tt[np.ix_(drawn, drawn)], rt[:, drawn].T, rr, seed)


def _floor(protocol: Protocol, fake: Floats, real: Floats, gr: Matrix, rr: Matrix, seed: int) -> dict[str, Scores]:
    rng = np.random.default_rng(seed)
    count = len(fake)
    repeated = np.repeat(gr[rng.integers(count)][None], count, axis=0)
    low, high = real.min(axis=(0, 1)), real.max(axis=(0, 1))
    noise = protocol.prepare(rng.uniform(low, high, fake.shape).astype(np.float32), "noise", seed)
    return {
        "repeated": protocol.score(np.zeros((count, count)), repeated, rr, seed),
        "noise": protocol.score(chamfer_matrix(noise), chamfer_matrix(noise, real), rr, seed),
    }
