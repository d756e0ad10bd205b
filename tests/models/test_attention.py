"""Attention by blocks: what the fused one gives, gradients too."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from nfgen.models.nn import cpu_attention
from nfgen.models.nn.cpu_attention import attend

LENGTHS = [1, 7, 8, 9, 29]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_attention, "BLOCK", 8)


def parts(length: int, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    generator = torch.Generator().manual_seed(length)
    return [torch.randn(3, length, 4, generator=generator).to(dtype).requires_grad_() for _ in range(3)]


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("length", LENGTHS)
def test_it_equals_the_fused_one(length: int, causal: bool) -> None:
    ours, theirs = parts(length), parts(length)
    mixed, expected = attend(*ours, causal), scaled_dot_product_attention(*theirs, is_causal=causal)
    torch.testing.assert_close(mixed, expected)
    given = torch.randn(mixed.shape, generator=torch.Generator().manual_seed(1)).double()
    mixed.backward(given)
    expected.backward(given)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one.grad, other.grad)


@pytest.mark.parametrize("causal", [True, False])
def test_its_gradient_is_that_of_its_value(causal: bool) -> None:
    assert torch.autograd.gradcheck(lambda *three: attend(*three, causal), parts(19))


def test_no_token_hears_of_later_ones() -> None:
    before, after = parts(29), parts(29)
    with torch.no_grad():
        for one in after:
            one[:, 20:] = 100.0
    torch.testing.assert_close(attend(*after, True)[:, :20], attend(*before, True)[:, :20])
    assert not torch.equal(attend(*after, False)[:, :20], attend(*before, False)[:, :20])


def test_in_half_width_it_is_as_exact_as_half_width_is() -> None:
    ours, exact = parts(29, torch.bfloat16), parts(29)
    with torch.no_grad():
        for one, other in zip(exact, ours, strict=True):
            one.copy_(other)
    mixed, expected = attend(*ours, True), attend(*exact, True)
    assert mixed.dtype == torch.bfloat16
    torch.testing.assert_close(mixed.double(), expected, atol=0.02, rtol=0.02)
    mixed.sum().backward()
    expected.sum().backward()
    for one, other in zip(ours, exact, strict=True):
        assert one.grad is not None
        assert other.grad is not None
        assert one.grad.dtype == torch.bfloat16
        assert (one.grad - other.grad).norm() < 0.03 * other.grad.norm()
