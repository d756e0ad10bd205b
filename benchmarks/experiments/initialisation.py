"""Where fits start, and what it does to weights: random, the first field, one shared field.

    python benchmarks/experiments/initialisation.py --quick [--images train-images-idx3-ubyte.gz] [--data chairs.npz]

The same shapes are fitted from each init, images as the MNIST field and solids as the 3-D one, once more with other
batches, without any pull between weights; `shared, pulled` is the toolkit's own default. Reported for each: quality of
the fit, the difference from the weights that the talk calls pretrained, layer by layer, cosines between fields, and
what lies on the straight line between two fields.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import torch
from drawing import field_picture, save, save_animation, weight_map
from lab import Lab, experiment, markdown, number
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn.functional import normalize

from nfgen import Field, FieldSet, FieldSpec
from nfgen.fields.accuracy import field_accuracy
from nfgen.fields.mlp import evaluate_in_chunks, unflatten
from nfgen.fields.spec import PRESETS
from nfgen.io.files import read_tensors, write_tensors
from nfgen.viz.contact_sheet import save_png

SHAPES = {"full": 24, "quick": 8, "tiny": 2}
FRAMES = {"full": 24, "quick": 12, "tiny": 1}  # besides the one before the first step
ARMS = {
    "random": ("random", 0.0),
    "first": ("first", 0.0),
    "shared": ("shared", 0.0),
    "shared, pulled": ("shared", 1e-5),
}
"""Init and pull of each arm; the talk's *unconditioned* is random, its *conditioned* is first."""
LINE = torch.linspace(0, 1, 11)  # places on the straight line between two fields
PROBES = 2048
TRUNCATION = 0.1  # coordinate units, as in fitting


class Fits(NamedTuple):
    """What one arm gives."""

    fields: FieldSet
    again: FieldSet
    """The same shapes once more, with other batches (and another random init)."""
    reference: Tensor
    """The pretrained weights of the talk: those of the base, or where there is none, of the first field."""
    steps: list[int]
    path: Tensor
    """Weights [frames, fields, P] at those steps."""


@experiment
@click.option("--images", type=click.Path(exists=True, path_type=Path), help="Images or IDX; else drawn digits.")
def main(lab: Lab, images: Path | None) -> None:
    """Fit the same shapes from different inits and compare the weights."""
    spaces = {
        "2-D": (PRESETS["mnist"], images or drawn_digits(lab)),
        "3-D": (lab.sizes.spec, lab.shapes),
    }
    figures: dict[str, Any] = {"images": "drawn digits" if images is None else images.name, "shapes": SHAPES[lab.scale]}
    pictures, lines = [], []
    for space, (spec, source) in spaces.items():
        fits = {arm: fit_arm(lab, arm, spec, source) for arm in ARMS}
        found = {
            arm: lab.figures(
                "comparison",
                [space, arm, str(source), SHAPES[lab.scale], lab.sizes.fit],
                lambda one=one: compare(one),
            )
            for arm, one in fits.items()
        }
        figures[space] = {"weights": spec.size, "arms": found}
        frames = [weight_maps(fits, i) for i in range(len(fits["random"].steps))]
        pictures += [
            save(frames[-1], lab.out / f"initialisation_{space}.png"),
            save_animation(lab.out / f"initialisation_{space}.gif", frames),
        ]
        lines += [f"\n{space}, {spec.size} weights, {SHAPES[lab.scale]} shapes", *table(found)]
    lab.save(figures, [*pictures, lines_between(lab.out / "initialisation_line.png", figures)], lines)


