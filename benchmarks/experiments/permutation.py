"""Permutation symmetry: the same functions, other weights, and what each remedy wins back.

    python benchmarks/experiments/permutation.py --quick [--data chairs.npz]

Hidden neurons are permuted at random, each field by permutations of its own. First: the functions do not change, in
float64. Then: from these fields a codebook of neuron rows and a GPT learn to generate, with the rows as they come, in
canonical order, or matched to the first field (Git Re-Basin); fields that were each fitted from their own random
weights are beside them, and so is `vq`, which looks at functions and sees no order.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from drawing import picture_grid
from initialisation import pairwise_cosine
from judging import Judge
from lab import Lab, experiment, markdown, number
from system import SCORES, System, measure, models_option, take_pictures, tokens_of
from torch import Tensor

from nfgen import FieldSet
from nfgen.fields.accuracy import field_accuracy
from nfgen.fields.mlp import evaluate
from nfgen.fields.symmetry import canonical, match, permute, random_orders
from nfgen.tokenizers import registry
from nfgen.tokens.token_set import TOKENIZER

LAW_FIELDS, LAW_POINTS = 16, 4096

Change = Callable[[FieldSet, torch.Generator], Tensor]


def _shuffled(fields: FieldSet, generator: torch.Generator) -> Tensor:
    return permute(fields.spec, fields.weights, random_orders(fields.spec, len(fields), generator))


CHANGES: dict[str, tuple[str, Change]] = {
    "aligned (one shared init)": ("shared", lambda fields, generator: fields.weights),
    "permuted": ("shared", _shuffled),
    "permuted, canonical order": ("shared", lambda f, g: canonical(f.spec, _shuffled(f, g))),
    "permuted, matched": ("shared", lambda f, g: _matched(f, _shuffled(f, g))),
    "random inits": ("random", lambda fields, generator: fields.weights),
    "random inits, canonical order": ("random", lambda f, g: canonical(f.spec, f.weights)),
    "random inits, matched": ("random", lambda f, g: _matched(f, f.weights)),
}
"""Where the fits started, and what is done to the weights."""


def _matched(fields: FieldSet, weights: Tensor) -> Tensor:
    return match(fields.spec, weights, weights[0])


@experiment
@models_option
def main(lab: Lab, models: bool) -> None:
    """Permute neurons, and see what is lost and won back."""
    shared = lab.fields("shared")
    law = lab.figures("law", shared.name, lambda: largest_change(FieldSet.load(shared), lab.seed))
    judge = Judge(lab) if models else None
    rows = System("rows", "codebook", {"unit": "row", "target": "weights", "depth": 2, **lab.sizes.codebook})
    vq = System("vq", "vq", lab.sizes.function_space, views=lab.sizes.views)
    found = {}
    # The tests go through one arm of each kind.
    for name, (init, change) in [*CHANGES.items()][:: 3 if lab.scale == "tiny" else 1]:
        fields = changed_fields(lab, name, init, change)
        cosine = pairwise_cosine(FieldSet.load(fields).weights)
        found[f"rows, {name}"] = {"cosine": cosine, **measure(lab, rows, fields, judge)}
    found["vq, aligned"] = {"cosine": None, **measure(lab, vq, shared, judge)}
    invariant = lab.figures("invariant", tokens_of(lab, vq, shared).path.name, lambda: same_tokens(lab, vq))
    figures = {"law": law, "systems": found, "vq": invariant, "real": judge and judge.ceiling()}
    drawn = []
    if judge is not None:
        pictures = take_pictures(found)
        drawn.append(picture_grid(lab.out / "permutation.png", pictures))
    lines = [
        f"largest change of a value by permutation, float64: {law['float64']:.1e} (float32: {law['float32']:.1e})",
        f"vq: {invariant['equal_tokens']:.1%} of the tokens are equal after permutation; "
        f"IoU of fields from random inits through the same vq: {number(invariant['iou_random'])}",
        *table(found),
    ]
    lab.save(figures, drawn, lines)


def largest_change(fields: FieldSet, seed: int) -> dict[str, float]:
    """Largest difference of a value between fields and their permuted selves, in coordinate units."""
    generator = torch.Generator().manual_seed(seed)
    spec, some = fields.spec, fields.weights[:LAW_FIELDS]
    points = torch.rand(LAW_POINTS, spec.dims, generator=generator, dtype=torch.float64) * 2 - 1
    orders = random_orders(spec, len(some), generator)
    changes = {}
    for dtype, name in ((torch.float64, "float64"), (torch.float32, "float32")):
        weights = some.to(dtype)
        values = evaluate(spec, weights, points.to(dtype))
        permuted = evaluate(spec, permute(spec, weights, orders), points.to(dtype))
        changes[name] = float((values - permuted).abs().max())
    return changes


def changed_fields(lab: Lab, name: str, init: str, change: Change) -> Path:
    """The fields of an init, their weights changed; what their base was then says nothing."""
    source = lab.fields(init)

    def make(path: Path) -> None:
        fields = FieldSet.load(source)
        weights = change(fields, torch.Generator().manual_seed(lab.seed))
        replace(fields, weights=weights, base=None).save(path)

    return lab.kept("changed", {"name": name, "fields": source.name}, make).path


def same_tokens(lab: Lab, vq: System) -> dict[str, float]:
    """How many tokens of vq stay the same under permutation, and its round trip of fields from random inits."""
    tokenizer = registry.load(tokens_of(lab, vq, lab.fields("shared")).path / TOKENIZER)
    shared, random = FieldSet.load(lab.fields("shared")), FieldSet.load(lab.fields("random"))
    permuted = _shuffled(shared, torch.Generator().manual_seed(lab.seed))
    before, after = (tokenizer.encode(weights, shared.spec) for weights in (shared.weights, permuted))
    decoded = tokenizer.decode(tokenizer.encode(random.weights, random.spec))
    return {
        "equal_tokens": float((before == after).double().mean()),
        "iou_random": float(field_accuracy(tokenizer.decoded_spec, decoded, random).iou.mean()),
    }


def table(found: dict[str, dict[str, Any]]) -> list[str]:
    head = ["tokens of", "cosine", "IoU", "held out", "GPT bits a field", "surface %", "1-NNA %", "COV %", "MMD x100"]
    rows = [head]
    for name, one in found.items():
        trip = one["round_trip"]["iou_after"]
        rows.append(
            [
                name,
                number(one["cosine"]),
                number(trip["train"]),
                number(trip["heldout"]),
                number(one.get("model_bits"), 0),
                number(one.get("surface"), 0, 100),
                *(number(one.get(key) and one[key]["value"], digits, 100) for key, digits in SCORES),
            ]
        )
    return markdown(rows)


if __name__ == "__main__":
    main()
