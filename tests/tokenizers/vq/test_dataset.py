"""Training data of the VQ tokenizer: a pool of warped and mixed fields, and the points that a step draws from it."""

import pytest
import torch

from nfgen.fields.field_set import FieldSet
from nfgen.fields.mlp import evaluate
from nfgen.shapes.synthetic.random_solids import random_solid
from nfgen.tokenizers.vq.config import VQConfig
from nfgen.tokenizers.vq.dataset import WarpedFields
from nfgen.tokenizers.vq.gradients import RADIUS
from nfgen.tokenizers.vq.probes import make_grid_query, make_query, probe
from nfgen.tokenizers.vq.tokenizer import VQTokenizer
from nfgen.tokenizers.vq.training_shapes import TrainingShapes
from nfgen.tokenizers.vq.warps import Warp

from .fitted_fields import generator

# A single step teaches no codebook; what it learns from is asked here.
pytestmark = pytest.mark.filterwarnings("ignore::nfgen.errors.CollapsedCodebookWarning")

STILL = VQConfig(augment=0.0, mix_planes=0.0, mirror=False, batch_size=6, points=400)


@pytest.fixture(scope="module")
def tokenizer(tiny_fields: FieldSet) -> VQTokenizer:
    settings = {"max_tokens": 11, "levels": (8, 5), "probes": 4, "width": 16, "channels": 16, "decoder_blocks": 1}
    return VQTokenizer(**settings, steps=1, batch_size=4, points=32, mirror=False).fit(tiny_fields)


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


def test_solids_are_known_by_their_distances_and_fields_by_their_own(tiny_fields: FieldSet) -> None:
    shapes = TrainingShapes(tiny_fields, solids=0.5)
    assert (shapes.count - shapes.first_solid) / shapes.count == pytest.approx(0.5, abs=1e-3)
    numbers = torch.tensor([2, shapes.first_solid, 5 + len(tiny_fields), shapes.first_solid + 3])
    warps = Warp.random(4, 3, generator(), strength=1.0, mirror=False)
    points = torch.rand(1, 50, 3, generator=generator(1)) * 2 - 1
    found = shapes.query(numbers, warps)(points)
    at = warps(points.expand(4, -1, -1))
    of_fields = evaluate(tiny_fields.spec, tiny_fields.weights[[2, 5]], at[[0, 2]])
    torch.testing.assert_close(found[[0, 2]], of_fields, atol=1e-5, rtol=1e-5)
    for row, number in ((1, 0), (3, 3)):
        distances = torch.from_numpy(random_solid(number)(at[row].numpy())).float()
        torch.testing.assert_close(found[row], distances, atol=1e-5, rtol=0)
