"""The talk's regression transformer on N fields: does it remember them, and can it sample?

    python benchmarks/experiments/regression.py --quick [--data chairs.npz]

It is trained on the weights of N = 1, 4, 8, 16, 32 fields, conditioned (all fitted from the first field) and
unconditioned (each from its own random weights), in two sizes, a start token a field telling which one is wanted. What
it then writes, token by token on its own, is decoded and compared with the true shapes; beside it stands what the mean
of the N fields' weights would get. The largest N is trained once more for longer. In the end regression and GPT are
asked for fields without being told which.
"""

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from drawing import field_picture, picture_grid, save
from lab import Lab, experiment, markdown, number
from matplotlib.figure import Figure
from torch import Tensor

from nfgen import Field, FieldSet, TrainConfig
from nfgen.fields.accuracy import field_accuracy
from nfgen.fields.mlp import evaluate_in_chunks, inside
from nfgen.io.artifact import write_config
from nfgen.io.files import read_tensors, write_tensors
from nfgen.models.base import SequenceModel
from nfgen.models.generation.generate import sample
from nfgen.models.presets import preset
from nfgen.models.registry import create, load_model
from nfgen.models.training.trainer import train
from nfgen.tokenizers import registry
from nfgen.tokenizers.base import Tokenizer
from nfgen.tokens.decoding import decode_fields

INITS = {"unconditioned": "random", "conditioned": "first"}
COUNTS = {"full": (1, 4, 8, 16, 32), "quick": (1, 4, 8, 16, 32), "tiny": (2,)}
SMALL_AND_BIG = {"small": {"layers": 2, "width": 64, "heads": 2}, "big": {"layers": 4, "width": 128, "heads": 4}}
MODELS = {
    "full": SMALL_AND_BIG,
    "quick": SMALL_AND_BIG,
    "tiny": {"big": {"layers": 1, "width": 16, "heads": 2}},
}
STEPS = {"full": 1200, "quick": 300, "tiny": 4}
SHOWN = {"full": 4, "quick": 4, "tiny": 1}  # looks at the fields on the way, besides the one before the first step
DRAWN = 8  # samples without a wish
POINTS = 4096
WEIGHTS = {"target": "weights", "normalise": "tensor"}
"""The talk's tokens are plain weights; each tensor of the field is brought to mean 0 and deviation 1."""


@experiment
@click.option("--longer", default=4, show_default=True, help="Times the steps, for the largest N; 1 = not again.")
def main(lab: Lab, longer: int) -> None:
    """Train the regression transformer on N fields and look at what it writes."""
    sizes = MODELS[lab.scale]
    steps, largest, biggest = STEPS[lab.scale], max(counts(lab)), list(sizes)[-1]
    cases = [(*case, steps) for case in itertools.product(INITS, counts(lab), sizes)]
    if longer > 1 and lab.scale != "tiny":
        cases += [(init, largest, biggest, longer * steps) for init in INITS]
    found = [memorise(lab, *case) for case in cases]
    asked = {name: ask_for_any(lab, name, model) for name, model in (("regression", "identity"), ("gpt", "codebook"))}
    figures = {"models": sizes, "weights": lab.sizes.spec.size, "memory": found, "asked": asked}
    pictures = [loss_curves(lab, [one for one in found if one["steps"] == steps]), iterations(lab)]
    head = ["fields", "N", "model", "steps", "loss", "of the mean field"]
    keys = ("loss", "loss_of_mean", "iou", "iou_of_mean", "iou_fields")
    rows = [
        [one["init"], str(one["count"]), one["size"], str(one["steps"]), *(number(one[key]) for key in keys)]
        for one in found
    ]
    head += ["IoU of what it writes", "of the mean field", "of the right field"]
    lines = [*markdown([head, *rows]), "", f"{DRAWN} samples without a wish:"]
    lines += [
        f"{name}: {one['different']} different fields, mean IoU of two of them {number(one['alike'])}"
        for name, one in asked.items()
    ]
    lab.save(figures, pictures, lines)


