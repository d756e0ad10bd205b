"""Laws of the graph tokenizer: the symmetry of its encoder, and weights that follow a transform of space."""

from typing import Any

import pytest
import torch
from torch import Tensor

from nfgen.errors import ConfigError
from nfgen.fields.field_set import FieldSet
from nfgen.fields.mlp import evaluate, evaluate_in_chunks, initial_weights, inside
from nfgen.fields.spec import FieldSpec
from nfgen.fields.symmetry import permute, random_orders
from nfgen.fitting.config import FitConfig
from nfgen.fitting.optimize import fit_batch
from nfgen.tokenizers.graph.networks import GraphEncoder
from nfgen.tokenizers.graph.tokenizer import GraphTokenizer
from nfgen.tokenizers.graph.weight_transforms import sample_transforms, transform_weights
from nfgen.tokenizers.vq.networks import Cells
from nfgen.tokenizers.vq.probes import find_box, make_grid_query
from nfgen.tokenizers.vq.warps import SHIFT

SPEC = FieldSpec(frequencies=1, hidden=(16, 12))
SPECS = [
    SPEC,
    FieldSpec(dims=2, frequencies=3, raw_coordinates=False, hidden=(7,), output_bias=True, output="brightness"),
    FieldSpec(frequencies=0, hidden=(6, 5, 4)),
]
QUICK: dict[str, Any] = {"max_tokens": 11, "levels": (8, 5), "probes": 4, "width": 16, "channels": 16,
                         "decoder_blocks": 1, "encoder_blocks": 1, "edge_channels": 4, "steps": 150, "batch_size": 12,
                         "points": 96, "learning_rate": 4e-3}  # fmt: skip


def boxes(half: Tensor, points: Tensor) -> Tensor:
    """Signed distances [N, n] of upright boxes of half sizes [N, 1, 3]."""
    outside = points.abs() - half
    return outside.clamp(min=0).norm(dim=-1) + outside.amax(-1).clamp(max=0)


def fitted_from_random(count: int, seed: int) -> FieldSet:
    """Fields of boxes of different sizes, each from a random start of its own."""
    generator = torch.Generator().manual_seed(seed)
    half = 0.3 + 0.5 * torch.rand(count, 1, 3, generator=generator)
    points = torch.rand(count, 2048, 3, generator=generator) * 2 - 1
    start = initial_weights(SPEC, count, generator)
    fit = fit_batch(SPEC, points, boxes(half, points), start, FitConfig(steps=200, points=512))
    ids = tuple(f"box-{i}" for i in range(count))
    return FieldSet(SPEC, fit.weights, ids, torch.full((count,), -1))


@pytest.fixture(scope="module")
def fields() -> FieldSet:
    return fitted_from_random(48, seed=0)


@pytest.fixture(scope="module")
def tokenizer(fields: FieldSet) -> GraphTokenizer:
    return GraphTokenizer(**QUICK).fit(fields)


def encoder(spec: FieldSpec) -> GraphEncoder:
    torch.manual_seed(0)
    cells = Cells((1, 2, 2)[: spec.dims], mirror=True)
    made = GraphEncoder(spec, cells, 3, 16, 4, 5, 3, per_cell=4).double()
    made.learn_scale(torch.randn(5, spec.size, dtype=torch.float64))
    return made


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: str(spec.hidden))
def test_every_block_is_equivariant_to_the_order_of_hidden_neurons(spec: FieldSpec) -> None:
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn(4, spec.size, dtype=torch.float64, generator=generator)
    orders = random_orders(spec, 4, generator)
    permuted = permute(spec, weights, orders)
    assert not torch.equal(permuted, weights)
    made = encoder(spec)
    with torch.no_grad():
        for before, after in zip(made.nodes(weights), made.nodes(permuted), strict=True):
            for layer, (nodes, moved_nodes) in enumerate(zip(before, after, strict=True)):
                hidden = 0 < layer <= len(spec.hidden)
                order = orders[layer - 1] if hidden else torch.arange(nodes.shape[1]).expand(4, -1)
                expected = nodes.gather(1, order[..., None].expand_as(nodes))
                torch.testing.assert_close(moved_nodes, expected, atol=1e-5, rtol=0)
        box = torch.rand(4, 2 * spec.dims, dtype=torch.float64, generator=generator)
        torch.testing.assert_close(made(permuted, box), made(weights, box), atol=1e-5, rtol=0)
        assert not torch.allclose(made(weights, box + 0.5), made(weights, box), atol=1e-3)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: str(spec.hidden))
