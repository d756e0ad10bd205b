"""Meshes found coarse to fine are those of the whole grid: what bounds promise, and that thin parts are not missed."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from nfgen.errors import ConfigError
from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.fields.meshing.bounds import LINES, bound_field
from nfgen.fields.meshing.marching_cubes import extract_mesh, grid_points, mesh_from_grid
from nfgen.fields.meshing.piecewise import RegionalField
from nfgen.fields.meshing.pruning import restrict
from nfgen.fields.meshing.sparse_grid import surface_grid
from nfgen.fields.mlp import ACTIVATIONS, SINE_FREQUENCY, evaluate, flatten, fourier_features, initial_weights
from nfgen.fields.spec import Activation, FieldSpec

SPECS = {
    "gelu": FieldSpec(hidden=(16, 16, 16)),
    "silu": FieldSpec(hidden=(16, 16), activation="silu", output_bias=True),
    "relu": FieldSpec(frequencies=0, hidden=(24, 16), activation="relu", output_bias=True),
    "sine": FieldSpec(frequencies=0, hidden=(16, 16), activation="sine"),
    "relu2": FieldSpec(frequencies=0, hidden=(24, 16), activation="relu2", output_bias=True),
    "mixed": FieldSpec(frequencies=0, hidden=(24, 16, 16), activation=("relu", "gelu", "silu"), output_bias=True),
    "occupancy": FieldSpec(frequencies=4, hidden=(16,), activation="relu", output="occupancy", raw_coordinates=False),
}
THIN = FieldSpec(frequencies=0, hidden=(3,), activation="relu", output_bias=True)


def random_field(name: str, seed: int = 0) -> Field:
    spec = SPECS[name]
    weights = initial_weights(spec, 1, torch.Generator().manual_seed(seed))[0]
    # Larger than where fits begin, so that activations bend within a box; the last layer is left as it is.
    weights[: spec.layers[-1].start] *= 1.0 if name == "sine" else 2.0
    return Field(spec, weights)


def dense_mesh(field: Field, resolution: int) -> object:
    values = field(grid_points(resolution + 1)).reshape((resolution + 1,) * 3).numpy()
    return mesh_from_grid(values if field.spec.output == "sdf" else -values)


def plate(normal: Tensor, offset: float, thickness: float) -> Field:
    """A plate as a ReLU field: |normal · x - offset| - thickness / 2 up to a third of a unit, then flat."""
    inner = torch.stack([normal, -normal, normal])
    bias = torch.tensor([-offset, offset, -offset - 1 / 3])
    layers = [
        (inner[None], bias[None]),
        (torch.tensor([[[1.0, 1.0, -1.0]]]), torch.tensor([[-thickness / 2]])),
    ]
    return Field(THIN, flatten(layers)[0])


@pytest.mark.parametrize("radius", [0.3, 0.06, 0.004])
@pytest.mark.parametrize("name", SPECS)
def test_no_value_of_a_box_is_beyond_its_bounds(name: str, radius: float) -> None:
    generator = torch.Generator().manual_seed(1)
    field = random_field(name)
    centres = torch.rand(1, 40, 3, generator=generator) * 2 - 1
    radii = radius * torch.tensor([1.0, 0.5, 1.5])
    bounds = bound_field(field.spec, field.weights[None], centres, radii)
    inside = torch.rand(40, 300, 3, generator=generator) * 2 - 1
    inside[:, :8] = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 3)
    points = centres[0][:, None] + inside * radii
    values = evaluate(field.spec, field.weights[None], points.reshape(1, -1, 3)).reshape(40, 300)
    line = bounds.centre[0][:, None] + (inside * bounds.slopes[0][:, None]).sum(-1)
    assert ((values - line).abs() <= bounds.slack[0][:, None]).all()
    assert ((values - bounds.centre[0][:, None]).abs() <= bounds.reach[0][:, None]).all()


@pytest.mark.parametrize("width", [3.0, 1.0, 0.3, 0.05])
@pytest.mark.parametrize(
    ("name", "loosest"), [("relu", 1.01), ("relu2", 1.01), ("gelu", 1.3), ("silu", 1.5), ("sine", 1.7)]
)
def test_lines_about_an_activation_hold_it_and_are_hardly_wider_than_it_needs(
    name: str, loosest: float, width: float
) -> None:
    function, scale = ACTIVATIONS[name], SINE_FREQUENCY if name == "sine" else 1
    z = torch.linspace(-6, 6, 1001) / scale
    widths = torch.full_like(z, width / scale)
    line = LINES[name](z.clone(), widths.clone())
    steps = torch.linspace(-1, 1, 201) * widths[:, None]
    off = function(z[:, None] + steps) - line.value[:, None] - line.slope[:, None] * steps
    assert (off.abs() <= line.error[:, None] + 1e-5).all()
    needed = (off.amax(1) - off.amin(1)) / 2
    assert line.error.mean() <= loosest * needed.mean()


def test_bounds_become_tight_faster_than_boxes_become_small() -> None:
    field = random_field("gelu")
    centres = torch.rand(1, 50, 3, generator=torch.Generator().manual_seed(2)) * 2 - 1
    slack = [
        bound_field(field.spec, field.weights[None], centres, torch.full((3,), radius)).slack.mean()
        for radius in (0.04, 0.01)
    ]
    assert slack[1] < slack[0] / 4**1.8


@pytest.mark.parametrize(("name", "resolution"), [*((name, 70) for name in SPECS), ("gelu", 33), ("gelu", 160)])
def test_the_mesh_is_that_of_the_whole_grid(name: str, resolution: int) -> None:
    field = random_field(name, seed=3)
    values = field(grid_points(12))
    last = field.spec.layers[-1]
    if field.spec.output_bias:
        field.weights[last.bias_start] -= values.median()
    found, whole = extract_mesh(field.spec, field.weights, resolution), dense_mesh(field, resolution)
    assert len(whole.faces) > 50, "there is a surface to find"
    np.testing.assert_array_equal(found.faces, whole.faces)
    np.testing.assert_allclose(found.vertices, whole.vertices, atol=1e-5)


@pytest.mark.parametrize("thickness", [0.05, 1.2])
@pytest.mark.parametrize("seed", range(2))
def test_a_plate_thinner_than_a_cell_is_found_wherever_the_grid_meets_it(seed: int, thickness: float) -> None:
    resolution = 130
    normal = torch.nn.functional.normalize(torch.randn(3, generator=torch.Generator().manual_seed(seed)), dim=0)
    field = plate(normal, 0.1 * seed, thickness * 2 / resolution)
    inside = int((field(grid_points(resolution + 1)) < 0).sum())
    found, whole = extract_mesh(field.spec, field.weights, resolution), dense_mesh(field, resolution)
    assert inside > 100
    np.testing.assert_array_equal(found.faces, whole.faces)
    np.testing.assert_allclose(found.vertices, whole.vertices, atol=1e-6)


def test_a_needle_of_a_single_corner_is_not_missed() -> None:
    """|x - p| + |y - q| + |z - r| < half a cell, about one corner of the grid, and nothing else inside."""
    resolution, spec = 128, FieldSpec(frequencies=0, hidden=(6,), activation="relu", output_bias=True)
    corner = torch.tensor([37.0, 90, 5]) * 2 / resolution - 1
    matrix = torch.cat([torch.eye(3), -torch.eye(3)])
    bias = torch.cat([-corner, corner])
    weights = flatten([(matrix[None], bias[None]), (torch.ones(1, 1, 6), torch.tensor([[-1 / resolution]]))])[0]
    mesh = extract_mesh(spec, weights, resolution)
    assert len(mesh.faces) == 8
    np.testing.assert_allclose(mesh.centroid, corner, atol=1e-3)


def test_most_of_space_is_never_evaluated(tiny_fields: FieldSet) -> None:
    grid = surface_grid(tiny_fields.spec, tiny_fields.weights[0], 128, 1e-5)
    assert len(grid.values) == grid.corners.sum() < 0.15 * 129**3


def tents(nodes: int = 40, upper: Activation = "relu") -> Field:
    """Tents on a line of nodes: in a part of it only the near ones act. What is above them acts everywhere."""
    at = torch.linspace(-1, 1, nodes)
    spec = FieldSpec(
        dims=3, frequencies=0, hidden=(nodes, nodes, 6), activation=("relu", "relu", upper), output_bias=True
    )
    generator = torch.Generator().manual_seed(0)
    first = torch.zeros(nodes, 3)
    first[:, 0] = 1
    # relu(x - at) weighed so that the second layer's neurons are on in a short interval only.
    second = torch.zeros(nodes, nodes)
    for i in range(1, nodes - 1):
        second[i, i - 1 : i + 2] = torch.tensor([1.0, -2.0, 1.0]) * nodes
    layers = [
        (first[None], -at[None]),
        (second[None], torch.full((1, nodes), -0.2)),
        (torch.randn(1, 6, nodes, generator=generator), torch.randn(1, 6, generator=generator)),
        (torch.randn(1, 1, 6, generator=generator), torch.tensor([[0.1]])),
    ]
    return Field(spec, flatten(layers)[0])


LINE = torch.linspace(-0.9, 0.9, 10)
REGION_CENTRES, REGION_RADIUS = torch.stack([LINE, LINE * 0, LINE * 0], 1), torch.tensor([0.1, 1, 1])


@pytest.mark.parametrize("upper", ACTIVATIONS)
def test_a_local_field_is_small_in_each_region(upper: Activation) -> None:
    field = tents(upper=upper)
    restricted = restrict(field.spec, field.weights, REGION_CENTRES, REGION_RADIUS)
    assert restricted is not None
    small, parts = restricted
    assert small.hidden[1] < 15
    assert upper in ("relu", "relu2") or small.hidden[2] == 6
    generator = torch.Generator().manual_seed(1)
    points = REGION_CENTRES[:, None] + (torch.rand(10, 200, 3, generator=generator) * 2 - 1) * REGION_RADIUS
    whole = evaluate(field.spec, field.weights[None].expand(10, -1), points)
    torch.testing.assert_close(evaluate(small, parts, points), whole, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "make",
    [tents, lambda: tents(upper="gelu"), lambda: random_field("gelu")],
    ids=["local", "local, of two activations", "everywhere"],
)
def test_a_field_by_regions_has_the_values_and_bounds_of_the_whole(make: Callable[[], Field]) -> None:
    field, generator = make(), torch.Generator().manual_seed(3)
    regional = RegionalField(field.spec, field.weights, REGION_CENTRES, REGION_RADIUS)
    # Some regions get many points, one gets none.
    regions = (torch.rand(3000, generator=generator).square() * 9).long()
    radius = torch.tensor([0.02, 0.1, 0.1])
    centres = REGION_CENTRES[regions] + (torch.rand(3000, 3, generator=generator) * 2 - 1) * (REGION_RADIUS - radius)
    values = regional.values(lambda items: fourier_features(field.spec, centres[items]), regions)
    torch.testing.assert_close(values, field(centres), atol=1e-4, rtol=1e-4)
    bounds = regional.bounds(centres, radius, regions)
    within = torch.rand(3000, 20, 3, generator=generator) * 2 - 1
    found = field((centres[:, None] + within * radius).flatten(0, 1)).unflatten(0, (3000, 20))
    line = bounds.centre[:, None] + (within * bounds.slopes[:, None]).sum(-1)
    assert ((found - line).abs() <= bounds.slack[:, None]).all()


@pytest.mark.parametrize("name", ["gelu", "relu"])
def test_a_field_that_acts_everywhere_is_not_restricted(name: str) -> None:
    field = random_field(name)
    centres = torch.rand(8, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert restrict(field.spec, field.weights, centres, torch.full((3,), 0.5)) is None


@pytest.mark.parametrize("bad", [math.nan, math.inf, 3e38])
def test_weights_that_overflow_are_refused_and_not_taken_for_empty_space(bad: float) -> None:
    field = random_field("gelu")
    field.weights[field.spec.layers[-1].start :] = bad
    with pytest.raises(ConfigError, match="not finite"):
        extract_mesh(field.spec, field.weights, 64)
