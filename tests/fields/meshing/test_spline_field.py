"""A field that begins with splines is recognised, and bounded, evaluated and meshed as what it is; no other one is."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from nfgen.errors import ConfigError
from nfgen.fields.field import Field
from nfgen.fields.meshing.grid_index import all_places, cubes, raster
from nfgen.fields.meshing.marching_cubes import extract_mesh, grid_points, mesh_from_grid
from nfgen.fields.meshing.piecewise import RegionalGrid
from nfgen.fields.meshing.sparse_grid import surface_grid
from nfgen.fields.meshing.spline_field import SplineField
from nfgen.fields.mlp import flatten, unflatten
from nfgen.fields.slopes import field_gradients
from nfgen.fields.spec import Activation, FieldSpec
from nfgen.fields.spline_layers import spline_layers
from nfgen.tokenizers.vq.bounding_box import Box
from nfgen.tokenizers.vq.grid_field import GridField
from nfgen.tokenizers.vq.networks import Cells

CENTRE, HALF = (0.125, -0.25, 0.0), (0.75, 0.4375, 0.0625)
GRIDS = [(5, 4, 6), (1, 2, 3), (9, 2, 12)]


def splines(
    counts: tuple[int, ...] = (5, 4, 6),
    upper: tuple[Activation, ...] = ("gelu", "gelu"),
    seed: int = 0,
    half: tuple[float, ...] = HALF,
) -> Field:
    """A sphere, roughly, with random rows of some size at the nodes of a grid in a box, in a random order."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    nodes = torch.cartesian_prod(*map(torch.arange, counts))[torch.randperm(math.prod(counts), generator=generator)]
    first, *others = spline_layers(counts, nodes)
    matrix = first.matrix / torch.tensor(half)
    width = 6
    layers = [(matrix, first.bias - matrix @ torch.tensor(CENTRE)), *((f.matrix, f.bias) for f in others)]
    from_middle = ((nodes + 0.5) / torch.tensor(counts) * 2 - 1).norm(dim=1) - 1
    # What lies beyond the nodes has the largest values.
    layers.append(
        (
            0.1 * random(width, len(nodes)) + (from_middle - 0.8) * (1 + random(width, 1).abs()),
            0.5 + random(width).abs(),
        )
    )
    layers += [(torch.eye(width) + random(width, width) * 0.1, random(width) * 0.1) for _ in upper[1:]]
    layers.append((random(1, width).abs() * 0.3, torch.zeros(1)))
    spec = FieldSpec(
        frequencies=0,
        hidden=tuple(len(bias) for _, bias in layers[:-1]),
        activation=(first.activation, *(layer.activation for layer in others), *upper),
        output_bias=True,
    )
    field = Field(spec, flatten([(matrix[None], bias[None]) for matrix, bias in layers])[0])
    # The surface passes through the middle of the box.
    field.weights[-1] -= field(torch.tensor(CENTRE) + 0.4 * torch.tensor([[half[0], 0, 0], [0, half[1], 0]])).mean()
    return field


def recognised(field: Field, resolution: int) -> SplineField:
    found = SplineField.recognise(field.spec, field.weights, resolution)
    assert found is not None
    return found


@pytest.mark.parametrize("counts", GRIDS)
def test_values_are_those_of_the_layers(counts: tuple[int, int, int]) -> None:
    field = splines(counts)
    corners = all_places(25)[torch.randperm(25**3, generator=torch.Generator().manual_seed(1))[:4000]]
    values = recognised(field, 24).values(corners)
    torch.testing.assert_close(values, field(grid_points(25))[raster(corners, 25)], atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("upper", [("gelu", "gelu"), ("relu", "silu"), ("gelu",)])
@pytest.mark.parametrize("size", [1, 4, 13, 64])
@pytest.mark.parametrize("counts", GRIDS)
def test_no_value_of_a_block_is_beyond_its_bounds(
    counts: tuple[int, int, int], size: int, upper: tuple[Activation, ...]
) -> None:
    """Blocks hold parts of a spline up to all of them; the last ones reach beyond space."""
    resolution, generator = 128, torch.Generator().manual_seed(2)
    field = splines(counts, upper)
    blocks = torch.randint(0, math.ceil(resolution / size), (60, 3), generator=generator)
    bounds = recognised(field, resolution).bounds(blocks, size)
    within = torch.rand(60, 200, 3, generator=generator) * 2 - 1
    within[:, :8] = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 3)
    centres, radius = cubes(blocks, size * 2 / resolution)
    values = field((centres[:, None] + within * radius).flatten(0, 1)).unflatten(0, (60, 200))
    line = bounds.centre[:, None] + (within * bounds.slopes[:, None]).sum(-1)
    assert ((values - line).abs() <= bounds.slack[:, None]).all()


