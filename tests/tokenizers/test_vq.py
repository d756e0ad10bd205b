"""Laws of the VQ tokenizer, on fields fitted to boxes (3-D) and discs (2-D)."""

import copy
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nfgen.errors import ConfigError
from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.fields.meshing.marching_cubes import grid_points, mesh_from_grid
from nfgen.fields.meshing.pruning import restrict
from nfgen.fields.mlp import ACTIVATIONS, evaluate, evaluate_in_chunks, flatten, initial_weights, inside, unflatten
from nfgen.fields.spec import FieldSpec, Output
from nfgen.fields.symmetry import permute, random_orders
from nfgen.fitting.config import FitConfig
from nfgen.fitting.optimize import fit_batch
from nfgen.io.files import read_tensors
from nfgen.tokenizers import registry
from nfgen.tokenizers.vq.bounding_box import INTERVALS, Box, extent
from nfgen.tokenizers.vq.config import VQConfig
from nfgen.tokenizers.vq.grid_field import GridField
from nfgen.tokenizers.vq.hat_basis import BASES, Basis, HatBasis, OctahedralBasis, SplineBasis
from nfgen.tokenizers.vq.latent_optimization import refine
from nfgen.tokenizers.vq.networks import Block, Cells, ProbeEncoder, centres, raster
from nfgen.tokenizers.vq.probes import find_box, make_grid_query, probe
from nfgen.tokenizers.vq.quantizers import Quantizer, create_quantizer, usage
from nfgen.tokenizers.vq.tokenizer import VQTokenizer
from nfgen.tokenizers.vq.training import reconstruction_loss
from nfgen.tokenizers.vq.warps import Warp

SPEC = FieldSpec(frequencies=1, hidden=(16, 16))
FLAT = FieldSpec(dims=2, frequencies=1, hidden=(16, 16), output="brightness", output_bias=True)
KINDS = ("fsq", "vq", "rvq", "lfq")
SMALL: dict[str, Any] = {
    "max_tokens": 11,
    "levels": (8, 5),
    "codebook": 16,
    "probes": 4,
    "width": 16,
    "channels": 32,
}
QUICK: dict[str, Any] = {
    **SMALL,
    "decoder_blocks": 1,
    "steps": 120,
    "batch_size": 12,
    "points": 96,
    "learning_rate": 4e-3,
    "augment": 0.3,
}


