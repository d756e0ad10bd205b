"""The novelty plot, for the page and as a file of its own."""

from typing import Any

from .charts import HEIGHT, WIDTH, Series, scatter_chart
from .html import Html, tag

COLORS = ("#c25617", "#2a6db5", "#7a56a8", "#3d8a5f")  # of the page in daylight
LEGEND = 44.0  # SVG units above the picture
STYLE = (
    "text{font:12.5px system-ui,sans-serif;fill:#62646d}.grid{stroke:#e4e1d9}.axis{stroke:#62646d}"
    ".rule{stroke:#62646d;stroke-width:1.2;stroke-dasharray:4 4}.dot{fill-opacity:.72}"
    + "".join(f".s{i}{{fill:{color}}}" for i, color in enumerate(COLORS))
)


def novelty_sets(novelty: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By name, the figures of what is compared with the training shapes: samples, real unseen shapes, noised copies."""
    sets = {
        "generated": {**novelty["scatter"]["samples"], "medians": novelty["samples"]},
        "real, held out": {**novelty["scatter"]["heldout"], "medians": novelty["heldout"]},
    }
    for label, one in (novelty.get("noise") or {}).items():
        sets[f"known weights + {label}"] = {**one["scatter"]["samples"], "medians": one["samples"]}
    return sets


def novelty_chart(novelty: dict[str, Any]) -> Html:
    """Of each shape the distance to the nearest training shape against that to the nearest reference."""
    series = [
        Series(name, one["nearest_train"], one["nearest_reference"]) for name, one in novelty_sets(novelty).items()
    ]
    return scatter_chart(
        series,
        "Is it new, or copied from training?",
        "distance to the nearest training shape",
        "distance to the nearest reference",
        marked=novelty["copy_threshold"],
        diagonal=True,
    )


def novelty_svg(novelty: dict[str, Any]) -> str:
    """`novelty_chart` as an SVG file on white."""
    chart = novelty_chart(novelty)
    inner = Html(chart[chart.index(">", chart.index("<svg")) + 1 : chart.rindex("</svg>")])
    names = list(novelty_sets(novelty))
    legend = []
    for i, name in enumerate(names):
        x, y = 16 + WIDTH / 2 * (i % 2), 18 * (i // 2) + 14 - LEGEND
        legend += [tag("circle", cx=x, cy=y, r=4, class_=f"s{i}"), tag("text", name, x=x + 10, y=y + 4)]
    paper = tag("rect", x=0, y=-LEGEND, width=WIDTH, height=HEIGHT + LEGEND, fill="#fff")
    return tag(
        "svg",
        tag("style", Html(STYLE)),
        paper,
        legend,
        inner,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 {-LEGEND:g} {WIDTH:g} {HEIGHT + LEGEND:g}",
        width=2 * WIDTH,
    )
