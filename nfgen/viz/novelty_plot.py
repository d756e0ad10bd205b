"""The novelty plot, for the page and as an SVG file."""

from typing import Any

from .charts import Plot, Series, scatter_plot
from .html import render

COLORS = ("#c25617", "#2a6db5", "#7a56a8", "#3d8a5f")  # of the page in light mode
LEGEND = 44.0  # SVG units above the picture


def novelty_sets(novelty: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Figures by name of what is compared with the training shapes: samples, held-out shapes, noised copies."""
    sets = {
        "generated": {**novelty["scatter"]["samples"], "medians": novelty["samples"]},
        "real, held out": {**novelty["scatter"]["heldout"], "medians": novelty["heldout"]},
    }
    for label, one in (novelty.get("noise") or {}).items():
        sets[f"known weights + {label}"] = {**one["scatter"]["samples"], "medians": one["samples"]}
    return sets


def novelty_plot(novelty: dict[str, Any]) -> Plot:
    """The distance of each shape to the nearest training shape, against that to the nearest reference shape."""
    series = [
        Series(name, one["nearest_train"], one["nearest_reference"]) for name, one in novelty_sets(novelty).items()
    ]
    return scatter_plot(
        series,
        "Is it new, or copied from training?",
        "distance to the nearest training shape",
        "distance to the nearest reference",
        marked=novelty["copy_threshold"],
        diagonal=True,
    )


def novelty_svg(novelty: dict[str, Any]) -> str:
    """`novelty_plot` as an SVG file on white."""
    return render("novelty.svg", plot=novelty_plot(novelty), legend=LEGEND, colors=COLORS)
