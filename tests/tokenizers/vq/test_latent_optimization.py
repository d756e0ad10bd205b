"""Optimized latents come nearer to a field than those of the encoder."""

import copy

import torch
from torch import Tensor

from nfgen.fields.field_set import FieldSet
from nfgen.fields.mlp import evaluate
from nfgen.tokenizers.vq.config import VQConfig
from nfgen.tokenizers.vq.latent_optimization import refine
from nfgen.tokenizers.vq.probes import make_grid_query, probe
from nfgen.tokenizers.vq.tokenizer import VQTokenizer
from nfgen.tokenizers.vq.training import reconstruction_loss

from .fitted_fields import QUICK, SPEC, uniform


def test_refinement_comes_nearer_at_points_that_it_did_not_see(tokenizer: VQTokenizer, unseen: FieldSet) -> None:
    networks, points = tokenizer.networks, uniform(4, 4000, 3, seed=4)
    targets = evaluate(SPEC, unseen.weights, points)
    values, box = probe(SPEC, make_grid_query(SPEC, unseen.weights), networks.encoder.probe_counts, 0.1)
    latents = networks.encoder(values, box.numbers)

    def loss(latents: Tensor) -> Tensor:
        rows = networks.decoder(networks.quantizer(latents).latents, box.numbers)
        return reconstruction_loss(networks.field(rows, box, points), targets, "sdf", 0.1).mean()

    refined = refine(networks, latents, SPEC, unseen.weights, box, None, VQConfig(**QUICK, refine=32))
    assert loss(refined) < loss(latents)
    careful = copy.copy(tokenizer)
    careful.config = tokenizer.config.replace(refine=32)
    expected = networks.quantizer(refined).indices.flatten(1)
    assert torch.equal(careful.encode(unseen.weights)[:, 3:], expected)
