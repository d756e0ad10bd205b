"""Bounding boxes hold their shapes, thin parts included, and are tokens."""

import torch

from nfgen.fields.field_set import FieldSet
from nfgen.fields.mlp import evaluate, inside
from nfgen.tokenizers.vq.bounding_box import INTERVALS, STEP, Box, extent
from nfgen.tokenizers.vq.networks import raster
from nfgen.tokenizers.vq.probes import find_box, make_grid_query

from .fitted_fields import SPEC, uniform


def test_boxes_hold_their_shapes_and_say_so_in_tokens(fields: FieldSet) -> None:
    box = find_box(SPEC, make_grid_query(SPEC, fields.weights))
    points = uniform(len(fields), 4000, 3, seed=8)
    within = inside(SPEC, evaluate(SPEC, fields.weights, points))
    assert not (within & (box.to_box(points).abs().amax(-1) > 1)).any()
    half = 0.5 + 0.25 * uniform(len(fields), 1, 3, seed=0)[:, 0]
    # A step of rounding, and what the fits of a hundred steps are off.
    assert (box.half - half).mean() < 0.15
    again = Box.from_tokens(box.tokens)
    assert torch.equal(again.numbers, box.numbers)
    torch.testing.assert_close(box.to_box(box.to_space(points)), points)


def test_every_interval_has_a_box_and_every_token_is_one() -> None:
    low, high = (torch.rand(1000, 2, generator=torch.Generator().manual_seed(6)) * 2 - 1).sort(dim=1).values.unbind(1)
    box = Box.enclosing(low[:, None], high[:, None])
    assert (box.centre - box.half <= low[:, None] + 1e-4).all()
    assert (box.centre + box.half >= high[:, None] - 1e-4).all()
    tokens = torch.arange(INTERVALS)[:, None]
    assert torch.equal(Box.from_tokens(tokens).tokens, tokens)
    nothing = Box.enclosing(torch.full((1, 3), 2.0), torch.full((1, 3), -2.0))
    assert torch.equal(nothing.numbers, torch.tensor([[0.0, 0, 0, 1, 1, 1]]))


def test_a_part_thinner_than_the_probes_are_apart_is_found() -> None:
    counts = (14, 14, 14)
    probes = (raster(counts) + 0.5) / 14 * 2 - 1
    radius, place = 0.02, 0.513  # a rod along z, 0.04 thick between probes that are 0.14 apart
    values = (probes[:, :2] - torch.tensor([place, 0.0])).norm(dim=1) - radius
    low, high = extent(values[None], probes, counts, distances=True)
    torch.testing.assert_close(low[0, 0], torch.tensor(place - radius), atol=0.03, rtol=0)
    torch.testing.assert_close(high[0, 0], torch.tensor(place + radius), atol=0.03, rtol=0)


def test_a_box_is_at_most_a_step_and_a_half_wider_than_its_shape_and_never_beyond_reach() -> None:
    ends = uniform(2000, 2).sort(dim=1).values
    low, high = ends[:, :1], ends[:, 1:]
    box = Box.enclosing(low, high)
    central = ((low + high) / 2).abs() <= 0.5
    assert (box.half - (high - low) / 2)[central].max() <= 1.5 * STEP + 1e-4
    # What a field holds inside beyond the cube is cut off.
    assert torch.equal(Box.enclosing(low * 0 - 3, high * 0 + 5).numbers, torch.tensor([[0.0, 1.0]]).expand(2000, -1))
    point = Box.enclosing(torch.tensor([[0.25]]), torch.tensor([[0.25]]))
    assert point.numbers.tolist() == [[0.25, STEP]]


def test_logits_of_any_steepness_have_the_extent_that_distances_have() -> None:
    counts = (14, 14, 14)
    probes = (raster(counts) + 0.5) / 14 * 2 - 1
    distance = (probes - torch.tensor([0.2, -0.1, 0.0])).norm(dim=1) - 0.4
    expected = extent(distance[None], probes, counts, distances=True)
    torch.testing.assert_close(expected[0][0], torch.tensor([-0.2, -0.5, -0.4]), atol=0.03, rtol=0)
    torch.testing.assert_close(expected[1][0], torch.tensor([0.6, 0.3, 0.4]), atol=0.03, rtol=0)
    for steepness in (0.5, 20.0):
        found = extent(steepness * distance[None], probes, counts, distances=False)
        torch.testing.assert_close(torch.cat(found), torch.cat(expected), atol=0.05, rtol=0)
    nothing = extent(torch.full((1, 14**3), 0.7), probes, counts, distances=True)
    assert (nothing[0] > nothing[1]).all()
