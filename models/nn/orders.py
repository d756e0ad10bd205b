"""Orders in which the tokens of a sequence are predicted, and where its inputs then stand (σ-GPT)."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nfgen.runtime.device import CPU, upload

EVAL_ORDERS = 4
"""Random orders by which held-out sequences are judged, the same for all of them and each time."""


class Places(NamedTuple):
    """Where each input token stands, and which position it predicts (https://arxiv.org/abs/2404.09562).

    In raster order both are the index of the input: the start has place 0 and predicts position 0, the token of
    position 0 has place 1 and predicts position 1.
    """

    own: Int[Tensor, "b t"]
    """0 of the start, 1 + its position of a token."""
    target: Int[Tensor, "b t"]
    """The position that is predicted next."""

    @classmethod
    def of(cls, orders: Int[Tensor, "b t"]) -> "Places":
        """The places of the inputs `start, token of orders[0], token of orders[1] …` without the last token."""
        return cls(torch.cat([torch.zeros_like(orders[:, :1]), 1 + orders[:, :-1]], dim=1), orders)

    def part(self, start: int, end: int) -> "Places":
        """Those of the inputs start … end - 1."""
        return Places(self.own[:, start:end], self.target[:, start:end])


def raster(count: int, length: int, device: torch.device) -> Int[Tensor, "count length"]:
    """For each sequence the positions as they come."""
    return torch.arange(length, device=device).expand(count, -1)


def training_orders(count: int, length: int, share: float, device: torch.device) -> Int[Tensor, "count length"]:
    """For each sequence a random order of its positions, or with the probability 1 - share the raster order.

    Drawn on the CPU, as each device draws in its own way.
    """
    orders = upload(torch.rand(count, length, device=CPU), device).argsort(dim=1)
    if share == 1:
        return orders
    is_random = upload(torch.rand(count, 1, device=CPU) < share, device)
    return torch.where(is_random, orders, raster(count, length, device))


def eval_orders(length: int, share: float) -> list[tuple[Int[Tensor, "length"], float]]:
    """Fixed orders, and the weight of each in the mean that `training_orders` has."""
    generator = torch.Generator().manual_seed(0)
    chosen = [(torch.randperm(length, generator=generator), share / EVAL_ORDERS) for _ in range(EVAL_ORDERS)]
    return chosen if share == 1 else [*chosen, (torch.arange(length, device=CPU), 1 - share)]


def sampling_orders(
    randoms: list[np.random.Generator], given: Int[Tensor, "n length"], shuffled: bool
) -> Int[Tensor, "n length"]:
    """For each sample the positions of its given tokens (those that are not -1), then the others, as they come or in
    an order that its own generator draws."""
    length = given.shape[1]
    if shuffled:
        drawn = np.stack([random.random(length) for random in randoms])
        ranks: Float[Tensor, "n length"] = torch.from_numpy(drawn).argsort(dim=1).argsort(dim=1).to(given.device)
    else:
        ranks = raster(len(given), length, given.device)
    return torch.where(given >= 0, raster(len(given), length, given.device) - length, ranks).argsort(dim=1)
