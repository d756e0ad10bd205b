"""Samples of a run one by one, in memory: those that `generate` writes."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from .balance import Balance
from .config import GenerateConfig
from .generate import DRAWN_AT_ONCE, drawn, require_possible
from .meshed_sample import AcceptanceRules, DecodedSample, Taking, decode_sample
from .run import Run, read_prefix


@dataclass(frozen=True)
class DrawnSample:
    """One sample, which no file holds yet."""

    index: int
    """With the seed it determines the sample."""
    tokens: Tensor
    decoded: DecodedSample
    nearest: dict[str, Any]
    """The training field of most similar values."""


def draw(run: Run, config: GenerateConfig) -> Iterator[DrawnSample]:
    """Draw as many samples as `config.n` says, each as soon as it is meshed.

    Args:
        config: all settings, as `open_run` or `with_choice` gives them.

    Raises:
        ConfigError: if a class, prefix or number is wrong.
        NfgenError: if too few samples are as required.
    """
    require_possible(run, config)
    prefix = None if config.prefix is None else read_prefix(run, config.prefix, config.prefix_length)
    balance = Balance.asked(run, config)
    rules = AcceptanceRules.of(config.acceptance, config.n, len(run.train_ids))
    taking, taken, count = Taking(rules, config.n), 0, min(config.n, DRAWN_AT_ONCE)
    for first in itertools.count(0, count):
        all_tokens, kept = drawn(run, config, prefix, balance, (first, count))
        for place in kept.nonzero()[:, 0].tolist():
            index, tokens = first + place, all_tokens[place]
            decoded = decode_sample(run, rules, config.meshing, tokens)
            nearest = run.nearest([decoded.field])[0]
            if taking.refusal(accepted=decoded.accepted, empty=decoded.empty, nearest=nearest["id"]) is not None:
                taking.require_hope(taken, index)
                continue
            yield DrawnSample(index, tokens, decoded, nearest)
            taken += 1
            if taken == config.n:
                return