def test_every_weight_counts(spec: FieldSpec) -> None:
    weights = torch.randn(1, spec.size, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    weights.requires_grad_()
    encoder(spec)(weights, torch.rand(1, 2 * spec.dims, dtype=torch.float64)).square().sum().backward()
    assert weights.grad is not None
    assert (weights.grad != 0).all()


def test_neurons_in_another_order_give_the_same_tokens(tokenizer: GraphTokenizer, fields: FieldSet) -> None:
    permuted = permute(SPEC, fields.weights, random_orders(SPEC, len(fields), torch.Generator().manual_seed(3)))
    # Sums in another order may put one number in thousands on the other side of a rounding.
    assert (tokenizer.encode(permuted) == tokenizer.encode(fields.weights)).double().mean() > 0.99


def test_tokens_tell_one_unconditioned_field_from_another(tokenizer: GraphTokenizer, fields: FieldSet) -> None:
    decoded = tokenizer.decode(tokenizer.encode(fields.weights))
    points = torch.rand(2000, 3, generator=torch.Generator().manual_seed(4)) * 2 - 1
    true = inside(SPEC, evaluate_in_chunks(SPEC, fields.weights, points))
    found = inside(tokenizer.decoded_spec, evaluate_in_chunks(tokenizer.decoded_spec, decoded, points))

    def overlap(one: Tensor, two: Tensor) -> float:
        return float(((one & two).sum(1) / (one | two).sum(1)).mean())

    assert overlap(true, found) > 0.6
    assert overlap(true, found) > overlap(true, found.roll(1, 0)) + 0.1


def test_the_first_tokens_are_the_box_of_the_shape(tokenizer: GraphTokenizer, fields: FieldSet) -> None:
    tokens = tokenizer.encode(fields.weights)
    codes = tokenizer.networks.quantizer.codes
    assert torch.equal(tokens[:, :3] - codes, find_box(SPEC, make_grid_query(SPEC, fields.weights)).tokens)
    transform = sample_transforms(len(fields), 3, torch.Generator().manual_seed(6), strength=1.0, mirror=True)
    seen = find_box(SPEC, make_grid_query(SPEC, transform_weights(SPEC, fields.weights, transform)))
    torch.testing.assert_close(
        seen.numbers, find_box(SPEC, make_grid_query(SPEC, fields.weights, transform)).numbers, atol=0.07, rtol=0
    )


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: str(spec.hidden))
def test_transformed_weights_are_the_field_of_transformed_points(spec: FieldSpec) -> None:
    generator = torch.Generator().manual_seed(5)
    weights = torch.randn(20, spec.size, generator=generator)
    transform = sample_transforms(20, spec.dims, generator, strength=1.0, mirror=True)
    points = torch.rand(20, 50, spec.dims, generator=generator) * 2 - 1
    assert not torch.allclose(transform(points), points, atol=0.01)
    through = evaluate(spec, weights, transform(points))
    torch.testing.assert_close(
        evaluate(spec, transform_weights(spec, weights, transform), points), through, atol=1e-4, rtol=1e-4
    )
    assert torch.equal(transform_weights(spec, weights, None), weights)


def test_shifts_are_as_large_as_their_strength_in_all_directions() -> None:
    shift = sample_transforms(4000, 3, torch.Generator().manual_seed(0), strength=0.5, mirror=True).shift
    assert shift.abs().amax() == pytest.approx(0.5 * SHIFT, rel=0.01)
    assert shift.mean((0, 1)).abs().max() < 0.05 * SHIFT


def test_views_are_moved_and_fresh(tokenizer: GraphTokenizer, fields: FieldSet) -> None:
    views = tokenizer.views(fields.weights, SPEC, 3, seed=1)
    assert views.shape == (len(fields), 3, QUICK["max_tokens"])
    assert torch.equal(views, tokenizer.views(fields.weights, SPEC, 3, seed=1))
    assert not torch.equal(views[:, 0], views[:, 1])


def test_fields_of_another_spec_are_refused(tokenizer: GraphTokenizer) -> None:
    with pytest.raises(ConfigError, match="another spec"):
        tokenizer.encode(torch.zeros(1, SPECS[2].size), SPECS[2])


@pytest.mark.parametrize(
    ("setting", "said"),
    [({"edge_channels": 0}, "edge_channels"), ({"channels": 36}, "channels"), ({"node_points": 4097}, "node_points")],
)
def test_wrong_settings_are_named(setting: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        GraphTokenizer(**setting)
