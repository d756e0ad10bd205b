"""The optimizers of fits: Muon needs a fraction of Adam's steps."""

import torch

from nfgen.fields.mlp import initial_weights
from nfgen.fields.spec import FieldSpec
from nfgen.fitting.config import FitConfig
from nfgen.fitting.optimize import Fit, fit_batch

SPEC = FieldSpec(frequencies=2, hidden=(16, 16))


def test_muon_needs_half_the_steps() -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(4, 2048, 3, generator=generator) * 2 - 1
    radii = 0.3 + 0.5 * torch.rand(4, 1, 3, generator=generator)
    values = (points.abs() - radii).amax(dim=-1)  # boxes
    start = initial_weights(SPEC, 1, generator).expand(4, -1)

    def fitted(**settings: object) -> Fit:
        return fit_batch(SPEC, points, values, start, FitConfig(points=256, **settings), start[0])

    assert fitted(optimizer="muon", steps=150).losses.mean() < fitted(optimizer="adam", steps=300).losses.mean()


def test_fields_of_a_batch_do_not_depend_on_each_other_with_muon() -> None:
    generator = torch.Generator().manual_seed(0)
    points, start = torch.rand(3, 64, 3, generator=generator) * 2 - 1, initial_weights(SPEC, 3, generator)
    values, config = points.norm(dim=-1) - 0.5, FitConfig(points=32, steps=5, optimizer="muon")
    whole = fit_batch(SPEC, points, values, start, config)
    alone = fit_batch(SPEC, points[1:2], values[1:2], start[1:2], config)
    torch.testing.assert_close(whole.weights[1:2], alone.weights, rtol=1e-4, atol=1e-5)
