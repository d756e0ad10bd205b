"""The learning rate's cosine, which all trainings share."""

import math


def cosine_decay(done: float, final: float = 0.0) -> float:
    """Learning rate as a share of its peak: half a cosine from 1 to `final` (https://arxiv.org/abs/1608.03983).

    Args:
        done: share of the decay that is over; beyond 1 the rate stays at `final`.
        final: where the cosine ends.
    """
    return final + (1 - final) * (1 + math.cos(math.pi * min(1.0, done))) / 2
