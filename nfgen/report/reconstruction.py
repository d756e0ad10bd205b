"""Reconstructions of shapes by fields or tokens, each compared with its own shape."""

from typing import Any

from markupsafe import Markup

from nfgen.viz.charts import histogram
from nfgen.viz.html import number

from .artifacts import Found, read_object
from .markup import render

FILE = "reconstruction.json"
# Name, key, factor to the unit of the name.
FIGURES = (
    ("Chamfer distance × 100 ↓", "cd", 100.0),
    ("F-score at 1 %, % ↑", "f_score_1", 100.0),
    ("F-score at 2 %, % ↑", "f_score_2", 100.0),
    ("IoU ↑", "iou", 1.0),
    ("normal consistency ↑", "normal_consistency", 1.0),
    ("Hausdorff distance, 95 % ↓", "hausdorff_95", 1.0),
    ("normals off on smooth parts, median, degrees ↓", "normal_angle_median", 1.0),
    ("the same, 95 % ↓", "normal_angle_95", 1.0),
    ("surface kept within 1 %, % ↑", "surface_kept", 100.0),
    ("thin parts kept within 1 %, % ↑", "thin_kept", 100.0),
    ("eikonal error near the surface ↓", "eikonal", 1.0),
)


def read_reconstruction(found: Found) -> dict[str, Any] | None:
    """The result of `nfgen evaluate --pairs` in an artifact; None if it did not run."""
    return read_object(found.path / FILE)


def reconstruction_section(found: Found, result: dict[str, Any]) -> Markup:
    """Means and medians over all pairs, and the distribution of F-scores."""
    rows = [
        [name, *[_cell(result[key][of], factor) for of in ("mean", "median")], number(result[key]["pairs"])]
        for name, key, factor in FIGURES
        if key in result  # an earlier version measured less
    ]
    scores = [float(pair["f_score_1"]) for pair in result["pairs"]]
    return render(
        "reconstruction",
        title=found.title("Reconstruction"),
        count=len(scores),
        seed=result["seed"],
        rows=rows,
        chart=histogram(scores, "F-score at 1 %", "F-score", low=0.0, high=1.0, y_label="shapes"),
    )


def _cell(value: float | None, factor: float) -> str:
    return "–" if value is None else number(factor * value, 4)