def counts(lab: Lab) -> list[int]:
    """Each N for which there are shapes."""
    return [count for count in COUNTS[lab.scale] if count <= len(lab.refs[0])]


def named_fields(lab: Lab, init: str, count: int) -> FieldSet:
    """N fields, each a class of its own, so that a start token says which one is wanted."""
    most = max(counts(lab))
    fields = FieldSet.load(lab.fields(INITS[init], most)).select(torch.arange(count))
    return replace(fields, labels=torch.arange(count), classes=tuple(map(str, range(count))))


def memorise(lab: Lab, init: str, count: int, size: str, steps: int) -> dict[str, Any]:
    """Train on N fields; loss, and IoU of what the model writes for each start token."""
    fields = named_fields(lab, init, count)
    tokenizer = registry.create("identity", **WEIGHTS).fit(fields)
    settings = MODELS[lab.scale][size]
    folder = _trained(lab, "regression", fields, tokenizer, settings, f"{init} {count} {size}", steps)
    tokens = tokenizer.encode(fields.weights)

    def judged() -> dict[str, Any]:
        written = read_tensors(folder / "written.safetensors")["weights"]
        losses = _losses(folder)
        return {
            "init": init,
            "count": count,
            "size": size,
            "steps": steps,
            "parameters": load_model(folder).parameter_count,
            "loss": losses[-1][1],
            "losses": losses,
            "iou": mean_iou(fields, written[-1]),
            "iou_on_the_way": [mean_iou(fields, one) for one in written],
            "loss_of_mean": float((tokens - tokens.mean(0)).abs().mean()),
            "iou_of_mean": mean_iou(fields, fields.weights.mean(0).expand(count, -1)),
            "iou_fields": mean_iou(fields, fields.weights),
        }

    return lab.figures("remembered", folder.name, judged)


def mean_iou(fields: FieldSet, weights: Tensor) -> float:
    """Mean IoU of weights with the shapes of the fields."""
    return float(field_accuracy(fields.spec, weights, fields).iou.mean())


