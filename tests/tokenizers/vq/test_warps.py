"""Warps are as large as their strength, fold nothing over, and without strength move nothing."""

from dataclasses import replace

import pytest
import torch

from nfgen.runtime.device import CPU
from nfgen.tokenizers.vq.probes import find_interval, on_grid
from nfgen.tokenizers.vq.warps import Interval, Warp

from .fitted_fields import SPEC, boxes, generator, uniform


def test_a_warp_without_strength_moves_nothing_and_none_folds_over() -> None:
    generator, points = torch.Generator().manual_seed(0), uniform(20, 200, 3, seed=3)
    still = Warp.random(20, 3, generator, strength=0.0, mirror=False)
    torch.testing.assert_close(still(points), points)
    warp = Warp.random(20, 3, generator, strength=1.0, mirror=False)
    moved = points.clone().requires_grad_(True)
    rows = [torch.autograd.grad(warp(moved)[..., i].sum(), moved)[0] for i in range(3)]
    assert (torch.linalg.det(torch.stack(rows, dim=-2)) > 0).all()


def test_a_warp_changes_no_more_than_its_strength_says() -> None:
    warp = Warp.random(4000, 3, generator(), strength=0.4, mirror=True)
    assert warp.scale.log().abs().max() == pytest.approx(0.06, rel=0.01)  # as `view_augment` says
    assert warp.shift.abs().max() == pytest.approx(0.4 * 0.06, rel=0.01)
    assert warp.angle.abs().max() == pytest.approx(0.4 * 0.08, rel=0.01)
    assert warp.slope.abs().amax(0).tolist() == pytest.approx([0.4 * 0.12, 0.4 * 0.12, 0.4 * 0.06], rel=0.01)
    assert warp.stretch.abs().max() == pytest.approx(0.4 * 0.12, rel=0.01)
    assert warp.elastic.abs().max() == pytest.approx(0.4 * 0.025, rel=0.01)
    assert 2.2 <= warp.frequency.min() < 2.3
    assert 5.4 < warp.frequency.max() <= 5.5
    assert set(warp.sign.flatten().tolist()) == {-1.0, 1.0}
    assert (warp.phase[..., 0] == 0).all(), "a symmetric shape stays one"
    assert warp.phase[..., 1:].abs().max() > 3
    assert (Warp.random(50, 3, generator(), strength=1.0, mirror=False).sign == 1).all()


@pytest.mark.parametrize("dims", [2, 3])
def test_a_warp_with_the_other_sign_is_the_warp_of_the_mirror_image(dims: int) -> None:
    warp, points = Warp.random(20, dims, generator(), strength=1.0, mirror=True), uniform(20, 100, dims, seed=1)
    mirror = torch.tensor([-1.0] + [1.0] * (dims - 1))
    torch.testing.assert_close(replace(warp, sign=-warp.sign)(points), warp(points * mirror))
    some = torch.tensor([3, 11])
    assert torch.equal(warp[some](points[some]), warp(points)[some])
    other = Warp.random(2, dims, generator(7), strength=1.0, mirror=True)
    warp[some] = other
    assert torch.equal(warp(points)[some], other(points[some]))


@pytest.mark.parametrize("dims", [2, 3])
def test_a_warp_of_angle_alone_turns_about_the_up_axis(dims: int) -> None:
    still = Warp.random(20, dims, generator(), strength=0.0, mirror=False)
    points = uniform(20, 100, dims, seed=1)
    turned = replace(still, angle=uniform(20, 1) * 3)(points)
    torch.testing.assert_close(turned.diff(dim=1).norm(dim=-1), points.diff(dim=1).norm(dim=-1))
    torch.testing.assert_close(turned[..., -1], points[..., -1])
    assert (dims == 3) == (not torch.allclose(turned, points, atol=1e-2))
    corners = replace(still, angle=uniform(20, 1) * 3)(torch.eye(dims).expand(20, -1, -1))
    torch.testing.assert_close(torch.linalg.det(corners), torch.ones(20))  # and is no mirror image


def interval_of_boxes(warp: Warp) -> Interval:
    """Where warped boxes lie that are off the middle."""
    count = len(warp.sign)
    centre = 0.2 * uniform(count, 1, 3, seed=5)
    query = on_grid(lambda points: boxes(count, 1.2 * warp(points.expand(count, -1, -1)) - centre, seed=1), CPU)
    return find_interval(SPEC, query)


def test_a_warp_that_keeps_the_place_keeps_middle_and_largest_side_of_a_shape_and_of_its_mirror_image() -> None:
    before = interval_of_boxes(Warp.random(50, 3, generator(), strength=0.0, mirror=False))
    warp = Warp.random(50, 3, generator(2), strength=0.4, mirror=True)
    mirror = torch.cat([warp.sign, torch.ones(50, 2)], dim=1)

    def off(after: Interval) -> tuple[float, float]:
        (low, high), (other_low, other_high) = before, after
        middles = (low + high) * mirror - other_low - other_high
        sides = (high - low).amax(1) - (other_high - other_low).amax(1)
        return middles.abs().mean().item() / 2, sides.abs().mean().item()

    moved, scaled = off(interval_of_boxes(warp))
    kept_middle, kept_side = off(interval_of_boxes(warp.keeping_place(before, interval_of_boxes(warp))))
    # What is left is the error of finding where a warped box ends.
    assert kept_middle < moved / 3
    assert kept_side < scaled / 3


def test_where_there_is_no_shape_a_warp_keeps_no_place() -> None:
    warp, points = Warp.random(2, 3, generator(), strength=1.0, mirror=True), uniform(2, 9, 3)
    none = torch.full((2, 3), 2.0), torch.full((2, 3), -2.0)
    low, high = -torch.ones(2, 3), torch.ones(2, 3)
    for before, after in ((none, none), ((low, high), none), (none, (low, high))):
        assert torch.equal(warp.keeping_place(before, after)(points), warp(points))
