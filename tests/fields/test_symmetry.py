"""Permuting hidden neurons leaves a field's values alone; canonical order and matching undo a permutation."""

import pytest
import torch

from nfgen.errors import ConfigError
from nfgen.fields.mlp import initial_weights
from nfgen.fields.spec import PRESETS, FieldSpec
from nfgen.fields.symmetry import canonical, match, permute, random_orders


def fields(spec: FieldSpec, count: int = 3, seed: int = 0) -> torch.Tensor:
    return initial_weights(spec, count, torch.Generator().manual_seed(seed)).double()


def test_an_order_moves_rows_as_the_docs_say() -> None:
    spec = FieldSpec(dims=2, frequencies=0, hidden=(3,))
    weights = torch.arange(12.0)[None]  # W0 [3, 2], b0 [3], W1 [1, 3]
    permuted = permute(spec, weights, [torch.tensor([2, 0, 1])])
    assert permuted[0].tolist() == [4, 5, 0, 1, 2, 3, 8, 6, 7, 11, 9, 10]


@pytest.mark.parametrize("order", [[0, 0, 1], [0, 1, 3]])
def test_what_is_not_a_permutation_is_refused(order: list[int]) -> None:
    spec = FieldSpec(dims=2, frequencies=0, hidden=(3,))
    with pytest.raises(ConfigError, match="not a permutation"):
        permute(spec, torch.zeros(1, 12), [torch.tensor(order)])


def test_canonical_order_breaks_ties_of_biases_by_weights() -> None:
    spec = FieldSpec(dims=2, frequencies=0, hidden=(8,))
    weights = fields(spec, 2)
    weights[:, spec.layers[0].bias_start : spec.layers[0].end] = 0.5
    orders = random_orders(spec, 2, torch.Generator().manual_seed(3))
    assert torch.equal(canonical(spec, permute(spec, weights, orders)), canonical(spec, weights))


def test_matching_undoes_a_permutation_in_spite_of_noise() -> None:
    spec = PRESETS["mnist"]
    generator = torch.Generator().manual_seed(4)
    target = fields(spec, 1)
    noisy = target + 0.01 * torch.randn(4, spec.size, generator=generator, dtype=torch.float64)
    permuted = permute(spec, noisy, random_orders(spec, 4, generator))
    torch.testing.assert_close(match(spec, permuted, target[0]), noisy, rtol=0, atol=0)


def test_matching_never_moves_away_from_the_target() -> None:
    spec = PRESETS["mnist"]
    weights, target = fields(spec, 4), fields(spec, 1, seed=9)[0]
    matched = match(spec, weights, target)
    assert ((matched - target).square().sum(1) <= (weights - target).square().sum(1)).all()
