"""The optimizers of fits: Muon's steps are orthogonal matrices, and it needs a fraction of Adam's steps."""

import pytest
import torch

from nfgen.fields.mlp import initial_weights
from nfgen.fields.spec import FieldSpec
from nfgen.fitting.config import FitConfig
from nfgen.fitting.optimize import Fit, fit_batch
from nfgen.fitting.step import orthogonalized

SPEC = FieldSpec(frequencies=2, hidden=(16, 16))


@pytest.mark.parametrize("shape", [(3, 32, 15), (2, 8, 8), (2, 4, 9)])
def test_orthogonalized_matrices_keep_their_singular_vectors(shape: tuple[int, int, int]) -> None:
    given = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    left, _, right = torch.linalg.svd(given, full_matrices=False)
    values = left.mT @ orthogonalized(given) @ right.mT
    diagonal = values.diagonal(dim1=1, dim2=2)
    torch.testing.assert_close(values, torch.diag_embed(diagonal), rtol=0, atol=1e-4)
    assert diagonal[:, :-1].min() > 0.5  # the smallest of all may take longer
    assert diagonal.max() < 1.3
    assert torch.isfinite(orthogonalized(torch.zeros(shape))).all()


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