def uniform(*shape: int, seed: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def boxes(count: int, points: Tensor, seed: int) -> Tensor:
    """Signed distances of upright boxes at points [count, n, 3]."""
    half = 0.5 + 0.25 * uniform(count, 1, 3, seed=seed)
    outside = points.abs() - half
    return outside.clamp(min=0).norm(dim=-1) + outside.amax(-1).clamp(max=0)


def discs(count: int, points: Tensor, seed: int) -> Tensor:
    """Brightness in [0, 1] of blurred discs at points [count, n, 2]."""
    radius = 0.5 + 0.2 * uniform(count, 1, seed=seed)
    return torch.sigmoid((radius - points.norm(dim=-1)) * 20)


def fitted(spec: FieldSpec, count: int, seed: int) -> FieldSet:
    points = uniform(count, 2048, spec.dims, seed=seed + 1)
    values = (boxes if spec.dims == 3 else discs)(count, points, seed)
    start = initial_weights(spec, 1, torch.Generator().manual_seed(0)).repeat(count, 1)
    weights = fit_batch(spec, points, values, start, FitConfig(steps=100, points=256)).weights
    names = tuple(f"{spec.dims}d-{i}" for i in range(count))
    return FieldSet(spec, weights, names, torch.arange(count) % 2, classes=("even", "odd"))


def overlap(spec: FieldSpec, weights: Tensor, other_spec: FieldSpec, other: Tensor) -> Tensor:
    """IoU of the insides of two lots of fields, one by one."""
    points = uniform(4000, spec.dims, seed=9)
    a = inside(spec, evaluate_in_chunks(spec, weights, points))
    b = inside(other_spec, evaluate_in_chunks(other_spec, other, points))
    return (a & b).sum(1) / (a | b).sum(1).clamp(min=1)


@pytest.fixture(scope="module")
def fields() -> FieldSet:
    return fitted(SPEC, 16, seed=0)


@pytest.fixture(scope="module")
def unseen() -> FieldSet:
    return fitted(SPEC, 4, seed=50)


@pytest.fixture(scope="module")
def tokenizer(fields: FieldSet) -> VQTokenizer:
    return VQTokenizer(**QUICK).fit(fields)


def test_unseen_fields_survive_the_round_trip(tokenizer: VQTokenizer, unseen: FieldSet) -> None:
    decoded = tokenizer.decode(tokenizer.encode(unseen.weights))
    own = overlap(SPEC, unseen.weights, tokenizer.decoded_spec, decoded).mean()
    # What is kept is the shape of each, not one mean shape: these boxes overlap each other, too.
    others = overlap(SPEC, unseen.weights, tokenizer.decoded_spec, decoded.roll(1, 0)).mean()
    assert own > 0.7
    assert own > others + 0.1


def test_neurons_in_another_order_give_the_same_tokens(tokenizer: VQTokenizer, fields: FieldSet) -> None:
    permuted = permute(SPEC, fields.weights, random_orders(SPEC, len(fields), torch.Generator().manual_seed(3)))
    assert not torch.equal(permuted, fields.weights)
    # Sums in another order may put one number in thousands on the other side of a rounding.
    assert (tokenizer.encode(permuted) == tokenizer.encode(fields.weights)).double().mean() > 0.99


def test_the_same_function_in_another_spec_gives_nearly_the_same_tokens(
    tokenizer: VQTokenizer, fields: FieldSet
) -> None:
    wide = FieldSpec(frequencies=1, hidden=(20, 16))
    (first, bias), (second, second_bias), last = unflatten(SPEC, fields.weights)
    assert bias is not None
    idle = torch.zeros(len(fields), 16, 4)
    grown = flatten(
        [
            (torch.cat([first, torch.ones(len(fields), 4, first.shape[2])], 1), torch.cat([bias, idle[:, 0]], 1)),
            (torch.cat([second, idle], 2), second_bias),
            last,
        ]
    )
    assert (tokenizer.encode(grown, wide) == tokenizer.encode(fields.weights)).double().mean() > 0.99


def test_a_batch_equals_its_members(tokenizer: VQTokenizer, fields: FieldSet) -> None:
    tokens = tokenizer.encode(fields.weights)
    alone = torch.cat([tokenizer.encode(weights[None]) for weights in fields.weights])
    assert torch.equal(tokens, alone)
    assert torch.equal(tokenizer.decode(tokens)[3:4], tokenizer.decode(tokens[3:4]))


@pytest.mark.parametrize("kind", KINDS)
def test_every_quantizer_saves_loads_and_repeats_itself(kind: str, fields: FieldSet, tmp_path: Path) -> None:
    settings = {
        **QUICK,
        "quantizer": kind,
        "max_tokens": 11,
        "slots": 2,
        "steps": 3,
        "batch_size": 8,
        "decoder_blocks": 1,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # three steps may well leave a codebook unused
        first, second = (VQTokenizer(**settings).fit(fields) for _ in range(2))
    first.save(tmp_path / "vq")
    loaded = VQTokenizer.load(tmp_path / "vq")
    tokens = first.encode(fields.weights)
    assert torch.equal(tokens, second.encode(fields.weights))
    assert torch.equal(tokens, loaded.encode(fields.weights))
    assert torch.equal(first.decode(tokens), loaded.decode(tokens))
    assert loaded.vocabulary == first.vocabulary
    assert (loaded.codebook_usage, loaded.perplexity) == (first.codebook_usage, first.perplexity)
    sequences = first.vocabulary.wrap(tokens, fields.labels)
    assert torch.equal(first.vocabulary.unwrap(sequences), tokens)


def test_fitting_leaves_the_callers_random_numbers_alone(fields: FieldSet) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = VQTokenizer(**{**QUICK, "steps": 1}).fit(fields)
    assert torch.equal(torch.rand(3), expected)
    second = VQTokenizer(**{**QUICK, "steps": 1}).fit(fields)
    assert torch.equal(second.encode(fields.weights), first.encode(fields.weights)), "nor is it moved by them"


def test_brightness_fields_of_two_dimensions(fields: FieldSet) -> None:
    discs_seen, discs_unseen = fitted(FLAT, 16, seed=0), fitted(FLAT, 4, seed=50)
    flat = VQTokenizer(**{**QUICK, "max_tokens": 18, "steps": 80}).fit(discs_seen)
    decoded = flat.decode(flat.encode(discs_unseen.weights))
    assert flat.decoded_spec.output == "brightness"
    assert overlap(FLAT, discs_unseen.weights, flat.decoded_spec, decoded).mean() > 0.75
    with pytest.raises(ConfigError, match="2-D brightness"):
        flat.encode(fields.weights, SPEC)


def test_refinement_comes_nearer_at_points_that_it_did_not_see(tokenizer: VQTokenizer, unseen: FieldSet) -> None:
    networks, points = tokenizer.networks, uniform(4, 4000, 3, seed=4)
    targets = evaluate(SPEC, unseen.weights, points)
    values, box = probe(SPEC, make_grid_query(SPEC, unseen.weights), networks.encoder.probe_counts, 0.1)
    latents = networks.encoder(values, box.numbers)

    def loss(latents: Tensor) -> Tensor:
        rows = networks.decoder(networks.quantizer(latents).latents, box.numbers)
        return reconstruction_loss(networks.field(rows, box, points), targets, "sdf", 0.1).mean()

    refined = refine(networks, latents, SPEC, unseen.weights, box, None, VQConfig(**QUICK, refine=32))
    assert loss(refined) < loss(latents)
    careful = copy.copy(tokenizer)
    careful.config = tokenizer.config.replace(refine=32)
    expected = networks.quantizer(refined).indices.flatten(1)
    assert torch.equal(careful.encode(unseen.weights)[:, 3:], expected)


def test_views_are_warped_and_fresh(tokenizer: VQTokenizer, fields: FieldSet) -> None:
    views = tokenizer.views(fields.weights, SPEC, 3, seed=1)
    assert views.shape == (len(fields), 3, tokenizer.vocabulary.length)
    assert torch.equal(views, tokenizer.views(fields.weights, SPEC, 3, seed=1))
    assert not torch.equal(views[:, 0], views[:, 1])
    assert not torch.equal(views, tokenizer.views(fields.weights, SPEC, 3, seed=2))


def test_wrong_input_is_refused(tokenizer: VQTokenizer, fields: FieldSet) -> None:
    codes = tokenizer.vocabulary.codes or 0
    with pytest.raises(ConfigError, match="finite"):
        tokenizer.encode(torch.full((1, SPEC.size), torch.nan))
    with pytest.raises(ConfigError, match="weights of shape"):
        tokenizer.encode(fields.weights[:, 1:])
    with pytest.raises(ConfigError):
        tokenizer.decode(torch.full((1, tokenizer.vocabulary.length), codes))
    with pytest.raises(ConfigError, match="not fitted"):
        VQTokenizer().vocabulary  # noqa: B018 - the property is what raises


def test_cells_are_as_many_as_there_are_tokens_for_and_nearly_cubes(tokenizer: VQTokenizer, fields: FieldSet) -> None:
    cells = tokenizer.networks.encoder.cells
    assert cells.mirror
    assert cells.number + 3 == tokenizer.vocabulary.length == QUICK["max_tokens"]
    assert max(cells.across(1)) <= 4  # the boxes are about cubes
    given = VQTokenizer(**{**QUICK, "cells": (1, 1, 3), "steps": 1}).fit(fields)
    assert given.networks.encoder.cells.counts == (1, 1, 3)
    with pytest.raises(ConfigError, match="max_tokens must leave a token for a cell"):
        VQTokenizer(**{**QUICK, "max_tokens": 3}).fit(fields)
    with pytest.raises(ConfigError, match="cells must be one number for each of 3 axes"):
        VQTokenizer(**{**QUICK, "cells": (2, 2)}).fit(fields)


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


def test_networks_treat_both_halves_alike() -> None:
    """The mirror image of a symmetric shape is itself, and patches of the far half are read as in a mirror."""
    cells = Cells((2, 2, 2), mirror=True)
    encoder = ProbeEncoder(cells, 3, 16, 1, 2)
    points = centres(encoder.probe_counts, torch.device("cpu"))
    values = torch.tanh(points[:, 0] ** 2 + 0.3 * points[:, 1] - 0.5 * points[:, 2])
    near, far = encoder.patches(values[None]).unflatten(-1, (-1, 2)).unbind(-1)
    torch.testing.assert_close(near, far)
    nodes = cells.nodes(2).unflatten(0, (8, 2, 8))
    assert torch.equal(nodes[:, 0, :, 0] + nodes[:, 1, :, 0], torch.full((8, 8), 7))
    assert torch.equal(nodes[:, 0, :, 1:], nodes[:, 1, :, 1:])


def test_beyond_the_middle_a_mirrored_cell_meets_itself() -> None:
    near, counts = Cells((2, 3, 2), mirror=True), (4, 3, 2)
    told = uniform(5, 12, 3, seed=1)  # of x, the fastest, only the half that is told
    whole = told.unflatten(1, (2, 3, 2))
    whole = torch.cat([whole.flip(3), whole], dim=3).flatten(1, 3)
    torch.manual_seed(0)
    mirrored = Block(near, 8)
    both = Block(Cells(counts, mirror=False), 8)
    heard = mirrored.neighbourhood(told).unflatten(1, (2, 3, 2))
    wanted = both.neighbourhood(whole).unflatten(1, (2, 3, 4))[:, :, :, 2:]
    assert torch.equal(heard, wanted)


@pytest.mark.parametrize(
    "setting",
    [
        {"max_tokens": 0},
        {"levels": (1, 5)},
        {"levels": (2, 5)},
        {"quantizer": "lfq", "codebook": 1000},
        {"augment": 2.0},
    ],
)
def test_wrong_settings_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(reversed(setting))):
        VQConfig(**setting)


def test_a_collapsed_codebook_is_named_with_its_remedy(fields: FieldSet, monkeypatch: pytest.MonkeyPatch) -> None:
    def constant(self: Quantizer, latents: Tensor) -> object:
        return original(self, latents * 0)

    quantizer = type(create_quantizer("fsq", 1, (8, 5), 16))
    original = quantizer.forward
    monkeypatch.setattr(quantizer, "forward", constant)
    with pytest.warns(UserWarning, match=r"collapsed.*use quantizer fsq"):
        VQTokenizer(**{**QUICK, "steps": 1}).fit(fields)


@pytest.mark.parametrize("kind", KINDS)
def test_a_quantizer_looks_up_what_it_quantised(kind: str) -> None:
    torch.manual_seed(0)
    quantizer = create_quantizer(kind, 2, (8, 5), 16)  # type: ignore[arg-type]  # a plain str is one of the kinds
    latents = torch.randn(8, 4, quantizer.width)
    quantizer(latents)  # learned codebooks start from their first batch
    quantised = quantizer.eval()(latents)
    assert quantised.indices.shape == (8, 4, 2)
    torch.testing.assert_close(quantizer.lookup(quantised.indices), quantised.latents)
    assert 0 <= quantised.indices.min() <= quantised.indices.max() < quantizer.codes


def test_usage_and_perplexity_of_known_tokens() -> None:
    share, perplexity = usage(torch.tensor([[0, 1], [0, 1]]), 4)
    assert share == 0.5
    assert perplexity == pytest.approx(2.0)


def some_cells(dims: int) -> Cells:
    return Cells((1, 2, 3)[:dims], mirror=True)


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


def all_hats(basis: HatBasis, points: Tensor) -> Tensor:
    """What the fixed layers compute."""
    for matrix, bias, activation in basis.layers:
        points = ACTIVATIONS[activation](points @ matrix.T + bias)
    return points


@pytest.mark.parametrize("dims", [2, 3])
def test_octahedral_hats_stand_about_their_nodes_and_cover_space(dims: int) -> None:
    basis, points = OctahedralBasis(some_cells(dims), 2), uniform(500, dims, seed=2)
    computed = all_hats(basis, points)
    spacing = 2 / torch.tensor(basis.counts)
    distance = ((points[:, None] - ((basis.nodes + 0.5) * spacing - 1)).abs() / spacing).sum(-1)
    torch.testing.assert_close(computed, torch.relu(1 - distance / 2.2), atol=1e-5, rtol=0)
    assert (computed > 0).any(1).all()


def b_spline(x: Tensor) -> Tensor:
    """The quadratic one, from third differences of a truncated square (de Boor 1978)."""
    weights = ((1.5, 0.5), (0.5, -1.5), (-0.5, 1.5), (-1.5, -0.5))
    return sum((weight * (x + knot).relu() ** 2 for knot, weight in weights), torch.zeros_like(x))


@pytest.mark.parametrize(
    ("cells", "per_cell"),
    [
        (some_cells(2), 2),
        (some_cells(3), 2),
        (Cells((3, 2), mirror=False), 3),
        (Cells((1, 1), mirror=False), 1),
        (Cells((1, 2, 1), mirror=True), 1),
    ],
)
def test_spline_hats_are_products_of_b_splines_inside_the_box_and_far_outside(cells: Cells, per_cell: int) -> None:
    basis = SplineBasis(cells, per_cell)
    dims = len(basis.counts)
    points = torch.cat([uniform(800, dims, seed=2) * 1.6, uniform(200, dims, seed=3) * 40])
    counts = torch.tensor(basis.counts)
    at = points * (counts - 1).clamp(min=1) / 2 + (counts - 1) / 2
    wanted = b_spline((at[:, None] - basis.nodes).double().clamp(-2, 2)).prod(-1).float()
    torch.testing.assert_close(all_hats(basis, points), wanted, atol=1e-5, rtol=0)
    places, hats = basis.near(points[None])
    near = torch.zeros(1, len(points), len(basis.nodes)).scatter_add_(2, places, hats)
    torch.testing.assert_close(near[0], wanted, atol=1e-5, rtol=0)
    rows = torch.randn(1, len(basis.nodes), 4, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(basis.interpolate(rows, points[None]), wanted @ rows, atol=1e-4, rtol=0)


@pytest.mark.parametrize("dims", [2, 3])
def test_spline_hats_add_up_to_one_and_reproduce_planes(dims: int) -> None:
    basis = SplineBasis(Cells((2, 3, 2)[:dims], mirror=True), 2)
    spacing = 2 / (torch.tensor(basis.counts) - 1)
    # Half a spacing from the sides, where each point has three nodes along each axis.
    points = uniform(500, dims, seed=2) * (1 - spacing / 2)
    hats = all_hats(basis, points)
    torch.testing.assert_close(hats.sum(1), torch.ones(500), atol=1e-5, rtol=0)
    torch.testing.assert_close(hats @ (basis.nodes * spacing - 1), points, atol=1e-5, rtol=0)


def test_a_stored_tokenizer_with_octahedral_hats_decodes_to_the_values_that_it_did() -> None:
    """Of 2-D fields, with cells that were given and a learned codebook; others are among the artifacts of 0.1."""
    stored = Path(__file__).parents[1] / "fixtures" / "octahedral_flat"
    tokenizer = registry.load(stored)
    expected = read_tensors(stored.with_suffix(".safetensors"))
    assert tokenizer.config.basis == "octahedral"
    assert tokenizer.config.cells == (2, 2)
    assert (tokenizer.encode(expected["weights"]) == expected["tokens"]).double().mean() > 0.9
    values = evaluate(tokenizer.decoded_spec, tokenizer.decode(expected["tokens"]), expected["points"])
    torch.testing.assert_close(values, expected["values"], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("name", "quantizer"), [("residual_splines", "rvq"), ("graph_splines", "fsq")])
def test_tokenizers_stored_under_old_names_load(name: str, quantizer: str) -> None:
    stored = Path(__file__).parents[1] / "fixtures" / name
    settings = json.loads((stored / "config.json").read_text())["settings"]
    tokenizer = registry.load(stored)
    expected = read_tensors(stored.with_suffix(".safetensors"))
    assert (tokenizer.config.max_tokens, tokenizer.config.mix_planes) == (settings["codes"], settings["cut"])
    assert tokenizer.config.quantizer == quantizer
    assert (tokenizer.encode(expected["weights"]) == expected["tokens"]).double().mean() > 0.9
    values = evaluate(tokenizer.decoded_spec, tokenizer.decode(expected["tokens"]), expected["points"])
    torch.testing.assert_close(values, expected["values"], atol=1e-4, rtol=1e-4)


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


def test_a_warp_without_strength_moves_nothing_and_none_folds_over() -> None:
    generator, points = torch.Generator().manual_seed(0), uniform(20, 200, 3, seed=3)
    still = Warp.random(20, 3, generator, strength=0.0, mirror=False)
    torch.testing.assert_close(still(points), points)
    warp = Warp.random(20, 3, generator, strength=1.0, mirror=False)
    moved = points.clone().requires_grad_(True)
    rows = [torch.autograd.grad(warp(moved)[..., i].sum(), moved)[0] for i in range(3)]
    assert (torch.linalg.det(torch.stack(rows, dim=-2)) > 0).all()
