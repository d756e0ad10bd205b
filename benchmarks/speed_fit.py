"""Batched fitting beside a loop of one `nn.Module` a shape: same points and loss.

    python benchmarks/speed_fit.py FIELDS [--optimizer muon --steps 200 --loop-steps 600]

The loop runs twice: with Adam, for as many steps as reach the same IoU, and with our optimizer and steps.

The true values are those of the fields of a field set, so that nothing but their file is needed. The loop fits only
`--peer-fields` of them. Also: products a second as a share of the machine's float32 peak, measured in the same run.
"""

import argparse
import math
import time

import torch
from einops import rearrange
from speed import report
from torch import Tensor, nn

from nfgen.fields.field import Field
from nfgen.fields.field_set import FieldSet
from nfgen.fields.mlp import evaluate_in_chunks, fourier_features, inside, unflatten
from nfgen.fields.spec import FieldSpec
from nfgen.fitting.config import FitConfig
from nfgen.fitting.optimize import field_loss, fit_batch, loss_target
from nfgen.fitting.step import FIRST, MUON_RATE, SECOND
from nfgen.runtime.learning_rate_schedule import one_cycle
from nfgen.runtime.muon import RMS_OF_ADAM, Muon
from nfgen.runtime.precision import product_speed

MANY = 1 << 17  # points in the cube, of which those near the surface are taken


class PlainField(nn.Module):
    """The talk's field, as one writes it in PyTorch."""

    def __init__(self, field: Field) -> None:
        super().__init__()
        self.spec = field.spec
        layers: list[nn.Module] = []
        for place, (matrix, bias) in zip(field.spec.layers, unflatten(field.spec, field.weights[None]), strict=True):
            linear = nn.Linear(place.inputs, place.outputs, bias=place.bias)
            linear.weight.data.copy_(matrix[0])
            if bias is not None:
                linear.bias.data.copy_(bias[0])
            layers += [linear, nn.GELU()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, features: Tensor) -> Tensor:
        output: Tensor = self.layers(features)
        return output[:, 0]


def fit_alone(field: Field, points: Tensor, values: Tensor, config: FitConfig, base: Tensor) -> Tensor:
    """Weights [P] of one shape's fit."""
    model = PlainField(field)
    features = fourier_features(field.spec, points)
    targets = loss_target(field.spec, values, config.truncation)
    last = list(model.layers[-1].parameters())
    others = [p for p in model.parameters() if all(p is not one for one in last)]
    hidden = [p for p in others if p.ndim == 2] if config.optimizer == "muon" else []
    others = [p for p in others if all(p is not one for one in hidden)]
    groups = [{"params": others, "scale": 1.0}, {"params": last, "scale": config.truncation}]
    optimizers: list[torch.optim.Optimizer] = [torch.optim.Adam(groups, betas=(FIRST, SECOND))]
    if hidden:
        # A step as large as that of ours, which is not in proportion to the size of Adam's.
        sizes = [math.sqrt(max(1, p.shape[0] / p.shape[1])) / (RMS_OF_ADAM * math.sqrt(max(p.shape))) for p in hidden]
        matrices = [{"params": [p], "scale": MUON_RATE * size} for p, size in zip(hidden, sizes, strict=True)]
        optimizers.append(Muon(matrices, config.learning_rate, weight_decay=0.0, momentum=FIRST))
    generator = torch.Generator().manual_seed(config.seed)
    starts = [p.detach().clone() for p in model.parameters()]
    for step in range(config.steps):
        offset = int(torch.randint(len(points) - config.points + 1, (), generator=generator))
        here = slice(offset, offset + config.points)
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = config.learning_rate * group["scale"] * one_cycle(step / config.steps)
        loss = field_loss(field.spec, model(features[here]), targets[here], config).mean()
        pull = sum(((p - s).square().sum() for p, s in zip(model.parameters(), starts, strict=True)), torch.zeros(()))
        model.zero_grad()
        (loss + config.pull * pull).backward()
        for optimizer in optimizers:
            optimizer.step()
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def agreement(spec: FieldSpec, weights: Tensor, points: Tensor, values: Tensor) -> float:
    """Mean IoU with the true signs."""
    own, true = inside(spec, evaluate_in_chunks(spec, weights, points)), values < 0
    return float(((own & true).sum(1) / (own | true).sum(1).clamp(min=1)).mean())


