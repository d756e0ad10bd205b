"""Laws of devices: nothing mixes them, and their results are those of the CPU. `test_devices.py` runs them."""

from typing import Any

import numpy as np
import pytest
import torch

from nfgen.errors import ConfigError
from nfgen.fields.accuracy import field_accuracy
from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.fields.mlp import evaluate_in_chunks, evaluate_on_grid, initial_weights
from nfgen.fields.spec import FieldSpec
from nfgen.fitting.config import FitConfig
from nfgen.fitting.optimize import fit_batch
from nfgen.metrics.chamfer import chamfer_matrix
from nfgen.metrics.dense_chamfer import dense_distances
from nfgen.metrics.frechet import accuracy, feature_distance, train_classifier
from nfgen.metrics.two_sample import two_sample_test
from nfgen.models.generation.config import SamplingConfig
from nfgen.models.generation.generate import sample
from nfgen.models.registry import create
from nfgen.runtime.device import CPU, describe, find_device
from nfgen.tokenizers import registry
from nfgen.tokens.vocabulary import Vocabulary

from .simulated_device import MixedDevices

SPEC = FieldSpec(frequencies=1, hidden=(8, 8))
VQ = {"max_tokens": 11, "levels": (5, 4), "probes": 4, "width": 8, "channels": 8, "decoder_blocks": 1, "steps": 2,
      "batch_size": 4, "points": 48}  # fmt: skip


ROUNDING = {"rtol": 1e-3, "atol": 1e-4}


def random_fields(count: int = 4) -> FieldSet:
    weights = initial_weights(SPEC, count, torch.Generator().manual_seed(0))
    points = torch.rand(count, 32, 3, generator=torch.Generator().manual_seed(1)) * 2 - 1
    values = points.norm(dim=-1) - 0.5
    return FieldSet(SPEC, weights, tuple("abcdefgh"[:count]), torch.full((count,), -1), eval_points=points,
                    eval_values=values, uniform_eval=16)  # fmt: skip


def test_an_accelerator_is_what_auto_takes_and_the_cpu_is_there_too(simulated: torch.device) -> None:
    assert find_device("auto") == find_device(simulated) == simulated
    assert find_device("cpu") == CPU
    assert describe(simulated) == "simulated:0 (of the tests)"
    with pytest.raises(ConfigError, match="no device 'simulated:1'"):
        find_device("simulated:1")
    with pytest.raises(ConfigError, match="no mps here"):
        find_device("mps")


def test_the_simulated_device_refuses_what_a_gpu_refuses(simulated: torch.device) -> None:
    there, here = torch.ones(3, device=simulated), torch.ones(3)
    with pytest.raises(MixedDevices):
        there + here
    with pytest.raises(MixedDevices):
        torch.cat([here, there])
    assert (there + here.to(simulated)).cpu().tolist() == [2, 2, 2]


@pytest.mark.parametrize(("output", "optimizer"), [("sdf", "adam"), ("occupancy", "adam"), ("sdf", "muon")])
def test_a_fit_on_a_device_is_that_on_the_cpu(device: torch.device, output: str, optimizer: Any) -> None:
    spec = FieldSpec(frequencies=1, hidden=(8, 8), output=output)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(3, 64, 3, generator=generator) * 2 - 1
    values, start = points.norm(dim=-1) - 0.5, initial_weights(spec, 3, generator)
    config = FitConfig(steps=4, points=16, optimizer=optimizer)
    there = fit_batch(spec, points.to(device), values.to(device), start.to(device), config, start[0].to(device))
    here = fit_batch(spec, points, values, start, config, start[0])
    assert there.weights.device == there.losses.device == there.steps.device == device
    torch.testing.assert_close(there.weights.cpu(), here.weights, **ROUNDING)


def test_values_lie_where_the_weights_do(device: torch.device) -> None:
    fields = random_fields()
    weights, axes = fields.weights.to(device), [torch.rand(4, n) for n in (3, 4, 5)]
    there = evaluate_on_grid(SPEC, weights, [axis.to(device) for axis in axes])
    assert there.device == device
    torch.testing.assert_close(there.cpu(), evaluate_on_grid(SPEC, fields.weights, axes), **ROUNDING)
    points = torch.rand(7, 3)
    assert evaluate_in_chunks(SPEC, weights, points.to(device)).device == device
    field = fields[0]
    on_device = type(field)(SPEC, weights[0])
    torch.testing.assert_close(on_device(points).cpu(), field(points), **ROUNDING)
    assert field_accuracy(SPEC, weights, fields).iou.device == device


