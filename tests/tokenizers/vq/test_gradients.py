"""Gradients by finite differences, and a loss on them that sees ripples."""

import pytest
import torch
from torch import Tensor

from nfgen.tokenizers.vq.gradients import gradient_loss, gradients, simplices
from nfgen.tokenizers.vq.training import reconstruction_loss

from .fitted_fields import uniform


@pytest.mark.parametrize("dims", [2, 3])
def test_gradients_by_simplices_are_those_of_planes_exactly_and_of_spheres_nearly(dims: int) -> None:
    places, normal = 0.6 + 0.3 * uniform(5, 40, dims), uniform(5, dims, 1, seed=1)
    corners = simplices(places)
    found = gradients((corners @ normal)[..., 0], dims)
    torch.testing.assert_close(found, normal.mT.expand(5, 40, dims), atol=1e-4, rtol=0)
    round_ = gradients(corners.norm(dim=-1), dims)
    torch.testing.assert_close(round_, torch.nn.functional.normalize(places, dim=-1), atol=0.03, rtol=0)


def test_the_gradient_loss_sees_a_ripple_that_the_loss_of_values_hardly_does() -> None:
    # On either side of the plane z = 0, which has normals along z.
    places = uniform(5, 100, 3) * torch.tensor([1.0, 1.0, 0.04])
    points = simplices(places)
    true = points[..., 2]
    ripple = true + 0.005 * torch.sin(60 * points[..., 0])

    def loss(distances: Tensor, targets: Tensor = true) -> Tensor:
        return gradient_loss(distances, targets, 3, 0.1)

    torch.testing.assert_close(loss(true), torch.zeros(5), atol=1e-4, rtol=0)
    assert (loss(ripple) > 0.1).all()
    values = [reconstruction_loss(distances, true, "sdf", 0.1) for distances in (true, ripple)]
    assert (values[1] < values[0] + 0.05).all()
    assert (loss(2 * true) > 0.9).all(), "an eikonal term, too"
    torch.testing.assert_close(loss(true, 1.2 * true), torch.zeros(5), atol=1e-4, rtol=0)
    # Far from the surface, and where the original has no sound gradient, nothing is asked.
    assert torch.equal(loss(ripple, true + 0.2), torch.zeros(5))
    assert torch.equal(loss(ripple, 3 * true), torch.zeros(5))