def training_points(truth: FieldSet) -> tuple[Tensor, Tensor]:
    """Points of each field and its values there, as many near the surface as `nfgen fit` takes: the nearest of many."""
    generator, config = torch.Generator().manual_seed(0), FitConfig().samples
    everywhere = torch.rand(MANY, 3, generator=generator) * 2 - 1
    values = evaluate_in_chunks(truth.spec, truth.weights, everywhere)
    near = values.abs().topk(config.near, dim=1, largest=False).indices
    some = torch.randint(MANY, (len(truth), config.uniform), generator=generator)
    chosen = torch.cat([near, some], dim=1)
    chosen = chosen[:, torch.randperm(chosen.shape[1], generator=generator)]
    return everywhere[chosen], values.gather(1, chosen)


def fit_operations(spec: FieldSpec) -> int:
    """Floating-point operations of a step for a point: a product forward, two backward, but for the gradient of the
    first layer's inputs."""
    first = spec.layers[0]
    return 2 * (3 * sum(p.inputs * p.outputs for p in spec.layers) - first.inputs * first.outputs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fields")
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--peer-fields", type=int, default=6)
    parser.add_argument("--optimizer", default="adam", choices=("adam", "muon"))
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--loop-steps", type=int, default=600, help="Adam steps of the loop")
    given = parser.parse_args()
    truth = FieldSet.load(given.fields).select(torch.arange(given.count))
    spec, base, config = truth.spec, truth.base, FitConfig(steps=given.steps, optimizer=given.optimizer)
    assert base is not None
    points, values = training_points(truth)
    start = base.expand(given.count, -1).clone()

    started = time.process_time()
    ours = fit_batch(spec, points, values, start, config, base)
    our_seconds = (time.process_time() - started) / given.count
    loops = {"adam": FitConfig(steps=given.loop_steps), "same": config}
    alone: dict[str, list[Tensor]] = {name: [] for name in loops}
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for i in range(given.peer_fields):
        for name, of_loop in loops.items():
            started = time.process_time()
            alone[name].append(fit_alone(Field(spec, base), points[i], values[i], of_loop, base))
            seconds[name].append(time.process_time() - started)
    done = fit_operations(spec) * config.points * config.steps / our_seconds
    some = slice(0, given.peer_fields)
    judges = rearrange(torch.rand(given.peer_fields * 4096, 3) * 2 - 1, "(n p) d -> n p d", p=4096)
    true = evaluate_in_chunks(spec, truth.weights[some], judges)
    highest = product_speed(torch.float32, 1024)
    report(
        "speed_fit",
        {
            "fields": given.count,
            "steps": given.steps,
            "our_seconds_a_field": round(our_seconds, 4),
            "optimizer": given.optimizer,
            "loop_steps": given.loop_steps,
            "loop_seconds_a_field": {name: [round(one, 3) for one in times] for name, times in seconds.items()},
            "times_faster": {name: round(min(times) / our_seconds, 2) for name, times in seconds.items()},
            "our_iou": round(agreement(spec, ours.weights[some], judges, true), 4),
            "loop_iou": {
                name: round(agreement(spec, torch.stack(weights), judges, true), 4) for name, weights in alone.items()
            },
            "gflops": round(done / 1e9, 1),
            "peak_gflops": round(highest / 1e9, 1),
            "share_of_peak": round(done / highest, 3),
        },
    )


if __name__ == "__main__":
    main()
