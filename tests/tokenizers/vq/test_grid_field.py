"""The decoded field is its grid of basis functions exactly, and small in each region."""

import numpy as np
import pytest
import torch

from nfgen.fields.field import Field
from nfgen.fields.meshing.marching_cubes import grid_points, mesh_from_grid
from nfgen.fields.meshing.pruning import restrict
from nfgen.fields.mlp import evaluate
from nfgen.fields.spec import Output
from nfgen.tokenizers.vq.bounding_box import Box
from nfgen.tokenizers.vq.grid_field import GridField
from nfgen.tokenizers.vq.hat_basis import BASES, Basis
from nfgen.tokenizers.vq.networks import Cells

from .fitted_fields import some_cells, uniform


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("output", ["sdf", "occupancy"])
@pytest.mark.parametrize("basis", BASES)
def test_decoded_weights_are_the_grid_field_exactly(dims: int, output: Output, basis: Basis) -> None:
    torch.manual_seed(0)
    cells = some_cells(dims)
    field = GridField(cells, 2, 8, output, 0.1, basis)
    rows, points = torch.randn(3, len(cells.nodes(2)), 8), uniform(3, 200, dims, seed=1)
    box = Box(0.2 * uniform(3, dims, seed=2), 0.6 + 0.3 * uniform(3, dims, seed=3))
    values = evaluate(field.spec, field.weights(rows, box), points)
    decoded = field(rows, box, points)  # distances, whatever the output
    torch.testing.assert_close(values, decoded * field.gain, atol=1e-4, rtol=1e-4)
    seen = torch.tanh(values / 0.1) if output == "sdf" else 1 - 2 * torch.sigmoid(values)
    torch.testing.assert_close(seen, torch.tanh(decoded / 0.1), atol=1e-3, rtol=1e-3)


def test_a_decoded_field_is_small_in_each_region_and_its_mesh_that_of_the_whole_grid() -> None:
    torch.manual_seed(0)
    cells = Cells((2, 3, 4), mirror=True)
    network = GridField(cells, 2, 8, "sdf", 0.1)
    network.out.weight.data *= 20
    box = Box(torch.zeros(1, 3), torch.tensor([[0.6, 0.7, 0.9]]))
    weights = network.weights(torch.randn(1, len(cells.nodes(2)), 8), box)[0].detach()
    field = Field(network.spec, weights)
    weights[-1] -= field(uniform(2000, 3, seed=1) * box.half[0]).median()
    line = torch.arange(8) / 4 - 0.875
    restricted = restrict(field.spec, weights, torch.cartesian_prod(line, line, line), torch.full((3,), 0.125))
    assert restricted is not None
    assert len(cells.nodes(2)) > 2 * restricted[0].hidden[-3], "of the hats, those near a region"
    assert all(few < most for few, most in zip(restricted[0].hidden[:-2], field.spec.hidden, strict=False))
    found = field.mesh(48)
    whole = mesh_from_grid(field(grid_points(49)).reshape((49,) * 3).numpy())
    assert len(whole.faces) > 500
    assert np.array_equal(found.faces, whole.faces)
    assert found.vertices == pytest.approx(whole.vertices, abs=1e-4)
