"""Rate and distortion: what each tokenizer keeps of the same fields, at how many bits, and how well a GPT learns it.

    python benchmarks/experiments/tokenization.py --quick [--data chairs.npz] [--only histogram] [--no-models]

A tenth of the fields is held out from every tokenizer and every model. Bits are counted twice: log2 of the codes that
may stand at each place, and the GPT's held-out loss, which is what a field costs if the GPT codes it. Every model gets
the same processor seconds; what tokenizers take is listed.
"""

from pathlib import Path
from typing import Any

import click
from drawing import picture_grid, save
from judging import Judge
from lab import Lab, experiment, markdown, number
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter
from system import SCORES, System, measure, models_option, take_pictures


def systems(lab: Lab) -> list[System]:
    """What is compared."""

    def codebook(**settings: Any) -> dict[str, Any]:
        return lab.sizes.codebook | settings

    learned = lab.sizes.function_space
    everything = [
        System("identity", "identity"),
        *(System(f"histogram {bins}", "histogram", {"bins": bins}) for bins in (16, 64, 128, 256)),
        System("scalars, 127 codes", "codebook", codebook(unit="scalar", codes=127)),
        *(System(f"rows, depth {depth}", "codebook", codebook(unit="row", depth=depth)) for depth in (1, 2, 4)),
        System("chunks, depth 2", "codebook", codebook(unit="chunk", depth=2)),
        System("vq", "vq", learned, views=lab.sizes.views),
        System("graph", "graph", learned, views=lab.sizes.views),
    ]
    if lab.scale == "full":
        everything[5:5] = [
            System(f"histogram 16, {kind}", "histogram", {"bins": 16, "kind": kind}) for kind in ("quantile", "uniform")
        ]
    # The tests run each kind once.
    return everything if lab.scale != "tiny" else [everything[i] for i in (0, 1, 7, 10, 11)]


@experiment
@click.option("--only", help="Only tokenizers of this name.")
@models_option
def main(lab: Lab, only: str | None, models: bool) -> None:
    """Compare tokenizers at the same time budget."""
    fields = lab.fields("shared")
    chosen = [one for one in systems(lab) if only in (None, one.tokenizer)]
    missing = {one.name: one.missing for one in chosen if one.missing}
    judge = Judge(lab) if models else None
    found = {one.name: measure(lab, one, fields, judge) for one in chosen if not one.missing}
    figures = {
        "weights": lab.sizes.spec.size,
        "known": len(lab.refs[0]),
        "unseen": len(lab.refs[1]),
        "samples": lab.sizes.samples,
        "budget": lab.sizes.budget,
        "systems": found,
        "missing": missing,
        "real": judge and judge.ceiling(),
    }
    drawn = [rate_distortion(lab.out / "rate_distortion.png", found)]
    if models:
        pictures = take_pictures(found)
        drawn.append(picture_grid(lab.out / "tokenization.png", pictures))
    lab.save(figures, drawn, [*table(found), *(f"left out {name}: {why}" for name, why in missing.items())])


def table(found: dict[str, dict[str, Any]]) -> list[str]:
    """A row a tokenizer."""
    head = ["tokenizer", "tokens", "bits a weight", "bits a field", "IoU", "held out", "seconds", "GPT bits a field"]
    rows = [[*head, "1-NNA %", "COV %", "MMD x100"]]
    for name, one in found.items():
        trip = {key: value["train"] for key, value in one["round_trip"].items()}
        rows.append(
            [
                name,
                f"{trip['tokens_per_field']}",
                number(trip["bits_per_weight"], 2),
                number(trip["bits_per_field"], 0),
                number(trip["iou_after"]),
                number(one["round_trip"]["iou_after"]["heldout"]),
                number(one["tokenizer_seconds"], 0),
                number(one.get("model_bits"), 0),
                *(number(one.get(key) and one[key]["value"], digits, 100) for key, digits in SCORES),
            ]
        )
    return markdown(rows)


def rate_distortion(path: Path, found: dict[str, dict[str, Any]]) -> Path:
    """Held-out IoU over bits a field: filled at the bits of the codes, hollow at what they cost a GPT."""
    figure = Figure(figsize=(7.5, 3.8), layout="constrained")
    axes = figure.subplots()
    axes.set_xscale("log")
    axes.set_xticks([500, 1000, 2000, 5000, 10000, 20000])
    kinds: list[str] = []
    limit = None
    for name, one in found.items():
        kind, _, setting = name.partition(" ")
        trip, kind = one["round_trip"], kind.rstrip(",")
        bits, iou = trip["bits_per_field"]["train"], trip["iou_after"]["heldout"]
        limit = trip["iou_before"]["heldout"]
        if bits is None:
            continue
        label = None if kind in kinds else kind
        kinds += [kind] * (label is not None)
        color = f"C{kinds.index(kind)}"
        axes.plot(bits, iou, "o", color=color, label=label)
        if one.get("model_bits"):
            axes.plot([bits, one["model_bits"]], [iou, iou], "-", color=color, lw=0.8)
            axes.plot(one["model_bits"], iou, "o", color=color, mfc="white")
        # Chunks and scalars lie beside rows and histograms: their labels go elsewhere.
        place, side = {"scalars": ((0, -12), "center"), "chunks": ((6, -4), "left")}.get(kind, ((0, 5), "center"))
        axes.annotate(setting, (bits, iou), xytext=place, textcoords="offset points", ha=side, color=color)
    axes.legend(frameon=False, loc="lower right")
    if limit is not None:
        axes.axhline(limit, color="grey", lw=0.8, ls=":")
        axes.annotate(
            "the fields themselves", (0.01, limit), xycoords=("axes fraction", "data"), xytext=(0, 3),
            textcoords="offset points", fontsize=7, color="grey",
        )  # fmt: skip
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    costs = " (hollow: held-out cost under the GPT)" if any(one.get("model_bits") for one in found.values()) else ""
    axes.margins(y=0.1)
    axes.set(xlabel=f"bits a field{costs}", ylabel="IoU, held-out fields")
    return save(figure, path)


if __name__ == "__main__":
    main()
