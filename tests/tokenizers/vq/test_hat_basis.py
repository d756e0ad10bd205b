"""Hats stand about their nodes: octahedral ones cover space, those of splines add up to one."""

import pytest
import torch
from torch import Tensor

from nfgen.fields.mlp import ACTIVATIONS
from nfgen.tokenizers.vq.hat_basis import HatBasis, OctahedralBasis, SplineBasis
from nfgen.tokenizers.vq.networks import Cells

from .fitted_fields import some_cells, uniform


def all_hats(basis: HatBasis, points: Tensor) -> Tensor:
    """What the fixed layers compute."""
    for matrix, bias, activation in basis.layers:
        points = ACTIVATIONS[activation](points @ matrix.T + bias)
    return points


@pytest.mark.parametrize("dims", [2, 3])
def test_octahedral_hats_stand_about_their_nodes_and_cover_space(dims: int) -> None:
    basis, points = OctahedralBasis(some_cells(dims), 2), uniform(500, dims, seed=2)
    computed = all_hats(basis, points)
    spacing = 2 / torch.tensor(basis.counts)
    distance = ((points[:, None] - ((basis.nodes + 0.5) * spacing - 1)).abs() / spacing).sum(-1)
    torch.testing.assert_close(computed, torch.relu(1 - distance / 2.2), atol=1e-5, rtol=0)
    assert (computed > 0).any(1).all()


def b_spline(x: Tensor) -> Tensor:
    """The quadratic one, from third differences of a truncated square (de Boor 1978)."""
    weights = ((1.5, 0.5), (0.5, -1.5), (-0.5, 1.5), (-1.5, -0.5))
    return sum((weight * (x + knot).relu() ** 2 for knot, weight in weights), torch.zeros_like(x))


@pytest.mark.parametrize(
    ("cells", "per_cell"),
    [
        (some_cells(2), 2),
        (some_cells(3), 2),
        (Cells((3, 2), mirror=False), 3),
        (Cells((1, 1), mirror=False), 1),
        (Cells((1, 2, 1), mirror=True), 1),
    ],
)
def test_spline_hats_are_products_of_b_splines_inside_the_box_and_far_outside(cells: Cells, per_cell: int) -> None:
    basis = SplineBasis(cells, per_cell)
    dims = len(basis.counts)
    points = torch.cat([uniform(800, dims, seed=2) * 1.6, uniform(200, dims, seed=3) * 40])
    counts = torch.tensor(basis.counts)
    at = points * (counts - 1).clamp(min=1) / 2 + (counts - 1) / 2
    wanted = b_spline((at[:, None] - basis.nodes).double().clamp(-2, 2)).prod(-1).float()
    torch.testing.assert_close(all_hats(basis, points), wanted, atol=1e-5, rtol=0)
    places, hats = basis.near(points[None])
    near = torch.zeros(1, len(points), len(basis.nodes)).scatter_add_(2, places, hats)
    torch.testing.assert_close(near[0], wanted, atol=1e-5, rtol=0)
    rows = torch.randn(1, len(basis.nodes), 4, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(basis.interpolate(rows, points[None]), wanted @ rows, atol=1e-4, rtol=0)


@pytest.mark.parametrize("dims", [2, 3])
def test_spline_hats_add_up_to_one_and_reproduce_planes(dims: int) -> None:
    basis = SplineBasis(Cells((2, 3, 2)[:dims], mirror=True), 2)
    spacing = 2 / (torch.tensor(basis.counts) - 1)
    # Half a spacing from the sides, where each point has three nodes along each axis.
    points = uniform(500, dims, seed=2) * (1 - spacing / 2)
    hats = all_hats(basis, points)
    torch.testing.assert_close(hats.sum(1), torch.ones(500), atol=1e-5, rtol=0)
    torch.testing.assert_close(hats @ (basis.nodes * spacing - 1), points, atol=1e-5, rtol=0)


@pytest.mark.parametrize("dims", [2, 3])
def test_gradients_of_spline_sums_are_those_of_the_layers(dims: int) -> None:
    cells = Cells((2, 3, 2)[:dims], mirror=True)
    basis = SplineBasis(cells, 2)
    rows = uniform(4, len(basis.nodes), 5).requires_grad_()
    points, above = 1.2 * uniform(4, 50, dims, seed=1), uniform(4, 50, 5, seed=2)
    ways = [HatBasis.interpolate(basis, rows, points), basis.interpolate(rows, points)]
    through_layers, own = (torch.autograd.grad((sums * above).sum(), rows)[0] for sums in ways)
    torch.testing.assert_close(own, through_layers, atol=1e-5, rtol=1e-5)
