"""The learning-rate schedules: of models, of fits, and the cosine that these and the vq tokenizer share."""

import math

START = 0.04  # of the one-cycle schedule: a first step at the full rate would throw a field far from its start


def warmup_cosine(peak: float, step: int, warmup: int, done: float, final: float) -> float:
    """The learning rate of a step of a model: a linear rise to the peak, times half a cosine from 1 to `final`.

    Args:
        step: counted from 0.
        warmup: steps of the rise.
        done: share of the training that is over, by steps or by time.
    """
    return peak * min(1.0, (step + 1) / (warmup + 1)) * cosine_decay(done, final)


def one_cycle(done: float, warmup: float = 0.1) -> float:
    """Share of the peak learning rate of a fit: up for a share `warmup` of the steps, then down to 0 (Smith 2018).

    Args:
        done: share of the steps that are over.
    """
    if done < warmup:
        return START + (1 - START) * (1 - math.cos(math.pi * done / warmup)) / 2
    return cosine_decay((done - warmup) / (1 - warmup))


def cosine_decay(done: float, final: float = 0.0) -> float:
    """Half a cosine from 1 to `final` (https://arxiv.org/abs/1608.03983).

    Args:
        done: share of the decay that is over; beyond 1 the rate stays at `final`.
        final: where the cosine ends.
    """
    return final + (1 - final) * (1 + math.cos(math.pi * min(1.0, done))) / 2
