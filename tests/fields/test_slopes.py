"""Gradients of fields in space, against differences and fields whose slopes are known."""

from dataclasses import replace

import pytest
import torch

from nfgen.fields.field_set import FieldSet
from nfgen.fields.mlp import evaluate
from nfgen.fields.slopes import NEAR, field_gradients, near_slopes
from nfgen.fields.spec import FieldSpec


def test_gradients_are_those_of_differences(tiny_fields: FieldSet) -> None:
    assert tiny_fields.eval_points is not None
    points = tiny_fields.eval_points[:, :40].double()
    weights = tiny_fields.weights.double()
    found = field_gradients(tiny_fields.spec, weights, points)
    for axis in range(3):
        step = torch.zeros(3, dtype=torch.float64)
        step[axis] = 1e-5
        rise = evaluate(tiny_fields.spec, weights, points + step) - evaluate(tiny_fields.spec, weights, points - step)
        assert torch.allclose(found[..., axis], rise / 2e-5, atol=1e-6)
    assert not found.requires_grad


def test_the_slope_of_a_scaled_distance_is_its_scale() -> None:
    spec = FieldSpec(frequencies=0, hidden=(2,), activation="relu", output_bias=True)
    # 1.5 |x|, as relu(x) + relu(-x).
    weights = torch.tensor([[1.0, 0, 0, -1, 0, 0, 0, 0, 1.5, 1.5, -0.6]])
    points = torch.tensor([[[0.4, 0.1, 0.2], [-0.41, 0.3, 0.9], [0.9, 0.0, 0.0]]])
    values = torch.tensor([[0.0, 0.01, 0.5]])
    fields = FieldSet(spec, weights, ("one",), torch.tensor([-1]), eval_points=points, eval_values=values)
    slopes = near_slopes(spec, weights, fields)
    assert slopes is not None
    assert slopes.there.sum() == 2, "the third point is farther away than 1 % of the extent"
    assert slopes.eikonal().tolist() == pytest.approx([0.5])
    steeper = near_slopes(spec, weights * torch.tensor([1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2]), fields)
    assert steeper is not None
    assert slopes.cosine(steeper).tolist() == pytest.approx([1])
    assert slopes.angles(steeper).tolist() == pytest.approx([0, 0], abs=0.05)


def test_only_distances_have_slopes_and_only_near_points_count(tiny_fields: FieldSet) -> None:
    slopes = near_slopes(tiny_fields.spec, tiny_fields.weights, tiny_fields)
    assert slopes is not None
    assert tiny_fields.eval_values is not None
    assert slopes.there.sum(1).tolist() == (tiny_fields.eval_values.abs() < NEAR).sum(1).clamp(max=256).tolist()
    assert (slopes.eikonal() < 1).all()
    occupancy = tiny_fields.spec.replace(output="occupancy")
    assert near_slopes(occupancy, tiny_fields.weights, tiny_fields) is None
    far = replace(tiny_fields, eval_values=torch.ones_like(tiny_fields.eval_values))
    assert near_slopes(tiny_fields.spec, tiny_fields.weights, far) is None
