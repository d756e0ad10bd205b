"""Steps of Muon are orthogonal, agree with torch's, and are not in bfloat16 where that is emulated."""

import copy

import pytest
import torch

from nfgen.runtime import muon
from nfgen.runtime.muon import Muon, orthogonalized

SHAPES = [(24, 8), (8, 24), (16, 16)]


@pytest.mark.parametrize("shape", [(3, 32, 15), (2, 8, 8), (2, 4, 9)])
def test_orthogonalized_matrices_keep_their_singular_vectors(shape: tuple[int, int, int]) -> None:
    given = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    left, _, right = torch.linalg.svd(given, full_matrices=False)
    values = left.mT @ orthogonalized(given) @ right.mT
    diagonal = values.diagonal(dim1=1, dim2=2)
    torch.testing.assert_close(values, torch.diag_embed(diagonal), rtol=0, atol=1e-4)
    assert diagonal[:, :-1].min() > 0.5  # the smallest of all may take longer
    assert diagonal.max() < 1.3
    assert torch.isfinite(orthogonalized(torch.zeros(shape))).all()


def matrices(seed: int) -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in SHAPES]


def stepped(optimizer: torch.optim.Optimizer, weights: list[torch.nn.Parameter], seeds: range) -> None:
    for seed in seeds:
        for weight, gradient in zip(weights, matrices(seed), strict=True):
            weight.grad = gradient.detach()
        optimizer.step()


@pytest.mark.parametrize("pays", [True, False])
def test_steps_are_those_of_torch(pays: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(muon, "bfloat16_pays", lambda device: pays)
    ours, theirs = matrices(0), matrices(0)
    stepped(Muon(ours, 0.02, weight_decay=0.1), ours, range(1, 5))
    of_torch = torch.optim.Muon(theirs, lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    stepped(of_torch, theirs, range(1, 5))
    for start, one, other in zip(matrices(0), ours, theirs, strict=True):
        moved = (other - start).norm()
        assert (one - other).norm() < 0.01 * moved  # torch's products are rounded to bfloat16


def test_products_are_exact_where_bfloat16_does_not_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    def error(pays: bool) -> float:
        monkeypatch.setattr(muon, "bfloat16_pays", lambda device: pays)
        weights = matrices(0)
        exact = [weight.detach().double() for weight in weights]
        stepped(Muon(weights, 1.0, weight_decay=0.0, momentum=0.0), weights, range(1, 2))
        wanted = [
            start - 0.2 * max(gradient.shape) ** 0.5 * orthogonalized(gradient[None].detach().double())[0]
            for start, gradient in zip(exact, matrices(1), strict=True)
        ]
        return max((one.detach() - other).abs().max().item() for one, other in zip(weights, wanted, strict=True))

    assert error(False) < 1e-4 < error(True)


def test_a_stored_state_goes_on_and_a_matrix_without_gradient_stays() -> None:
    whole, halves = matrices(0), matrices(0)
    stepped(Muon(whole, 0.02), whole, range(1, 5))
    first = Muon(halves, 0.02)
    stepped(first, halves, range(1, 3))
    second = Muon(halves, 0.5)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    stepped(second, halves, range(3, 5))
    assert all(torch.equal(one, other) for one, other in zip(whole, halves, strict=True))
    for weight in whole:
        weight.grad = None
    before = [weight.detach().clone() for weight in whole]
    Muon(whole, 0.02).step()
    assert all(torch.equal(one, other) for one, other in zip(whole, before, strict=True))
