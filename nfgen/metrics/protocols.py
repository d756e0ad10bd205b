"""The ways of comparing a generated set with a reference set that have a name.

Scores of two protocols must not be compared with each other: number of points, normalisation and number of clouds all
move them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nfgen.errors import ConfigError, NfgenError

from .clouds import Floats, thin, z_score
from .mmd_cov_nna import Matrix, Score, Scores, cov, mmd, one_nna, score

GPT_CLOUDS, GPT_REPEATS = 32, 32  # NeF-GPT's numbers


@dataclass(frozen=True)
class Protocol:
    """How clouds are prepared and scored."""

    name: str
    """As `--protocol` takes it."""
    points: int
    """Points a cloud, drawn uniformly by area; more are thinned to it."""
    fewer_points: bool
    """Whether clouds of fewer points are accepted; a published protocol's name then would not be true."""
    z_scored: bool
    """Whether each cloud is normalised by its own mean and deviation, or kept in the frame's coordinates."""
    oversample: float
    """Samples to generate for each reference shape, before empty ones are dropped."""
    clip: bool
    """Whether exactly as many generated as reference clouds are compared."""
    extent: float
    """Half the side of the cube that holds the prepared clouds, for occupancy."""
    score: Callable[[Matrix, Matrix, Matrix, int], Scores]
    """Takes the distances [G, G], [G, R], [R, R] and a seed."""

    def prepare(self, clouds: Floats, name: str, seed: int) -> Floats:
        """Thin and normalise clouds.

        Raises:
            NfgenError: fewer points than the protocol has, where it says so.
        """
        if clouds.shape[1] < self.points and not self.fewer_points:
            raise NfgenError(
                f"{name} has {clouds.shape[1]} points a cloud, protocol {self.name} {self.points}",
                f"sample {self.points} points, or take the protocol nfgen",
            )
        thinned = thin(clouds, self.points, seed)
        return z_score(thinned) if self.z_scored else thinned

    def to_generate(self, reference: int) -> int:
        """Samples to generate for a number of reference shapes."""
        return int(np.ceil(self.oversample * reference - 1e-9))  # 1.1 * 10 is a little more than 11

    def select(self, generated: Floats, reference: int) -> Floats:
        """The generated clouds, empty ones already dropped, that are compared with the references: the first.

        Raises:
            NfgenError: fewer than the protocol compares.
        """
        if not self.clip:
            return generated
        if len(generated) < reference:
            raise NfgenError(
                f"{len(generated)} generated shapes for {reference} references, protocol {self.name} takes as many",
                f"generate {self.to_generate(reference)} samples",
            )
        return generated[:reference]


def _repeated_draws(gg: Matrix, gr: Matrix, rr: Matrix, seed: int) -> Scores:
    """Mean over repeats of 32 against 32 clouds drawn with replacement; low and high hold 95 % of the repeats.

    A cloud that is drawn twice has itself as its nearest neighbour, at distance 0. This raises 1-NNA, above 0.5 for
    equal distributions too, and is kept, for the scores would not be the protocol's without it.
    """
    rng = np.random.default_rng(seed)
    repeats = []
    for _ in range(GPT_REPEATS):
        rows, columns = rng.integers(gr.shape[0], size=GPT_CLOUDS), rng.integers(gr.shape[1], size=GPT_CLOUDS)
        between = gr[np.ix_(rows, columns)]
        accuracy = one_nna(gg[np.ix_(rows, rows)], between, rr[np.ix_(columns, columns)])
        repeats.append([mmd(between), cov(between), accuracy])
    low, high = np.quantile(repeats, [0.025, 0.975], axis=0)
    results = [
        Score(value=float(v), low=float(lo), high=float(hi))
        for lo, v, hi in zip(low, np.mean(repeats, axis=0), high, strict=True)
    ]
    return {"mmd": results[0], "cov": results[1], "1_nna": results[2]}


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        # All against all, in the frame's coordinates: size and place are part of a shape.
        Protocol("nfgen", 2048, True, z_scored=False, oversample=1.0, clip=False, extent=1.0, score=score),
        # https://arxiv.org/abs/2303.17015; z-scored coordinates of solids stay within about 3.
        Protocol("hyperdiffusion", 2048, False, z_scored=True, oversample=1.1, clip=True, extent=3.0, score=score),
        Protocol("nef-gpt", 2048, True, z_scored=False, oversample=1.0, clip=False, extent=1.0, score=_repeated_draws),
    )
}


def protocol_named(name: str) -> Protocol:
    """Look a protocol up.

    Raises:
        ConfigError: an unknown name.
    """
    if name not in PROTOCOLS:
        raise ConfigError(f"unknown protocol {name!r}", f"take one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
