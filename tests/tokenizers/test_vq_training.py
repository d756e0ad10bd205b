"""What the VQ tokenizer learns from, and how: boxes, warps, points, losses, rates."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from nfgen.fields.field_set import FieldSet
from nfgen.fields.mlp import evaluate
from nfgen.tokenizers.vq.bounding_box import STEP, Box, extent
from nfgen.tokenizers.vq.config import VQConfig
from nfgen.tokenizers.vq.dataset import WarpedFields
from nfgen.tokenizers.vq.gradients import RADIUS, gradient_loss, gradients, simplices
from nfgen.tokenizers.vq.networks import raster
from nfgen.tokenizers.vq.probes import make_grid_query, make_query, probe, truncated_value
from nfgen.tokenizers.vq.tokenizer import VQTokenizer
from nfgen.tokenizers.vq.training import annealed, make_optimizers, reconstruction_loss
from nfgen.tokenizers.vq.warps import Warp

# A single step teaches no codebook; what it learns from is asked here.
pytestmark = pytest.mark.filterwarnings("ignore::nfgen.errors.CollapsedCodebookWarning")

STILL = VQConfig(augment=0.0, mix_planes=0.0, mirror=False, batch_size=6, points=400)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def uniform(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=generator(seed)) * 2 - 1


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


def test_signals_are_positive_outside_whatever_the_output() -> None:
    distances = torch.tensor([-0.2, 0.0, 0.05, 9.0])
    torch.testing.assert_close(truncated_value("sdf", distances, 0.1), torch.tanh(distances / 0.1))
    logits = torch.tensor([-3.0, 0.0, 2.0])
    torch.testing.assert_close(truncated_value("occupancy", logits, 0.1), 1 - 2 * torch.sigmoid(logits))


@pytest.mark.parametrize("output", ["sdf", "occupancy", "brightness"])
def test_the_loss_is_least_where_the_field_is_right(output: str) -> None:
    true = 0.3 * uniform(5, 300)
    targets = true if output == "sdf" else -2 * true / 0.1  # logits that say the same

    def loss(distances: Tensor) -> Tensor:
        return reconstruction_loss(distances, targets, output, 0.1)  # type: ignore[arg-type]  # one of them

    assert (loss(true) < loss(true + 0.02)).all()
    assert (loss(true) < loss(true - 0.02)).all()
    assert (loss(true) + 0.5 < loss(-true)).all()
    assert loss(true).shape == (5,)


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


@pytest.mark.parametrize(("output", "leans"), [("sdf", True), ("occupancy", True), ("brightness", False)])
def test_what_is_nearly_as_often_inside_as_outside_counts_as_inside_of_a_solid(output: str, leans: bool) -> None:
    true = torch.cat([torch.full((1, 48), -0.05), torch.full((1, 52), 0.05)], dim=1)
    targets = true if output == "sdf" else -2 * true / 0.1
    inside, outside = (
        reconstruction_loss(torch.full((1, 100), side), targets, output, 0.1)  # type: ignore[arg-type]  # one of them
        for side in (-0.002, 0.002)
    )
    assert (inside < outside) == leans


def test_the_learning_rate_warms_up_and_falls_to_its_end() -> None:
    rates = [annealed(i / 1000) for i in range(1001)]
    assert rates[0] == pytest.approx(0.01, abs=1e-3)
    assert max(rates) == pytest.approx(1, abs=0.01)
    assert rates.index(max(rates)) == pytest.approx(30, abs=2)
    assert rates[30:] == sorted(rates[30:], reverse=True)
    assert rates[515] == pytest.approx(0.5, abs=0.03)
    assert rates[-1] == pytest.approx(0.02)


@pytest.fixture(scope="module")
def tokenizer(tiny_fields: FieldSet) -> VQTokenizer:
    settings = {"max_tokens": 11, "levels": (8, 5), "probes": 4, "width": 16, "channels": 16, "decoder_blocks": 1}
    return VQTokenizer(**settings, steps=1, batch_size=4, points=32, mirror=False).fit(tiny_fields)


def test_every_weight_is_trained_once_and_matrices_of_the_trunk_by_muon(tokenizer: VQTokenizer) -> None:
    networks = tokenizer._build()
    muon, adam = make_optimizers(networks, 0.01)
    trained = [parameter for one in (muon, adam) for group in one.param_groups for parameter in group["params"]]
    assert sorted(map(id, trained)) == sorted(id(one) for one in networks.parameters() if one.requires_grad)
    of_muon = {id(parameter) for group in muon.param_groups for parameter in group["params"]}
    assert id(networks.decoder.out_proj.weight) in of_muon
    assert id(networks.encoder.in_proj.weight) in of_muon
    assert id(networks.field.mix.weight) not in of_muon
    assert (muon.param_groups[0]["lr"], adam.param_groups[0]["lr"]) == (0.01, 0.005)


@pytest.fixture
def pool(tokenizer: VQTokenizer, tiny_fields: FieldSet) -> WarpedFields:
    made = WarpedFields(tiny_fields, tokenizer.networks.encoder.probe_counts, STILL, generator())
    made.fill()
    return made


def test_a_pool_holds_eight_warps_of_each_field_and_what_they_are_worth(
    pool: WarpedFields, tiny_fields: FieldSet
) -> None:
    assert torch.bincount(pool.index[: pool.size]).tolist() == [8] * len(tiny_fields)
    values, box = probe(
        tiny_fields.spec, make_grid_query(tiny_fields.spec, tiny_fields.weights), pool.counts, STILL.truncation
    )
    torch.testing.assert_close(pool.values[:12].float(), values, atol=1e-3, rtol=0)
    torch.testing.assert_close(pool.boxes[slice(12)].numbers, box.numbers)
    small = WarpedFields(tiny_fields.select(torch.tensor([0])), pool.counts, STILL.replace(batch_size=20), generator())
    assert small.size == 20


def test_a_step_replaces_at_most_four_of_the_pool(pool: WarpedFields) -> None:
    before = {key: tensor.clone() for key, tensor in pool.tensors().items()}
    pool.values.fill_(7)
    pool.refresh()
    made_anew = (pool.values != 7).any(1)
    assert 1 <= made_anew.sum() <= 4
    for key, tensor in pool.tensors().items():
        if key != "values":
            kept = (~made_anew).repeat(len(tensor) // pool.size)
            assert torch.equal(tensor[kept], before[key][kept]), key


def test_shapes_that_are_cut_are_one_field_on_one_side_and_another_beyond(
    tokenizer: VQTokenizer, tiny_fields: FieldSet
) -> None:
    probes = tokenizer.networks.encoder.probe_counts
    pool = WarpedFields(tiny_fields, probes, STILL.replace(mix_planes=0.5, mirror=True), generator())
    pool.fill()
    normals, offsets = pool.planes[:, :3], pool.planes[:, 3]
    cut = torch.isfinite(offsets)
    assert 0.3 < cut.float().mean() < 0.7
    assert normals[:, 0].count_nonzero() == 0, "never across the mirrored axis"
    assert set(normals[:, 1:].unique().tolist()) == {-1, 0, 1}
    assert normals.norm(dim=1).unique().tolist() == [1]
    assert offsets[cut].abs().max() <= 0.3
    points = torch.rand(pool.size, 500, 3, generator=generator()) * 2 - 1
    rows = torch.arange(pool.size)
    sides = [
        make_query(tiny_fields.spec, tiny_fields.weights[pool.index[some]], pool.warps[some])(points)
        for some in (rows, pool.size + rows)
    ]
    beyond = torch.einsum("npd,nd->np", points, normals) > offsets[:, None]
    torch.testing.assert_close(pool.query(rows, points), torch.where(beyond, sides[1], sides[0]))
    assert beyond[~cut].sum() == 0
    assert 0.2 < beyond[cut].float().mean() < 0.8


def test_towards_the_end_of_a_training_shapes_are_left_more_and_more_as_they_are(
    tokenizer: VQTokenizer, tiny_fields: FieldSet
) -> None:
    probes = tokenizer.networks.encoder.probe_counts
    pool = WarpedFields(tiny_fields, probes, STILL.replace(augment=1.0, mix_planes=1.0), generator())
    pool.fill()

    def renewed(done: float) -> tuple[float, float]:
        """Of a few new ones: the largest change of scale, and the share that is cut."""
        pool.values.fill_(7)
        for _ in range(10):
            pool.refresh(done)
        rows = (pool.values != 7).any(1).nonzero()[:, 0]
        assert len(rows) > 20
        cut = torch.isfinite(pool.planes[rows, 3]).float().mean()
        return pool.warps.scale[rows].log().abs().max().item(), cut.item()

    for done in (0.0, 0.7):
        scale, cut = renewed(done)
        assert 0.11 < scale <= 0.15
        assert cut == 1
    scale, cut = renewed(0.85)
    assert 0.08 < scale <= 0.7 * 0.15
    assert 0.2 < cut < 0.8
    scale, cut = renewed(1.0)
    assert 0.04 < scale <= 0.4 * 0.15
    assert cut == 0


@pytest.mark.parametrize("gradient_weight", [0.0, 1.0])
def test_points_of_the_loss_are_near_the_surface_in_the_box_and_anywhere(
    gradient_weight: float, tokenizer: VQTokenizer, tiny_fields: FieldSet
) -> None:
    config = STILL.replace(gradient_weight=gradient_weight)
    pool = WarpedFields(tiny_fields, tokenizer.networks.encoder.probe_counts, config, generator())
    pool.fill()
    batch = pool.draw()
    assert batch.points.shape == (6, 400, 3)
    assert batch.corners == (200 if gradient_weight else 0)
    if batch.corners:
        corners = batch.points[:, : batch.corners].unflatten(1, (-1, 4))
        from_middle = (corners - corners.mean(2, keepdim=True)).norm(dim=-1)
        torch.testing.assert_close(from_middle, torch.full_like(from_middle, RADIUS), atol=1e-5, rtol=0)
    assert batch.inputs.shape == (6, len(pool.probes))
    fields = [
        next(i for i, values in enumerate(pool.values) if torch.equal(values.float(), read)) % len(tiny_fields)
        for read in batch.inputs
    ]
    own = evaluate(tiny_fields.spec, tiny_fields.weights[fields], batch.points)
    torch.testing.assert_close(batch.targets, own, atol=1e-5, rtol=1e-5)
    near, inner, anywhere = (batch.targets[:, some].abs() for some in (slice(340), slice(340, 380), slice(380, 400)))
    assert near.mean() < 0.8 * inner.mean(), "most are drawn near the surface"
    assert batch.box.to_box(batch.points)[:, 340:380].abs().max() <= 1 + 1e-5
    assert (batch.box.to_box(batch.points)[:, 380:].abs().amax(-1) > 1).any()
    assert anywhere.mean() > inner.mean()
    assert batch.points[:, 380:].abs().amax((0, 1)).min() > 0.95
