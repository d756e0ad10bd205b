"""Chamfer distances on an accelerator, from every pair of points: large products are what it is made for."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nfgen.runtime.device import finest

NUMBERS_AT_ONCE = 1 << 28  # squared distances in memory together: 1 GB


def dense_distances(
    asking: Tensor, answering: Tensor, device: torch.device, at_once: int = NUMBERS_AT_ONCE
) -> Iterator[npt.NDArray[np.float64]]:
    """For each target cloud the mean squared distance [queries] from each query cloud to it, in float32.

    Args:
        asking: [queries, points, 3].
        answering: [targets, points, 3].
        at_once: most distances in memory together.
    """
    queries, targets = asking.to(device), answering.to(device)
    count, points, _ = queries.shape
    left = torch.cat([-2 * targets, targets.square().sum(-1, keepdim=True)], dim=-1)
    right = torch.cat([queries.flatten(0, 1), queries.new_ones(count * points, 1)], dim=-1).T
    norm = queries.square().sum(-1).to(finest(device))
    for target in left:
        nearest = torch.cat([(target @ some).amin(0) for some in right.split(max(1, at_once // len(target)), dim=1)])
        squared = (nearest.view(count, points).to(norm.dtype) + norm).clamp(min=0)
        yield squared.mean(1).cpu().double().numpy()