def fit_arm(lab: Lab, arm: str, spec: FieldSpec, source: Path) -> Fits:
    """Fit, or find, the fields of an arm."""
    init, pull = ARMS[arm]
    count = SHAPES[lab.scale]
    config = lab.sizes.fit.replace(pull=pull, batch_size=count)
    ends = np.unique(np.geomspace(config.steps, 1, FRAMES[lab.scale]).round().astype(int))
    steps = [0, *ends.tolist()]
    path: list[Tensor] = []

    def watch(step: int, weights: Tensor, losses: Tensor) -> None:
        if step in steps:
            path.append(weights.clone())

    about = {
        "arm": arm,
        "spec": spec.to_json(),
        "source": str(source),
        "count": count,
        "frames": len(steps),
        "fit": config,
    }

    def make(folder: Path) -> None:
        lab.fit(source, folder, spec, init, limit=count, config=config, on_step=watch)
        write_tensors(folder / "path.safetensors", {"weights": torch.stack(path)})

    folder = lab.kept("trajectory", about, make).path
    other = replace(lab, seed=lab.seed + 1)
    # From the very same base, so that only the batches differ.
    base = init if init == "random" else str(folder)
    again = other.kept(
        "again", about, lambda place: other.fit(source, place, spec, base, limit=count, config=config)
    ).path
    fields = FieldSet.load(folder)
    reference = fields.weights[0] if fields.base is None else fields.base
    stored = read_tensors(folder / "path.safetensors")["weights"]
    return Fits(fields, FieldSet.load(again), reference, steps, stored)


def compare(fits: Fits) -> dict[str, Any]:
    """The figures of an arm."""
    fields, spec, weights = fits.fields, fits.fields.spec, fits.fields.weights
    quality = field_accuracy(spec, weights, fields)
    twins = line_deviation(spec, weights, fits.again.weights)
    strangers = line_deviation(spec, weights, weights.roll(1, dims=0))
    middle = field_accuracy(spec, (weights + fits.again.weights) / 2, fields)
    first, last = int(fits.fields.base is None), len(weights)
    return {
        "iou": float(quality.iou.mean()),
        "sdf_l1": None if spec.output != "sdf" else float(quality.sdf_l1.mean()),
        "loss": float(np.mean([entry["loss"] for entry in fields.report])),
        "cosine_weights": pairwise_cosine(weights),
        "cosine_deltas": pairwise_cosine(weights[first:last] - fits.reference),
        "delta": layer_deltas(spec, weights[first:last], fits.reference),
        "barrier_same_shape": float(twins.amax(1).mean()),
        "barrier_other_shape": float(strangers.amax(1).mean()),
        "line_same_shape": twins.mean(0).tolist(),
        "line_other_shape": strangers.mean(0).tolist(),
        "iou_between_twins": float(middle.iou.mean()),
    }


def pairwise_cosine(weights: Tensor) -> float | None:
    """Mean cosine between two different rows; None where there are no two."""
    count = len(weights)
    if count < 2:
        return None
    unit = normalize(weights.double(), dim=1)
    return float(((unit @ unit.T).sum() - count) / (count * (count - 1)))


def layer_deltas(spec: FieldSpec, weights: Tensor, reference: Tensor) -> dict[str, float]:
    """Root mean square of Δ(W) and Δ(b) of each layer, in units of that of the reference's own."""
    deltas = {}
    for i, ((matrix, bias), (matrix_0, bias_0)) in enumerate(
        zip(unflatten(spec, weights), unflatten(spec, reference[None]), strict=True)
    ):
        deltas[f"W{i}"] = _relative(matrix_0 - matrix, matrix_0)
        if bias is not None and bias_0 is not None:
            deltas[f"b{i}"] = _relative(bias_0 - bias, bias_0)
    return deltas


def _relative(difference: Tensor, to: Tensor) -> float:
    return float(difference.square().mean().sqrt() / to.square().mean().sqrt().clamp(min=1e-12))


def line_deviation(spec: FieldSpec, one: Tensor, other: Tensor) -> Tensor:
    """How far fields between two others are from the mean of their values, [pairs, places on the line].

    Mean over uniform points of |f(w_t) - ((1 - t) f(w_0) + t f(w_1))|, distances truncated at 0.1, brightness in
    [0, 1]. Its maximum is the barrier: 0 where weights can be averaged (linear mode connectivity, Frankle et al. 2020).
    """
    points = torch.rand(PROBES, spec.dims, generator=torch.Generator().manual_seed(0)) * 2 - 1

    def values(weights: Tensor) -> Tensor:
        outputs = evaluate_in_chunks(spec, weights, points)
        return outputs.clamp(-TRUNCATION, TRUNCATION) if spec.output == "sdf" else torch.sigmoid(outputs)

    ends = values(one), values(other)
    return torch.stack(
        [(values(one.lerp(other, t)) - ends[0].lerp(ends[1], t)).abs().mean(1) for t in LINE.tolist()], dim=1
    )


