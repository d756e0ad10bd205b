"""Laws for whatever architecture, vocabulary and numbers: hypothesis draws them; references are NumPy in float64."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nfgen.errors import ConfigError
from nfgen.fields.field import Field
from nfgen.fields.gradient import losses_and_gradient
from nfgen.fields.mlp import (
    batches,
    evaluate,
    evaluate_in_chunks,
    evaluate_on_grid,
    flatten,
    fourier_features,
    from_neuron_rows,
    initial_weights,
    inside,
    neuron_rows,
    unflatten,
)
from nfgen.fields.spec import FieldSpec, Output
from nfgen.fields.symmetry import canonical, match, permute, random_orders
from nfgen.shapes.base import Transform

law = settings(max_examples=25, deadline=None, derandomize=True)
SEEDS = st.integers(0, 2**31)

KINDS = st.sampled_from(("relu", "relu2", "gelu", "silu", "sine"))


@st.composite
def field_specs(draw: st.DrawFn) -> FieldSpec:
    hidden = tuple(draw(st.lists(st.integers(1, 9), min_size=1, max_size=3)))
    each = st.lists(KINDS, min_size=len(hidden), max_size=len(hidden)).map(tuple)
    return FieldSpec(
        dims=draw(st.sampled_from((2, 3))),
        frequencies=draw(st.integers(1, 3)),
        raw_coordinates=draw(st.booleans()),
        hidden=hidden,
        activation=draw(st.one_of(KINDS, each)),
        output_bias=draw(st.booleans()),
        output=draw(st.sampled_from(("sdf", "occupancy", "brightness"))),
    )


specs = field_specs()


def some(spec: FieldSpec, count: int, seed: int) -> Tensor:
    return initial_weights(spec, count, torch.Generator().manual_seed(seed)).double()


def points_for(spec: FieldSpec, count: int, seed: int) -> Tensor:
    return torch.rand(count, spec.dims, generator=torch.Generator().manual_seed(seed + 1)).double() * 2 - 1


ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda z: np.maximum(z, 0),
    "relu2": lambda z: np.maximum(z, 0) ** 2,
    "gelu": lambda z: z * (1 + np.vectorize(math.erf)(z / math.sqrt(2))) / 2,
    "silu": lambda z: z / (1 + np.exp(-z)),
    "sine": lambda z: np.sin(30 * z),
}
SLOPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda z: (z > 0).astype(float),
    "relu2": lambda z: 2 * np.maximum(z, 0),
    "gelu": lambda z: (
        (1 + np.vectorize(math.erf)(z / math.sqrt(2))) / 2 + z * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    ),
    "silu": lambda z: (1 + z / (1 + np.exp(z))) / (1 + np.exp(-z)),
    "sine": lambda z: 30 * np.cos(30 * z),
}


def reference(spec: FieldSpec, weights: np.ndarray, point: np.ndarray) -> tuple[float, np.ndarray]:
    """Value at a point, and its gradient by the coordinates, written out from the documented layout."""
    features, jacobian = [], []
    identity = np.eye(spec.dims)
    if spec.raw_coordinates:
        features += list(point)
        jacobian += list(identity)
    for wave, slope in ((np.sin, np.cos), (np.cos, lambda x: -np.sin(x))):
        for k in range(spec.frequencies):
            octave = 2**k * math.pi
            features += list(wave(octave * point))
            jacobian += list(octave * slope(octave * point)[:, None] * identity)
    values, slopes, at = np.array(features), np.array(jacobian), 0
    widths = (*spec.hidden, 1)
    for i, width in enumerate(widths):
        last = i == len(widths) - 1
        matrix = weights[at : at + width * len(values)].reshape(width, len(values))
        at += matrix.size
        bias = 0.0
        if not last or spec.output_bias:
            bias, at = weights[at : at + width], at + width
        z = matrix @ values + bias
        slopes = matrix @ slopes
        if not last:
            activation = spec.activation if isinstance(spec.activation, str) else spec.activation[i]
            slopes = SLOPES[activation](z)[:, None] * slopes
            z = ACTIVATIONS[activation](z)
        values = z
    assert at == len(weights)
    return float(values[0]), slopes[0]


@law
@given(specs, st.lists(st.integers(1, 4), min_size=3, max_size=3), SEEDS)
def test_a_grid_is_its_points(spec: FieldSpec, counts: list[int], seed: int) -> None:
    weights = some(spec, 2, seed)
    axes = [points_for(spec, 2 * count, seed + i)[:, 0].view(2, count) for i, count in enumerate(counts[: spec.dims])]
    slowest_last = [torch.cartesian_prod(*(axis[i] for axis in reversed(axes))).flip(-1) for i in range(2)]
    points = torch.stack(slowest_last)
    torch.testing.assert_close(evaluate_on_grid(spec, weights, axes), evaluate(spec, weights, points))


@law
@given(specs, SEEDS)
def test_the_gradient_written_by_hand_is_that_of_autograd(spec: FieldSpec, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    weights = initial_weights(spec, 3, generator).double().requires_grad_()
    points = torch.rand(3, 5, spec.dims, generator=generator, dtype=torch.float64) * 2 - 1

    def loss(outputs: Tensor) -> Tensor:
        return outputs.tanh().square().mean(1)

    wanted = loss(evaluate(spec, weights, points))
    (slope,) = torch.autograd.grad(wanted.sum(), weights)
    losses, gradient = losses_and_gradient(spec, weights.detach(), fourier_features(spec, points), loss)
    torch.testing.assert_close(losses, wanted.detach(), rtol=1e-10, atol=1e-14)
    torch.testing.assert_close(gradient, slope, rtol=1e-10, atol=1e-14)


@law
@given(specs, SEEDS)
def test_values_and_gradients_are_those_of_the_reference(spec: FieldSpec, seed: int) -> None:
    weights, points = some(spec, 1, seed), points_for(spec, 3, seed).requires_grad_()
    values = evaluate(spec, weights, points)[0]
    (gradients,) = torch.autograd.grad(values.sum(), points)
    for point, value, gradient in zip(points.detach().numpy(), values, gradients, strict=True):
        wanted, slope = reference(spec, weights[0].numpy(), point)
        assert value.item() == pytest.approx(wanted, abs=1e-10)
        np.testing.assert_allclose(gradient.numpy(), slope, rtol=1e-9, atol=1e-9)


@law
@given(specs, SEEDS, st.integers(0, 3))
def test_layers_and_rows_hold_the_flat_weights(spec: FieldSpec, seed: int, count: int) -> None:
    weights = some(spec, count, seed)
    assert torch.equal(flatten(unflatten(spec, weights)), weights)
    assert torch.equal(from_neuron_rows(spec, neuron_rows(spec, weights)), weights)
    with pytest.raises(ConfigError, match="do not fit"):
        unflatten(spec, torch.zeros(1, spec.size + 1))
    with pytest.raises(ConfigError, match="do not fit"):
        unflatten(spec, torch.zeros(spec.size))
    with pytest.raises(ConfigError, match="do not fit"):
        Field(spec, torch.zeros(1, spec.size))


@law
@given(specs, SEEDS, st.integers(1, 4), st.integers(1, 40), st.booleans())
def test_chunks_are_the_whole(spec: FieldSpec, seed: int, count: int, n: int, own: bool) -> None:
    weights = some(spec, count, seed)
    points = torch.stack([points_for(spec, n, seed + i) for i in range(count)]) if own else points_for(spec, n, seed)
    wanted = evaluate(spec, weights, points)
    with pytest.MonkeyPatch.context() as patch:
        for numbers in (1, 20, 1 << 22):
            patch.setattr("nfgen.fields.mlp.CHUNK_NUMBERS", numbers)
            got = evaluate_in_chunks(spec, weights, points)
            assert got.dtype == torch.float64
            torch.testing.assert_close(got, wanted, rtol=0, atol=1e-12)
    each = [Field(spec, one)(points[i] if own else points) for i, one in enumerate(weights)]
    torch.testing.assert_close(torch.stack(each), wanted, rtol=0, atol=1e-12)


@law
@given(specs, SEEDS)
def test_permutations_act_and_change_no_value(spec: FieldSpec, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    weights, points = some(spec, 2, seed), points_for(spec, 5, seed)
    first, second = (random_orders(spec, 2, generator) for _ in range(2))
    moved = permute(spec, weights, first)
    torch.testing.assert_close(evaluate(spec, moved, points), evaluate(spec, weights, points), rtol=0, atol=1e-10)
    # One after the other is their composition, and the inverse undoes.
    composed = [one.gather(1, two) for one, two in zip(first, second, strict=True)]
    assert torch.equal(permute(spec, moved, second), permute(spec, weights, composed))
    assert torch.equal(permute(spec, moved, [order.argsort(1) for order in first]), weights)
    assert torch.equal(canonical(spec, moved), canonical(spec, weights))
    assert torch.equal(canonical(spec, canonical(spec, moved)), canonical(spec, moved))
    torch.testing.assert_close(
        evaluate(spec, canonical(spec, weights), points), evaluate(spec, weights, points), rtol=0, atol=1e-10
    )
    assert torch.equal(match(spec, weights, weights[0])[0], weights[0])


@law
@given(specs, SEEDS)
def test_random_starts_lie_within_their_bounds(spec: FieldSpec, seed: int) -> None:
    weights = some(spec, 50, seed)
    for i, layer in enumerate(spec.layers):
        bound = 1 / math.sqrt(layer.inputs)
        if (*spec.activations, spec.activations[-1])[i] == "sine":
            bound = 1 / layer.inputs if i == 0 else math.sqrt(6 / layer.inputs) / 30
        if spec.output == "sdf" and i == len(spec.hidden):
            bound *= 0.1
        here = weights[:, layer.start : layer.end].abs()
        assert here.max() <= bound * (1 + 1e-6)
        assert here.max() > 0.8 * bound


def test_inside_has_the_side_that_the_output_says() -> None:
    values = torch.tensor([-1.0, 0.0, 1.0])
    assert inside(FieldSpec(), values).tolist() == [True, False, False]
    for output in ("occupancy", "brightness"):
        assert inside(FieldSpec(output=output), values).tolist() == [False, False, True]  # type: ignore[arg-type]


@law
@given(st.integers(0, 50), st.integers(1, 20))
def test_batches_cover_every_row_once(count: int, size: int) -> None:
    rows = [i for here in batches(count, size) for i in range(here.start, here.stop)]
    assert rows == list(range(count))
    assert all(here.stop - here.start <= size for here in batches(count, size))


def test_images_are_rows_from_the_top_and_their_sign_is_negative_inside() -> None:
    def field(output_bias: bool, output: Output) -> Field:
        spec = FieldSpec(dims=2, frequencies=0, hidden=(1,), activation="relu", output_bias=output_bias, output=output)
        return Field(spec, torch.tensor([0.0, 1, 2, 1, -2])[: spec.size])

    # relu(y + 2) is nowhere negative; less 2 it is y, negative in the lower half.
    lower = field(True, "sdf")
    assert field(False, "sdf").image(4).tolist() == [[0.0] * 4] * 4
    assert lower.image(4).tolist() == [[0.0] * 4] * 2 + [[1.0] * 4] * 2
    assert lower.signed_image(2).tolist() == [[0.5, 0.5], [-0.5, -0.5]]
    logits = field(True, "brightness")
    torch.testing.assert_close(logits.image(2), torch.sigmoid(torch.tensor([[0.5, 0.5], [-0.5, -0.5]])))
    assert logits.signed_image(2).tolist() == [[-0.5, -0.5], [0.5, 0.5]]
    assert field(True, "occupancy").image(2).tolist() == [[1.0, 1.0], [0.0, 0.0]]


@law
@given(
    st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=3), st.floats(1e-3, 1e3), st.floats(-10, 10), st.floats(-10, 10)
)
def test_a_frame_goes_there_and_back(center: list[float], scale: float, x: float, y: float) -> None:
    frame = Transform(tuple(center), scale)
    points = np.array([[x, y, x][: len(center)]])
    np.testing.assert_allclose(frame.invert(frame.apply(points)), points, atol=1e-9 * (1 + max(map(abs, center))))
    assert Transform.from_json(frame.to_json()) == frame
