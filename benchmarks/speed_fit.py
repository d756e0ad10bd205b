"""Batched fitting beside a loop of one `nn.Module` and one Adam a shape: same points, steps, rates and loss.

    python benchmarks/speed_fit.py FIELDS

The true values are those of the fields of a field set, so that nothing but their file is needed. The loop fits only
`--peer-fields` of them. Also: products a second as a share of the machine's float32 peak, measured in the same run.
"""

import argparse
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
from nfgen.runtime.learning_rate_schedule import one_cycle
from nfgen.runtime.precision import product_speed


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
    groups = [{"params": others, "scale": 1.0}, {"params": last, "scale": config.truncation}]
    adam = torch.optim.Adam(groups, lr=config.learning_rate, betas=(0.9, 0.99))
    generator = torch.Generator().manual_seed(config.seed)
    starts = [p.detach().clone() for p in model.parameters()]
    for step in range(config.steps):
        offset = int(torch.randint(len(points) - config.points + 1, (), generator=generator))
        here = slice(offset, offset + config.points)
        for group in adam.param_groups:
            group["lr"] = config.learning_rate * group["scale"] * one_cycle(step / config.steps)
        loss = field_loss(field.spec, model(features[here]), targets[here], config).mean()
        pull = sum(((p - s).square().sum() for p, s in zip(model.parameters(), starts, strict=True)), torch.zeros(()))
        adam.zero_grad()
        (loss + config.pull * pull).backward()
        adam.step()
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def agreement(spec: FieldSpec, weights: Tensor, points: Tensor, values: Tensor) -> float:
    """Mean IoU with the true signs."""
    own, true = inside(spec, evaluate_in_chunks(spec, weights, points)), values < 0
    return float(((own & true).sum(1) / (own | true).sum(1).clamp(min=1)).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fields")
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--peer-fields", type=int, default=6)
    parser.add_argument("--steps", type=int, default=600)
    given = parser.parse_args()
    truth = FieldSet.load(given.fields).select(torch.arange(given.count))
    spec, base, config = truth.spec, truth.base, FitConfig(steps=given.steps)
    assert base is not None
    points = torch.rand(given.count, 8192, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    values = evaluate_in_chunks(spec, truth.weights, points)
    start = base.expand(given.count, -1).clone()

    started = time.process_time()
    ours = fit_batch(spec, points, values, start, config, base)
    our_seconds = (time.process_time() - started) / given.count
    alone, seconds = [], []
    for i in range(given.peer_fields):
        started = time.process_time()
        alone.append(fit_alone(Field(spec, base), points[i], values[i], config, base))
        seconds.append(time.process_time() - started)
    # A product forward, two backward, but for the gradient of the first layer's inputs.
    products = 3 * sum(p.inputs * p.outputs for p in spec.layers) - spec.layers[0].inputs * spec.layers[0].outputs
    done = 2 * products * config.points * config.steps / our_seconds
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
            "loop_seconds_a_field": [round(one, 3) for one in seconds],
            "times_faster": round(min(seconds) / our_seconds, 2),
            "our_iou": round(agreement(spec, ours.weights[some], judges, true), 4),
            "loop_iou": round(agreement(spec, torch.stack(alone), judges, true), 4),
            "gflops": round(done / 1e9, 1),
            "peak_gflops": round(highest / 1e9, 1),
            "share_of_peak": round(done / highest, 3),
        },
    )


if __name__ == "__main__":
    main()
