"""Laws of devices: which one is taken, and that nothing mixes them, on a simulated one."""

from collections.abc import Iterator

import pytest
import torch

from nfgen.errors import ConfigError
from nfgen.fields.accuracy import field_accuracy
from nfgen.fields.field_set import FieldSet
from nfgen.fields.mlp import evaluate_in_chunks, evaluate_on_grid, initial_weights
from nfgen.fields.spec import FieldSpec
from nfgen.fitting.config import FitConfig
from nfgen.fitting.optimize import fit_batch
from nfgen.models.generation.config import SamplingConfig
from nfgen.models.generation.generate import sample
from nfgen.models.registry import create
from nfgen.runtime.device import CPU, describe, find_device, supports, why
from nfgen.tokenizers import registry
from nfgen.tokens.vocabulary import Vocabulary

from .simulated_device import MixedDevices, simulated_device

SPEC = FieldSpec(frequencies=1, hidden=(8, 8))
VQ = {"max_tokens": 11, "levels": (5, 4), "probes": 4, "width": 8, "channels": 8, "decoder_blocks": 1, "steps": 2,
      "batch_size": 4, "points": 48}  # fmt: skip


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[torch.device]:
    with simulated_device(monkeypatch) as there:
        yield there


def random_fields(count: int = 4) -> FieldSet:
    weights = initial_weights(SPEC, count, torch.Generator().manual_seed(0))
    points = torch.rand(count, 32, 3, generator=torch.Generator().manual_seed(1)) * 2 - 1
    values = points.norm(dim=-1) - 0.5
    return FieldSet(SPEC, weights, tuple("abcdefgh"[:count]), torch.full((count,), -1), eval_points=points,
                    eval_values=values, uniform_eval=16)  # fmt: skip


@pytest.mark.parametrize("name", ["meta", "cuda:a", "tpu", "cpu:1", ""])
def test_what_is_no_device_is_refused_with_those_that_are(name: str) -> None:
    with pytest.raises(ConfigError, match="no device") as error:
        find_device(name)
    assert "auto, cpu, cuda" in error.value.remedy


def test_without_an_accelerator_auto_is_the_cpu_and_others_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available=False: None)
    assert find_device("auto") == find_device("cpu") == CPU
    assert describe(CPU).startswith("cpu")
    assert "CPU" in why()
    with pytest.raises(ConfigError, match="no cuda here") as error:
        find_device("cuda")
    assert "--device auto" in error.value.remedy


def test_an_accelerator_is_what_auto_takes_and_the_cpu_is_there_too(device: torch.device) -> None:
    assert find_device("auto") == find_device(device) == device
    assert find_device("cpu") == CPU
    assert describe(device) == "simulated:0 (of the tests)"
    with pytest.raises(ConfigError, match="no device 'simulated:1'"):
        find_device("simulated:1")
    with pytest.raises(ConfigError, match="no mps here"):
        find_device("mps")


def test_float64_is_missing_on_mps_alone() -> None:
    assert supports(CPU, torch.float64)
    assert supports(torch.device("mps"), torch.float32)
    assert not supports(torch.device("mps"), torch.float64)


def test_the_simulated_device_refuses_what_a_gpu_refuses(device: torch.device) -> None:
    there, here = torch.ones(3, device=device), torch.ones(3)
    with pytest.raises(MixedDevices):
        there + here
    with pytest.raises(MixedDevices):
        torch.cat([here, there])
    assert (there + here.to(device)).cpu().tolist() == [2, 2, 2]


@pytest.mark.parametrize("output", ["sdf", "occupancy"])
def test_a_fit_on_a_device_is_that_on_the_cpu(device: torch.device, output: str) -> None:
    spec = FieldSpec(frequencies=1, hidden=(8, 8), output=output)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(3, 64, 3, generator=generator) * 2 - 1
    values, start = points.norm(dim=-1) - 0.5, initial_weights(spec, 3, generator)
    config = FitConfig(steps=4, points=16)
    there = fit_batch(spec, points.to(device), values.to(device), start.to(device), config, start[0].to(device))
    here = fit_batch(spec, points, values, start, config, start[0])
    assert there.weights.device == there.losses.device == there.steps.device == device
    torch.testing.assert_close(there.weights.cpu(), here.weights)


def test_values_lie_where_the_weights_do(device: torch.device) -> None:
    fields = random_fields()
    weights, axes = fields.weights.to(device), [torch.rand(4, n) for n in (3, 4, 5)]
    there = evaluate_on_grid(SPEC, weights, [axis.to(device) for axis in axes])
    assert there.device == device
    torch.testing.assert_close(there.cpu(), evaluate_on_grid(SPEC, fields.weights, axes))
    points = torch.rand(7, 3)
    assert evaluate_in_chunks(SPEC, weights, points.to(device)).device == device
    field = fields[0]
    on_device = type(field)(SPEC, weights[0])
    torch.testing.assert_close(on_device(points).cpu(), field(points))
    assert field_accuracy(SPEC, weights, fields).iou.device == device


@pytest.mark.parametrize(
    ("name", "settings"),
    [("vq", VQ), ("vq", VQ | {"quantizer": "vq", "codebook": 8}), ("vq", VQ | {"quantizer": "rvq", "codebook": 8}),
     ("vq", VQ | {"quantizer": "lfq", "codebook": 8}), ("vq", VQ | {"basis": "octahedral"}),
     ("vq", VQ | {"refine": 2}), ("graph", VQ | {"encoder_blocks": 1, "edge_channels": 4, "node_points": 4}),
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
    moved = tokenizer.to(CPU)
    assert torch.equal(moved.encode(fields.weights), tokens)
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
    torch.testing.assert_close(there, drawn, msg="the same seed gives the same tokens on any device")