def test_bounds_are_far_tighter_than_those_through_the_layers() -> None:
    field, resolution, size = splines(half=(0.75, 0.5, 0.5)), 128, 4
    blocks = all_places(resolution // size)[::11]
    as_splines = recognised(field, resolution).bounds(blocks, size).slack
    as_layers = RegionalGrid(field.spec, field.weights, resolution, size).bounds(blocks, size).slack
    assert as_splines.mean() < as_layers.mean() / 10
    smaller = recognised(field, resolution).bounds(blocks * 4, size // 4).slack
    assert smaller.mean() < as_splines.mean() / 4**1.5, "the slack falls faster than the block"


@pytest.mark.parametrize(
    ("counts", "resolution", "output"), [((5, 4, 6), 33, "sdf"), ((5, 4, 6), 70, "occupancy"), ((4, 3, 3), 160, "sdf")]
)
def test_the_mesh_is_that_of_the_whole_grid(counts: tuple[int, int, int], resolution: int, output: str) -> None:
    field = splines(counts, half=(0.75, 0.5, 0.5), seed=3)
    field = Field(field.spec.replace(output=output), field.weights)
    values = field(grid_points(resolution + 1)).reshape((resolution + 1,) * 3).numpy()
    whole = mesh_from_grid(values if output == "sdf" else -values)
    found = extract_mesh(field.spec, field.weights, resolution)
    assert len(whole.faces) > 50, "there is a surface to find"
    np.testing.assert_array_equal(found.faces, whole.faces)
    # Rounding of values moves vertices, the more the flatter the field crosses an edge: a hundredth of a cell at most.
    np.testing.assert_allclose(found.vertices, whole.vertices, atol=0.02 / resolution)


def test_most_of_space_is_never_evaluated() -> None:
    field = splines(half=(0.75, 0.5, 0.5))
    assert len(surface_grid(field.spec, field.weights, 128, 1e-5).values) < 0.2 * 129**3


def test_what_vq_decodes_is_recognised() -> None:
    generator = torch.Generator().manual_seed(0)
    grid = GridField(Cells((2, 3, 2), mirror=True), 2, 8, "sdf", 0.1)
    rows = torch.randn(4, len(grid.hat_basis.nodes), 8, generator=generator)
    box = Box.from_tokens(torch.randint(0, 17 * 24, (4, 3), generator=generator))
    for weights in grid.weights(rows, box):
        assert SplineField.recognise(grid.spec, weights, 64) is not None


@pytest.mark.parametrize("layer", range(5))
@pytest.mark.parametrize("part", ["matrix", "bias"])
def test_a_field_whose_layers_differ_in_one_number_is_not_recognised(layer: int, part: str) -> None:
    field = splines()
    changed = unflatten(field.spec, field.weights[None])[layer][0 if part == "matrix" else 1]
    changed.view(-1)[5] += 0.01  # it is a view of the field's weights
    assert SplineField.recognise(field.spec, field.weights, 48) is None


def test_other_fields_are_not_recognised() -> None:
    field = splines()
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(field.spec.size, generator=generator)
    activation = ("relu", "relu2", "relu2", "relu2", "relu", "gelu")
    for spec in (FieldSpec(), FieldSpec(frequencies=0, hidden=(48, 20, 20, 20, 8, 4), activation=activation)):
        weights = torch.randn(spec.size, generator=generator)
        assert SplineField.recognise(spec, weights, 48) is None
        assert SplineField.recognise(spec, torch.zeros(spec.size), 48) is None
    assert SplineField.recognise(field.spec, noise, 48) is None


@pytest.mark.parametrize("layer", [5, 7], ids=["rows", "last"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_weights_that_are_not_finite_are_refused_and_not_taken_for_empty_space(layer: int, bad: float) -> None:
    field = splines()
    unflatten(field.spec, field.weights[None])[layer][0][0, :, 3] = bad
    assert SplineField.recognise(field.spec, field.weights, 64) is not None
    with pytest.raises(ConfigError, match="not finite"):
        extract_mesh(field.spec, field.weights, 64)


@pytest.mark.parametrize("counts", GRIDS)
def test_gradients_are_those_of_the_layers(counts: tuple[int, ...]) -> None:
    field = splines(counts)
    found = SplineField.recognise(field.spec, field.weights, 16)
    assert found is not None
    points = torch.rand(500, 3, generator=torch.Generator().manual_seed(3)) * 2 - 1
    wanted = field_gradients(field.spec, field.weights[None], points[None])[0]
    assert torch.allclose(found.gradients(points), wanted, rtol=1e-3, atol=1e-3 * float(wanted.abs().max()))
