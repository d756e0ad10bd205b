"""Optimization of a field's latents by gradient descent: slower encoding, for better reconstructions."""

import torch
from jaxtyping import Float
from torch import Tensor

from nfgen.fields.mlp import evaluate_in_chunks
from nfgen.fields.spec import FieldSpec

from .bounding_box import Box
from .config import VQConfig
from .training import VQNetworks, reconstruction_loss
from .warps import Warp

POINTS = 4096  # of each field, the same in all steps: only this field's loss matters, nothing has to generalise
RATE = 0.05  # of Adam on latents; an FSQ level is about 0.5 wide


def refine(
    networks: VQNetworks,
    latents: Float[Tensor, "fields cells latent"],
    spec: FieldSpec,
    weights: Float[Tensor, "fields weights"],
    box: Box,
    warp: Warp | None,
    config: VQConfig,
) -> Float[Tensor, "fields cells latent"]:
    """Latents whose decoded fields are nearer to the given ones, and never further away than the first latents'."""
    generator = torch.Generator().manual_seed(config.seed)
    points = torch.rand(POINTS, spec.dims, generator=generator).to(weights.device) * 2 - 1
    points = points.expand(len(weights), -1, -1)
    targets = evaluate_in_chunks(spec, weights, points if warp is None else warp(points)).clone()
    best, least = latents.clone(), latents.new_full((len(latents),), torch.inf)
    with torch.enable_grad():
        free = latents.clone().requires_grad_(True)
        optimizer = torch.optim.Adam([free], lr=RATE)
        for _ in range(config.refine + 1):
            # Straight-through estimator: quantised latents in the forward pass, continuous ones in the backward pass.
            quantised = free + (networks.quantizer(free).latents - free).detach()
            distances = networks.field(networks.decoder(quantised, box.numbers), box, points)
            loss = reconstruction_loss(distances, targets, spec.output, config.truncation)
            better = loss.detach() < least
            best = torch.where(better[:, None, None], free.detach(), best)
            least = torch.where(better, loss.detach(), least)
            optimizer.zero_grad()
            loss.sum().backward()
            optimizer.step()
    return best
