"""A run: losses of the training, and samples during it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from nfgen.viz.charts import Series, line_chart
from nfgen.viz.html import number

from .artifacts import Found, read_log
from .data_uris import picture_uri
from .markup import KeyFigure, render

MOST_PICTURES = 12


def training_section(found: Found) -> Markup:
    """Losses over the steps, the result, and samples during training."""
    result = found.config.get("result") or {}
    log = read_log(found.path / "log.jsonl")
    unit = "nats per token" if result.get("bits_per_field") is not None else "mean loss"
    series = [_series(log, "training", "loss"), _series(log, "held out", "val_loss")]
    best = _best(result, series)
    charts = [
        line_chart(series, "Loss over the training", "step", f"loss, {unit}", marked=best),
        line_chart([_series(log, "learning rate", "lr")], "Learning rate", "step", "learning rate"),
    ]
    pictures = _some(sorted((found.path / "pictures").glob("step-*.png")), MOST_PICTURES)
    return render(
        "training",
        title=found.title("Training"),
        figures=[
            ("model", " ".join(str(found.config.get(key, "")) for key in ("model", "size"))),
            ("tokenizer", str(found.config.get("tokenizer", "–"))),
            ("trained on", f"{len(found.config.get('train_ids') or []):,} fields"),
            ("held-out loss", number(result.get("val_loss"), 4)),
            ("bits per field", number(result.get("bits_per_field"), 4)),
            ("steps", f"{number(result.get('steps'))}, best at {number(result.get('best_step'))}"),
            ("time", _duration(result.get("seconds"))),
            ("ended by", str(result.get("stopped", "–"))),
        ],
        charts=charts if log else [],
        best=best,
        pictures=[(_step(path), picture_uri(path, 400)) for path in pictures],
    )


def _series(log: Sequence[dict[str, Any]], name: str, key: str) -> Series:
    lines = [line for line in log if isinstance(line.get(key), int | float)]
    return Series(name, [float(line["step"]) for line in lines], [float(line[key]) for line in lines])


def _best(result: dict[str, Any], series: Sequence[Series]) -> float | None:
    best = result.get("best_step")
    steps = [step for one in series for step in one.x]
    return float(best) if isinstance(best, int) and steps and min(steps) <= best <= max(steps) else None


def _step(path: Path) -> int | str:
    """The step in the name of a picture, or its name if it has none."""
    step = path.stem.removeprefix("step-")
    return int(step) if step.isdigit() else path.stem


def _some(paths: list[Path], most: int) -> list[Path]:
    """At most `most` of them, evenly spaced, including the first and the last."""
    if len(paths) <= most:
        return paths
    return [paths[round(i * (len(paths) - 1) / (most - 1))] for i in range(most)]


def _duration(seconds: object) -> str:
    if not isinstance(seconds, int | float):
        return "–"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def training_figures(found: Found) -> Iterator[KeyFigure]:
    """Bits per held-out field, for the head of the page."""
    bits = (found.config.get("result") or {}).get("bits_per_field")
    if bits is not None:
        yield KeyFigure("bits per held-out field", number(bits, 4))
