"""Meshes of fields are watertight, oriented outwards and where the zero level is."""

import numpy as np
import pytest
import torch

from nfgen.errors import ConfigError
from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.fields.meshing.marching_cubes import extract_mesh, grid_points, mesh_from_grid
from nfgen.fields.spec import PRESETS, FieldSpec
from nfgen.shapes import MeshShape

BALL = 4 / 3 * np.pi


def grid(values: torch.Tensor, n: int) -> np.ndarray:
    return values.reshape(n, n, n).numpy()


def test_a_ball_has_its_volume_and_place() -> None:
    points = grid_points(49)
    centre = torch.tensor([0.2, -0.1, 0.3])
    mesh = mesh_from_grid(grid((points - centre).norm(dim=1) - 0.5, 49))
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(BALL * 0.5**3, rel=0.01)
    assert mesh.center_mass == pytest.approx(centre.numpy(), abs=1e-3)


def test_a_shape_that_fills_the_cube_is_closed_at_its_border() -> None:
    mesh = mesh_from_grid(np.full((17, 17, 17), -0.3, np.float32))
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(8, rel=0.01)
    assert np.abs(mesh.vertices).max() <= 1


def test_corners_exactly_on_the_surface_do_not_break_the_mesh() -> None:
    mesh = mesh_from_grid(grid(grid_points(17).abs().amax(dim=1) - 0.5, 17))
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(1, rel=0.1)


def test_a_field_without_a_surface_has_no_faces() -> None:
    assert len(mesh_from_grid(np.full((9, 9, 9), 0.2, np.float32)).faces) == 0


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ConfigError, match="not finite"):
        mesh_from_grid(np.full((9, 9, 9), np.nan, np.float32))


def test_an_occupancy_field_is_solid_where_its_logit_is_positive() -> None:
    spec = FieldSpec(frequencies=0, hidden=(1,), activation="relu", output_bias=True, output="occupancy")
    # relu(x + 1) - 1 is positive where x > 0: half of the cube.
    weights = torch.tensor([1.0, 0, 0, 1, 1, -1])
    mesh = Field(spec, weights).mesh(16)
    assert mesh.volume == pytest.approx(4, rel=0.01)
    assert mesh.bounds[0][0] == pytest.approx(0, abs=1e-3)


def test_a_fitted_field_encloses_the_points_that_it_holds_inside(tiny_fields: FieldSet) -> None:
    field = tiny_fields[0]
    mesh = extract_mesh(field.spec, field.weights, 32)
    points = grid_points(12)
    values = field(points)
    clear = values.abs() > 0.05
    assert mesh.is_watertight
    shape = MeshShape(mesh.vertices, mesh.faces, normalize="none")
    inside = shape.value(shape.transform.apply(points[clear].numpy())) < 0
    assert (inside == (values[clear] < 0).numpy()).all()


def test_a_two_dimensional_field_has_an_image_and_no_mesh() -> None:
    field = Field(PRESETS["mnist"], torch.zeros(561))
    assert field.image(8).shape == (8, 8)
    with pytest.raises(ConfigError, match="3-D"):
        field.mesh()