def _trained(
    lab: Lab, model: str, fields: FieldSet, tokenizer: Tokenizer, settings: dict[str, int], name: str, steps: int
) -> Path:
    """A folder with the trained model and what it wrote on the way, weights [looks, fields, P]."""
    count = len(fields)
    config = TrainConfig(
        steps=steps, batch_size=min(count, lab.sizes.batch), evaluate_every=steps, log_every=max(1, steps // 30),
        sample_every=steps // SHOWN[lab.scale], average=0.98, seed=lab.seed,
    )  # fmt: skip
    about = {
        "name": name,
        "model": model,
        "settings": settings,
        "steps": steps,
        "tokenizer": tokenizer.config.to_json(),
    }

    def make(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        vocabulary, chosen = tokenizer.vocabulary, preset(model, "tiny", dropout=0.0, **settings)
        torch.manual_seed(lab.seed)
        written = [_write(create(model, vocabulary, chosen).eval(), tokenizer, count)]
        train(
            model, chosen, vocabulary, tokenizer.encode(fields.weights), fields.labels,
            torch.zeros(count, dtype=torch.bool), folder, config,
            on_sample=lambda model, step: written.append(_write(model, tokenizer, count)),
        )  # fmt: skip
        write_tensors(folder / "written.safetensors", {"weights": torch.stack(written)})
        write_config(folder, "experiment", {})

    return lab.kept("memory", about, make).path


def _write(model: SequenceModel, tokenizer: Tokenizer, count: int) -> Tensor:
    """What the model writes for each start token, as weights."""
    return torch.stack(
        [one.weights for one in decode_fields(tokenizer, sample(model, count, label=torch.arange(count)))]
    )


def _losses(folder: Path) -> list[tuple[int, float]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [(line["step"], line["loss"]) for line in lines if line["loss"] is not None]


def ask_for_any(lab: Lab, model: str, tokenizer_name: str) -> dict[str, Any]:
    """Fields that a model gives when it is only told to begin: how many are different, and how alike they are."""
    count, size = max(counts(lab)), list(MODELS[lab.scale])[-1]
    fields = named_fields(lab, "conditioned", count)
    chosen = WEIGHTS if model == "regression" else {"unit": "row", "codes": max(2, min(256, count * 2))}
    tokenizer: Tokenizer = registry.create(tokenizer_name, **chosen).fit(fields)
    name = f"conditioned {count} {size}"
    folder = _trained(lab, model, fields, tokenizer, MODELS[lab.scale][size], name, STEPS[lab.scale])

    def judged() -> dict[str, Any]:
        drawn = decode_fields(tokenizer, sample(load_model(folder), DRAWN, seed=lab.seed))
        weights = torch.stack([one.weights for one in drawn])
        points = torch.rand(POINTS, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
        there = inside(fields.spec, evaluate_in_chunks(fields.spec, weights, points))
        overlaps = [_overlap(there[i], there[j]) for i, j in itertools.combinations(range(DRAWN), 2)]
        differences = [float((weights[i] - weights[0]).abs().max()) for i in range(DRAWN)]
        return {
            "samples": DRAWN,
            "different": len(np.unique(weights.numpy(), axis=0)),
            "largest_difference_of_a_weight": max(differences),
            "alike": float(np.mean(overlaps)),
        }

    return lab.figures("asked", folder.name, judged)


def _overlap(one: Tensor, other: Tensor) -> float:
    either = int((one | other).sum())
    return int((one & other).sum()) / either if either else 1.0


def loss_curves(lab: Lab, found: list[dict[str, Any]]) -> Path:
    """Loss over steps, and IoU over N."""
    sizes = list(MODELS[lab.scale])
    figure = Figure(figsize=(3.2 * (len(sizes) + 1), 2.6), layout="constrained")
    axes = figure.subplots(1, len(sizes) + 1)
    styles = dict(zip(INITS, ("--", "-"), strict=True))
    for place, size in zip(axes, sizes, strict=False):
        for one in (one for one in found if one["size"] == size):
            color = f"C{counts(lab).index(one['count'])}"
            place.plot(*zip(*one["losses"], strict=True), styles[one["init"]], color=color, lw=1)
        place.set(title=f"{size}: L1 loss (dashed: unconditioned)", xlabel="step", yscale="log")
    for init, size in itertools.product(INITS, sizes):
        rows = [one for one in found if (one["init"], one["size"]) == (init, size)]
        shares = [one["iou"] / one["iou_fields"] if one["iou_fields"] else 0.0 for one in rows]
        marker = "o" if size == "big" else "."
        axes[-1].plot([one["count"] for one in rows], shares, styles[init], marker=marker, label=f"{init}, {size}")
    axes[-1].set(title="IoU of what is written / of the fields", xlabel="N", ylim=(0, 1.05))
    axes[-1].legend(frameon=False)
    return save(figure, lab.out / "regression_loss.png")


def iterations(lab: Lab) -> Path:
    """The first field as the largest model writes it, from iteration 0 to the end, as in the talk."""
    size, steps = list(MODELS[lab.scale])[-1], STEPS[lab.scale]
    rows = []
    for init, count in itertools.product(INITS, counts(lab)):
        fields = named_fields(lab, init, count)
        tokenizer = registry.create("identity", **WEIGHTS).fit(fields)
        folder = _trained(
            lab, "regression", fields, tokenizer, MODELS[lab.scale][size], f"{init} {count} {size}", steps
        )
        written = read_tensors(folder / "written.safetensors")["weights"][:, 0]
        shown = [fields[0], *(Field(fields.spec, weights) for weights in written)]
        rows.append((f"{init}, N = {count}", [field_picture(one, 96, 40) for one in shown]))
    looks = [f"step {steps // SHOWN[lab.scale] * i}" for i in range(len(rows[0][1]) - 1)]
    return picture_grid(lab.out / "regression_iterations.png", rows, ["fitted field", *looks])


if __name__ == "__main__":
    main()
