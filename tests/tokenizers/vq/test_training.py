"""Training of the VQ tokenizer: its loss, its learning rate, and which optimizer has which weights."""

import pytest
import torch
from torch import Tensor

from nfgen.fields.field_set import FieldSet
from nfgen.tokenizers.vq.dataset import WarpedFields
from nfgen.tokenizers.vq.tokenizer import VQTokenizer
from nfgen.tokenizers.vq.training import annealed, function_loss, make_optimizers, reconstruction_loss

from .fitted_fields import generator, uniform


@pytest.mark.parametrize("output", ["sdf", "occupancy", "brightness"])
def test_the_loss_is_least_where_the_field_is_right(output: str) -> None:
    true = 0.3 * uniform(5, 300)
    targets = true if output == "sdf" else -2 * true / 0.1  # logits that say the same

    def loss(distances: Tensor) -> Tensor:
        return reconstruction_loss(distances, targets, output, 0.1)  # type: ignore[arg-type]  # one of them

    assert (loss(true) < loss(true + 0.02)).all()
    assert (loss(true) < loss(true - 0.02)).all()
    assert (loss(true) + 0.5 < loss(-true)).all()
    assert loss(true).shape == (5,)


@pytest.mark.parametrize(("output", "leans"), [("sdf", True), ("occupancy", True), ("brightness", False)])
def test_what_is_nearly_as_often_inside_as_outside_counts_as_inside_of_a_solid(output: str, leans: bool) -> None:
    true = torch.cat([torch.full((1, 48), -0.05), torch.full((1, 52), 0.05)], dim=1)
    targets = true if output == "sdf" else -2 * true / 0.1
    inside, outside = (
        reconstruction_loss(torch.full((1, 100), side), targets, output, 0.1)  # type: ignore[arg-type]  # one of them
        for side in (-0.002, 0.002)
    )
    assert (inside < outside) == leans


def test_the_learning_rate_warms_up_and_falls_to_its_end() -> None:
    rates = [annealed(i / 1000) for i in range(1001)]
    assert rates[0] == pytest.approx(0.01, abs=1e-3)
    assert max(rates) == pytest.approx(1, abs=0.01)
    assert rates.index(max(rates)) == pytest.approx(30, abs=2)
    assert rates[30:] == sorted(rates[30:], reverse=True)
    assert rates[515] == pytest.approx(0.5, abs=0.03)
    assert rates[-1] == pytest.approx(0.02)


def test_every_weight_is_trained_once_and_matrices_of_the_trunk_by_muon(tokenizer: VQTokenizer) -> None:
    networks = tokenizer._build()
    muon, adam = make_optimizers(networks, 0.01)
    trained = [parameter for one in (muon, adam) for group in one.param_groups for parameter in group["params"]]
    assert sorted(map(id, trained)) == sorted(id(one) for one in networks.parameters() if one.requires_grad)
    of_muon = {id(parameter) for group in muon.param_groups for parameter in group["params"]}
    assert id(networks.decoder.out_proj.weight) in of_muon
    assert id(networks.encoder.in_proj.weight) in of_muon
    assert id(networks.field.mix.weight) not in of_muon
    assert (muon.param_groups[0]["lr"], adam.param_groups[0]["lr"]) == (0.01, 0.005)


def test_the_error_of_gradients_counts_by_its_weight(tokenizer: VQTokenizer, fields: FieldSet) -> None:
    networks, config = tokenizer.networks, tokenizer.config.replace(gradient_weight=1.0)
    pool = WarpedFields(fields, networks.encoder.probe_counts, config, generator())
    pool.fill()
    batch = pool.draw()
    with torch.no_grad():
        without, once, twice = (
            function_loss(networks, batch, config.replace(gradient_weight=weight)) for weight in (0.0, 1.0, 2.0)
        )
    assert once > without + 0.01
    torch.testing.assert_close(twice - once, once - without, atol=1e-4, rtol=1e-3)