@pytest.mark.parametrize("output", ["sdf", "occupancy"])
def test_the_mesh_of_a_field_on_a_device_is_that_on_the_cpu(device: torch.device, output: str) -> None:
    spec = FieldSpec(frequencies=1, hidden=(8, 8), output=output, output_bias=True)  # type: ignore[arg-type]
    weights = initial_weights(spec, 1, torch.Generator().manual_seed(3))[0]
    field = Field(spec, weights)
    weights[-1] -= field(torch.rand(500, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1).median()
    here, there = field.mesh(20), field.to(device).mesh(20)
    assert len(here.faces) > 100
    assert np.array_equal(here.faces, there.faces)
    np.testing.assert_allclose(here.vertices, there.vertices, atol=1e-4)


def test_chamfer_distances_on_a_device_are_those_of_the_cpu(device: torch.device) -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(3, 100, 3)), rng.normal(size=(4, 70, 3))
    other[1, :70] = one[2, :70]
    np.testing.assert_allclose(chamfer_matrix(one, other, device=device), chamfer_matrix(one, other), rtol=1e-4)
    np.testing.assert_allclose(chamfer_matrix(one, device=device), chamfer_matrix(one), rtol=1e-4)
    x, y = torch.rand(2, 30, 3), torch.rand(3, 20, 3)
    whole, parts = (list(dense_distances(x, y, device, at_once)) for at_once in (1 << 20, 100))
    np.testing.assert_allclose(parts, whole, rtol=1e-5)


def test_the_classifiers_of_an_evaluation_are_those_of_the_cpu(device: torch.device) -> None:
    rng = np.random.default_rng(0)
    clouds, labels = rng.normal(size=(8, 32, 3)).astype(np.float32), np.arange(8) % 2
    here, there = (train_classifier(clouds, labels, epochs=1, device=where) for where in (CPU, device))
    assert there.head.weight.device == device
    assert feature_distance(clouds[:4], clouds[4:], there) == pytest.approx(
        feature_distance(clouds[:4], clouds[4:], here), rel=1e-2
    )
    assert 0 <= accuracy(there, clouds, labels) <= 1
    views = rng.integers(0, 256, (2, 10, 2, 2, 16, 16), dtype=np.uint8)
    one, other = (two_sample_test(*views, views[0], steps=2, device=where) for where in (CPU, device))
    np.testing.assert_allclose(one.evidence, other.evidence, atol=1e-2)


@pytest.mark.parametrize(
    ("name", "settings"),
    [("vq", VQ), ("vq", VQ | {"quantizer": "vq", "codebook": 8}), ("vq", VQ | {"quantizer": "rvq", "codebook": 8}),
     ("vq", VQ | {"quantizer": "lfq", "codebook": 8}), ("vq", VQ | {"basis": "octahedral"}),
     ("vq", VQ | {"refine": 2}), ("vq", VQ | {"solids": 0.5}),
     ("graph", VQ | {"encoder_blocks": 1, "edge_channels": 4, "node_points": 4}),
     ("identity", {}), ("histogram", {"bins": 16}), ("codebook", {"codes": 8, "steps": 1})],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::nfgen.errors.CollapsedCodebookWarning")
def test_a_tokenizer_on_a_device_takes_and_gives_tensors_of_either(
    device: torch.device, name: str, settings: dict[str, object]
) -> None:
    fields = random_fields()
    tokenizer = registry.create(name, **settings).fit(fields, None, device)
    tokens = tokenizer.encode(fields.weights)
    assert tokens.device == CPU
    assert tokenizer.decode(tokens).device == CPU
    there = tokenizer.encode(fields.weights.to(device))
    assert there.device == tokenizer.decode(there).device == device
    assert torch.equal(there.cpu(), tokens)
    tokenizer.code_vectors()
    if name == "vq":
        made_up = tokenizer.synthetic(fields, 4, 0)
        assert made_up.tokens.device == made_up.labels.device == CPU
        assert len(made_up.tokens) == 4
    on_the_cpu = tokenizer.to(CPU).encode(fields.weights)
    if tokens.is_floating_point():
        torch.testing.assert_close(on_the_cpu, tokens, **ROUNDING)
    else:  # a latent may lie so near the border of two codes that rounding decides
        assert (on_the_cpu == tokens).double().mean() > 0.9
    assert all(tensor.device == CPU for tensor in tokenizer.tensors().values())


@pytest.mark.parametrize(
    ("name", "vocabulary", "settings"),
    [("gpt", Vocabulary(length=6, codes=20, levels=(5, 4), classes=("a", "b")), {"layers": 1, "width": 8, "heads": 1}),
     ("gpt", Vocabulary(length=6, codes=20), {"layers": 1, "width": 8, "heads": 1}),
     ("regression", Vocabulary(length=6, width=3), {"layers": 1, "width": 8, "heads": 1}),
     ("diffusion", Vocabulary(length=6, width=3), {"layers": 1, "width": 8, "heads": 1})],
)  # fmt: skip
def test_a_model_learns_and_draws_on_a_device(
    device: torch.device, name: str, vocabulary: Vocabulary, settings: dict[str, object]
) -> None:
    torch.manual_seed(0)
    model = create(name, vocabulary, **settings)
    drawn = sample(model.eval(), 2, SamplingConfig(), seed=3)
    model.to(device).train()
    tokens = torch.randn(4, 6, 3) if vocabulary.continuous else torch.randint(20, (4, 6))
    loss = model.loss(tokens.to(device), torch.full((4,), -1, device=device))
    loss.backward()
    assert loss.device == device
    assert all(weight.grad is None or weight.grad.device == device for weight in model.parameters())
    there = sample(model.eval(), 2, SamplingConfig(), seed=3)
    # The same seed gives the same tokens on any device.
    torch.testing.assert_close(there, drawn, **ROUNDING)
