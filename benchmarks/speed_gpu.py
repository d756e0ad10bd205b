"""What is heavy, on the accelerator that torch finds or another device: one line of figures for each part.

    python benchmarks/speed_gpu.py                          # the accelerator, the sizes of the goals
    python benchmarks/speed_gpu.py --device cpu --small     # the same code in a minute

Fits of spheres, training and encoding of the `vq` tokenizer on them, training of a GPT beside a plain one (torch's
layers, fused attention), and samples: tokens, decoded fields, and their values on a grid. Each line names the device,
the precision, and the share of the peak, which is that of a large product measured in the same run. On an accelerator
seconds are those of the clock, on a processor those of the processor.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from speed import ratio, report
from speed_fit import fit_operations
from speed_gpt import CODES, step_of_ours, training_operations
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from nfgen.fields.field_set import FieldSet
from nfgen.fields.mlp import evaluate_on_grid, initial_weights
from nfgen.fields.spec import PRESETS
from nfgen.fitting.config import FitConfig
from nfgen.fitting.in_memory import fit_in_memory
from nfgen.models.generation.generate import sample
from nfgen.models.presets import SIZES, preset
from nfgen.models.registry import create
from nfgen.models.training.optim import low_precision
from nfgen.pipeline.config import TrainConfig
from nfgen.runtime.device import CPU, describe, find_device, is_cpu, synchronize
from nfgen.runtime.precision import bfloat16_pays, product_speed
from nfgen.tokenizers import registry
from nfgen.tokenizers.vq.probes import make_grid_query, probe
from nfgen.tokens.vocabulary import Vocabulary

FULL = {
    "fields": 4096, "fit_steps": 600, "fit_points": 1024, "vq_steps": (20, 220), "encoded": 4096, "size": "medium",
    "length": 512, "batch": 64, "gpt_steps": 20, "samples": 1024, "side": 129,
}  # fmt: skip
SMALL = {
    "fields": 8, "fit_steps": 20, "fit_points": 256, "vq_steps": (2, 6), "encoded": 8, "size": "small",
    "length": 64, "batch": 2, "gpt_steps": 2, "samples": 2, "side": 33,
}  # fmt: skip
ALL_POINTS = 8192  # of each shape
CORES = 2  # of the processor beside which the training of the tokenizer is measured


def seconds(device: torch.device, work: Callable[[], object]) -> float:
    """What some work takes on a device."""
    clock = time.process_time if is_cpu(device) else time.perf_counter
    synchronize(device)
    started = clock()
    work()
    synchronize(device)
    return clock() - started


def operations(work: Callable[[], object]) -> float:
    """Floating-point operations of the products of some work."""
    with FlopCounterMode(display=False) as counter:
        work()
    return float(counter.get_total_flops())


def of_peak(device: torch.device, done: float, spent: float, dtype: torch.dtype = torch.float32) -> dict[str, Any]:
    """Operations a second, and their share of those of a large product."""
    return {
        "precision": str(dtype).removeprefix("torch."),
        "tflops": round(done / spent / 1e12, 4),
        "share_of_peak": round(done / spent / product_speed(dtype, device=device), 3),
    }


def fitted_spheres(device: torch.device, count: int, steps: int, points_a_step: int) -> tuple[FieldSet, dict[str, Any]]:
    spec, generator = PRESETS["talk"], torch.Generator().manual_seed(0)
    points = (torch.rand(count, ALL_POINTS, 3, generator=generator) * 2 - 1).to(device)
    centres = (torch.rand(count, 1, 3, generator=generator) * 0.4 - 0.2).to(device)
    values = (points - centres).norm(dim=-1) - 0.5
    start = initial_weights(spec, 1, generator).expand(count, -1).to(device)
    config = FitConfig(steps=steps, points=points_a_step)
    fit_in_memory(spec, points, values, start, config.replace(steps=2))  # pays for memory and kernels
    found = []
    spent = seconds(device, lambda: found.append(fit_in_memory(spec, points, values, start, config)))
    done = fit_operations(spec) * points_a_step * steps
    fields = FieldSet(spec, found[0].weights.cpu(), tuple(map(str, range(count))), torch.full((count,), -1))
    return fields, {
        "fields_a_second": round(count / spent, 2),
        "gflop_a_field": round(done / 1e9, 2),
        **of_peak(device, done * count, spent),
    }


def tokenizer_training(device: torch.device, fields: FieldSet, steps: tuple[int, int]) -> dict[str, Any]:
    def train(on: torch.device, turns: int) -> None:
        registry.create("vq", base="none", minutes=None, steps=turns).fit(fields, None, on)

    def step(on: torch.device) -> float:
        train(on, 1)
        few, many = (seconds(on, partial(train, on, turns)) for turns in steps)
        return (many - few) / (steps[1] - steps[0])

    there = step(device)
    few, more = (operations(partial(train, device, turns)) for turns in (1, 2))
    figures = {
        "steps_a_second": round(1 / there, 2),
        "gflop_a_step": round((more - few) / 1e9, 2),
        **of_peak(device, more - few, there, torch.bfloat16 if bfloat16_pays(device) else torch.float32),
    }
    if is_cpu(device):
        return figures
    threads = torch.get_num_threads()
    torch.set_num_threads(CORES)
    here = step(CPU)
    torch.set_num_threads(threads)
    return figures | {"times_faster_than_two_cores": round(here / CORES / there, 1)}


class PlainGPT(nn.Module):
    """A GPT as one writes it in torch: `nn.Linear`, LayerNorm, GELU, learned positions, fused causal attention."""

    def __init__(self, size: str, length: int) -> None:
        super().__init__()
        sizes = SIZES[size]
        width = sizes["width"]
        self.heads = sizes["heads"]
        self.tokens, self.positions = nn.Embedding(CODES + 1, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "norms": nn.ModuleList(nn.LayerNorm(width, bias=False) for _ in range(2)),
                    "qkv": nn.Linear(width, 3 * width, bias=False),
                    "proj": nn.Linear(width, width, bias=False),
                    "mlp": nn.Sequential(
                        nn.Linear(width, 4 * width, bias=False), nn.GELU(), nn.Linear(4 * width, width, bias=False)
                    ),
                }
            )
            for _ in range(sizes["layers"])
        )
        self.norm, self.head = nn.LayerNorm(width, bias=False), nn.Linear(width, CODES, bias=False)

    def loss(self, tokens: Tensor) -> Tensor:
        start = torch.full_like(tokens[:, :1], CODES)
        x = self.tokens(torch.cat([start, tokens[:, :-1]], dim=1)) + self.positions.weight[: tokens.shape[1]]
        for block in self.blocks:
            parts = block["qkv"](block["norms"][0](x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
            mixed = functional.scaled_dot_product_attention(*parts.unbind(0), is_causal=True)
            x = x + block["proj"](mixed.transpose(1, 2).flatten(2))
            x = x + block["mlp"](block["norms"][1](x))
        return functional.cross_entropy(self.head(self.norm(x)).float().flatten(0, 1), tokens.flatten())


def step_of_plain(model: PlainGPT, tokens: Tensor, bfloat16: bool) -> Callable[[], None]:
    adam = torch.optim.AdamW(model.parameters(), fused=True)

    def step() -> None:
        adam.zero_grad()
        with torch.autocast(tokens.device.type, torch.bfloat16, enabled=bfloat16):
            loss = model.loss(tokens)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()

    return step


def gpt_training(device: torch.device, size: str, length: int, batch: int, steps: int, rounds: int) -> dict[str, Any]:
    ours = create("gpt", Vocabulary(length=length, codes=CODES), preset("gpt", size)).to(device).train()
    plain, tokens = PlainGPT(size, length).to(device), torch.randint(CODES, (batch, length)).to(device)
    bfloat16 = low_precision(ours, TrainConfig(), device)
    works = {"ours": step_of_ours(ours, tokens, bfloat16), "plain": step_of_plain(plain, tokens, bfloat16)}

    def several(work: Callable[[], None]) -> None:
        for _ in range(steps):
            work()

    for work in works.values():
        work()
    spent: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            spent[name].append(seconds(device, partial(several, work)) / steps)
    done = training_operations(ours, size, length) * tokens.numel()
    return {
        "size": size,
        "length": length,
        "batch": batch,
        "gflop_a_token": round(done / tokens.numel() / 1e9, 4),
        **of_peak(device, done, min(spent["ours"]), torch.bfloat16 if bfloat16 else torch.float32),
        "parameters": [sum(p.numel() for p in model.parameters()) for model in (ours, plain)],
        "tokens_a_second": {name: round(tokens.numel() / min(times)) for name, times in spent.items()},
        "times_faster_than_plain": ratio(spent["plain"], spent["ours"]),
    }


def encoding(device: torch.device, fields: FieldSet) -> tuple[Any, dict[str, Any]]:
    tokenizer = registry.create("vq", base="none", minutes=None, steps=1)
    tokenizer.fit(fields.select(torch.arange(min(64, len(fields)))), None, device)
    tokenizer.encode(fields.weights[:8])
    spent = seconds(device, lambda: tokenizer.encode(fields.weights))
    encoder, one = tokenizer.networks.encoder, fields.weights[:1].to(device)

    def encode_one() -> None:  # not by `encode`, whose threads the counter does not see
        query = make_grid_query(fields.spec, one)
        inputs, box = probe(fields.spec, query, encoder.probe_counts, tokenizer.config.truncation)
        encoder(inputs, box.numbers)

    done = operations(encode_one)
    return tokenizer, {
        "fields_a_second": round(len(fields) / spent, 2),
        "gflop_a_field": round(done / 1e9, 3),
        **of_peak(device, done * len(fields), spent),
    }


def samples(device: torch.device, tokenizer: Any, size: str, count: int, side: int) -> dict[str, Any]:
    model, spent = create("gpt", tokenizer.vocabulary, preset("gpt", size)).to(device).eval(), {}
    sample(model, 1)
    tokens: list[Tensor] = []
    spent["tokens"] = seconds(device, lambda: tokens.append(sample(model, count)))
    weights: list[Tensor] = []
    spent["decoding"] = seconds(device, lambda: weights.append(tokenizer.decode(tokens[0].to(device))))
    line = torch.linspace(-1, 1, side, device=device)[None]

    def values(fields: Tensor) -> None:
        for one in fields:
            evaluate_on_grid(tokenizer.decoded_spec, one[None], [line] * 3)

    spent["grids"] = seconds(device, lambda: values(weights[0]))
    done = operations(lambda: values(weights[0][:1]))
    return {
        "count": count,
        "side": side,
        "gflop_a_grid": round(done / 1e9, 2),
        **of_peak(device, done * count, spent["grids"]),
        "samples_a_second": round(count / sum(spent.values()), 3),
        "milliseconds_a_sample": {part: round(1000 * one / count, 2) for part, one in spent.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--small", action="store_true", help="sizes that a processor does in a minute")
    parser.add_argument("--rounds", type=int, default=3, help="of the training of the GPT beside the plain one")
    given = parser.parse_args()
    device, sizes = find_device(given.device), SMALL if given.small else FULL
    torch.manual_seed(0)

    def tell(part: str, figures: dict[str, Any]) -> None:
        report("speed_gpu", {"part": part, "device": describe(device), **figures})

    flops = {f"{name}_tflops": product_speed(getattr(torch, name), device=device) for name in ("float32", "bfloat16")}
    tell("products", {name: round(one / 1e12, 3) for name, one in flops.items()})
    fields, figures = fitted_spheres(device, sizes["fields"], sizes["fit_steps"], sizes["fit_points"])
    tell("fit", figures)
    tell("train vq", tokenizer_training(device, fields.select(torch.arange(min(64, len(fields)))), sizes["vq_steps"]))
    tokenizer, figures = encoding(device, fields.select(torch.arange(min(sizes["encoded"], len(fields)))))
    tell("encode", figures)
    gpt = (sizes["size"], sizes["length"], sizes["batch"], sizes["gpt_steps"], given.rounds)
    tell("train gpt", gpt_training(device, *gpt))
    tell("samples", samples(device, tokenizer, sizes["size"], sizes["samples"], sizes["side"]))


if __name__ == "__main__":
    main()
