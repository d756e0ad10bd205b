"""Fields: the layout of their weights, their values, and where they are inside."""

import errno
import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from nfgen.errors import ArtifactError, ConfigError
from nfgen.fields.field import Field, pixel_centres
from nfgen.fields.mlp import (
    evaluate,
    flatten,
    fourier_features,
    from_neuron_rows,
    initial_weights,
    neuron_rows,
    unflatten,
)
from nfgen.fields.spec import PRESETS, FieldSpec

every_preset = pytest.mark.parametrize("name", PRESETS)


def some(spec: FieldSpec, count: int = 3) -> torch.Tensor:
    return initial_weights(spec, count, torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("name", "size"), [("talk", 3712), ("mnist", 561), ("hyperdiffusion", 36737)])
def test_presets_have_the_published_sizes(name: str, size: int) -> None:
    assert PRESETS[name].size == size


@every_preset
def test_flat_weights_layers_and_rows_are_the_same_numbers(name: str) -> None:
    spec = PRESETS[name]
    weights = some(spec)
    assert torch.equal(flatten(unflatten(spec, weights)), weights)
    rows = neuron_rows(spec, weights)
    assert [row.shape[1:] for row in rows] == [(s.outputs, s.inputs + s.bias) for s in spec.layers]
    assert torch.equal(from_neuron_rows(spec, rows), weights)


def module_like(spec: FieldSpec, weights: torch.Tensor) -> nn.Sequential:
    """PyTorch's own layers with the same weights: the order of `parameters()` is that of the flat vector."""
    kinds = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "": nn.Identity}
    modules: list[nn.Module] = []
    for layer, activation in zip(spec.layers, (*spec.activations, ""), strict=True):
        modules += [nn.Linear(layer.inputs, layer.outputs, bias=layer.bias), kinds[activation]()]
    network = nn.Sequential(*modules).to(weights.dtype)
    nn.utils.vector_to_parameters(weights, network.parameters())
    return network


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu", ("relu", "gelu"), ("silu", "relu")])
def test_a_field_is_an_ordinary_mlp(activation: str | tuple[str, ...]) -> None:
    spec = FieldSpec(hidden=(8, 6), activation=activation)  # type: ignore[arg-type]
    weights = some(spec).double()
    points = torch.rand(20, 3, generator=torch.Generator().manual_seed(1)).double() * 2 - 1
    own = evaluate(spec, weights, points)
    for one, values in zip(weights, own, strict=True):
        wanted = module_like(spec, one)(fourier_features(spec, points))[:, 0]
        torch.testing.assert_close(values, wanted, rtol=0, atol=1e-14)


def test_fourier_features_are_the_documented_ones() -> None:
    spec = FieldSpec(dims=2, frequencies=2)
    x, y = 0.25, -0.5
    features = fourier_features(spec, torch.tensor([[x, y]]).double())[0].tolist()
    angles = [math.pi * x, math.pi * y, 2 * math.pi * x, 2 * math.pi * y]
    assert features == pytest.approx([x, y, *map(math.sin, angles), *map(math.cos, angles)])


def test_the_gradient_is_that_of_finite_differences() -> None:
    spec = FieldSpec(hidden=(6, 5))
    weights, points = some(spec, 2).double(), torch.rand(2, 3, 3).double()
    assert torch.autograd.gradcheck(
        lambda w, p: evaluate(spec, w, p), (weights.requires_grad_(), points.requires_grad_())
    )


def test_pixels_run_from_the_top_left() -> None:
    points = pixel_centres(2)
    np.testing.assert_allclose(points, [[-0.5, 0.5], [0.5, 0.5], [-0.5, -0.5], [0.5, -0.5]])


def test_a_saved_field_is_the_same_field(tmp_path: Path) -> None:
    field = Field(PRESETS["talk"], some(PRESETS["talk"])[0])
    field.save(tmp_path / "field.safetensors")
    loaded = Field.load(tmp_path / "field.safetensors")
    assert loaded.spec == field.spec
    assert torch.equal(loaded.weights, field.weights)


def test_a_field_that_cannot_be_written_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, path = PRESETS["mnist"], tmp_path / "field.safetensors"
    first, second = (Field(spec, weights) for weights in some(spec, 2))
    first.save(path)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)  # what was written so far reaches the disk only then
    with pytest.raises(OSError, match="No space"):
        second.save(path)
    assert torch.equal(Field.load(path).weights, first.weights)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_what_is_not_a_field_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.safetensors").write_text("no")
    for path in (tmp_path / "text.safetensors", tmp_path / "missing.safetensors"):
        with pytest.raises(ArtifactError, match=r"not a field|claims a header"):
            Field.load(path)
    with pytest.raises(ConfigError, match="do not fit"):
        Field(PRESETS["talk"], torch.zeros(5))
    with pytest.raises(ConfigError, match="do not fit"):
        evaluate(PRESETS["talk"], torch.zeros(2, 5), torch.zeros(1, 3))