def table(found: dict[str, dict[str, Any]]) -> list[str]:
    """A row an arm."""
    layers = list(next(iter(found.values()))["delta"])
    head = ["init", "IoU", "cosine of weights", "of deltas", "barrier, same shape", "other shape", "IoU between twins"]
    rows = [head + [f"Δ {name}" for name in layers]]
    for arm, one in found.items():
        keys = ("iou", "cosine_weights", "cosine_deltas", "barrier_same_shape", "barrier_other_shape")
        rows.append(
            [
                arm,
                *(number(one[key], 4 if "barrier" in key else 3) for key in keys),
                number(one["iou_between_twins"]),
                *(number(one["delta"][name], 2) for name in layers),
            ]
        )
    return markdown(rows)


def weight_maps(fits: dict[str, Fits], frame: int) -> Figure:
    """For each arm the second shape at a step, the weights of the first two, and the second's delta."""
    spec, step = fits["random"].fields.spec, fits["random"].steps[frame]
    figure = Figure(figsize=(9, 1.15 * len(fits) + 0.3), layout="constrained")
    figure.suptitle(f"step {step}; layers from left to right, a row a neuron, its bias last")
    axes = figure.subplots(len(fits), 4, width_ratios=(1, 4, 4, 4), squeeze=False)
    for line, (arm, one) in zip(axes, fits.items(), strict=True):
        last = min(1, one.path.shape[1] - 1)
        weights = [one.path[frame, 0], one.path[frame, last], one.reference - one.path[frame, last]]
        line[0].imshow(field_picture(Field(spec, weights[1]), 96, 32))
        for place, values, name in zip(line[1:], weights, ("shape 1", "shape 2", "Δ of shape 2"), strict=True):
            place.imshow(weight_map(spec, values), cmap="RdBu", vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
            if one is fits["random"]:
                place.set_title(name, fontsize=8)
        for place in line:
            place.set(xticks=[], yticks=[])
            place.spines[:].set_visible(False)
        line[0].set_ylabel(arm)
    return figure


def lines_between(path: Path, figures: dict[str, Any]) -> Path:
    """What lies between two fields: of the same shape (solid) and of different ones (dashed)."""
    figure = Figure(figsize=(7, 2.6), layout="constrained")
    for place, (space, unit) in zip(
        figure.subplots(1, 2), (("2-D", "brightness"), ("3-D", "coordinate units")), strict=True
    ):
        for i, (arm, one) in enumerate(figures[space]["arms"].items()):
            place.plot(LINE, one["line_same_shape"], "-", color=f"C{i}", label=arm)
            place.plot(LINE, one["line_other_shape"], "--", color=f"C{i}", lw=0.8)
        place.set(
            title=f"{space}: deviation on the line, {unit}",
            xlabel="between two fits of a shape (dashed: of two shapes)",
            ylim=(0, None),
        )
    place.legend(frameon=False, fontsize=7)
    return save(figure, path)


def drawn_digits(lab: Lab) -> Path:
    """Digits in Pillow's own letters, turned and shifted: images for those who have none at hand."""
    folder = lab.out / "work" / "digits"
    generator = np.random.default_rng(lab.seed)
    for i in range(SHAPES[lab.scale]):
        angle, (x, y) = generator.uniform(-20, 20), generator.uniform(11, 17, size=2)
        place = folder / f"{i:03d}.png"
        if not place.exists():
            save_png(place, _digit(str(i % 10), angle, (x, y)))
    return folder


def _digit(text: str, angle: float, centre: Sequence[float]) -> np.ndarray:
    image = Image.new("L", (28, 28))
    ImageDraw.Draw(image).text(tuple(centre), text, fill=255, font=ImageFont.load_default(22), anchor="mm")
    return np.asarray(image.rotate(angle, Image.Resampling.BILINEAR))


if __name__ == "__main__":
    main()
