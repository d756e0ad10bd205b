"""A run: how the training went, and what it drew on the way."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nfgen.viz.charts import Series, line_chart
from nfgen.viz.html import Child, Html, facts, figure, number, tag

from .artifacts import Found, read_log
from .data_uris import picture_uri

MOST_PICTURES = 12


def training_section(found: Found) -> Html:
    """Losses over the steps, the result, and pictures on the way."""
    result = found.config.get("result") or {}
    log = read_log(found.path / "log.jsonl")
    nats = result.get("bits_per_field") is not None
    unit = "nats a token" if nats else "mean loss"
    pictures = _some(sorted((found.path / "pictures").glob("step-*.png")), MOST_PICTURES)
    series = [_series(log, "training", "loss"), _series(log, "held out", "val_loss")]
    return tag(
        "section",
        tag("h2", found.title("Training")),
        facts(
            [
                ("model", " ".join(str(found.config.get(key, "")) for key in ("model", "size"))),
                ("tokenizer", str(found.config.get("tokenizer", "–"))),
                ("learned from", f"{len(found.config.get('train_ids') or []):,} fields"),
                ("held-out loss", number(result.get("val_loss"), 4)),
                ("bits a field", number(result.get("bits_per_field"), 4)),
                ("steps", f"{number(result.get('steps'))}, best at {number(result.get('best_step'))}"),
                ("time", _duration(result.get("seconds"))),
                ("ended by", str(result.get("stopped", "–"))),
            ]
        ),
        tag(
            "div",
            line_chart(series, "Loss over the training", "step", f"loss, {unit}", marked=_best(result, series)),
            line_chart([_series(log, "learning rate", "lr")], "Learning rate", "step", "learning rate"),
            class_="charts",
        )
        if log
        else tag("p", "There is no log.jsonl with its losses.", class_="note"),
        tag("p", "The upright line marks the weights that were kept: those of the lowest held-out loss.", class_="note")
        if _best(result, series) is not None
        else None,
        [tag("h3", "Pictures on the way"), tag("div", [_picture(path) for path in pictures], class_="way")]
        if pictures
        else None,
        class_="training",
    )


def _series(log: Sequence[dict[str, Any]], name: str, key: str) -> Series:
    lines = [line for line in log if isinstance(line.get(key), int | float)]
    return Series(name, [float(line["step"]) for line in lines], [float(line[key]) for line in lines])


def _best(result: dict[str, Any], series: Sequence[Series]) -> float | None:
    best = result.get("best_step")
    steps = [step for one in series for step in one.x]
    return float(best) if isinstance(best, int) and steps and min(steps) <= best <= max(steps) else None


def _picture(path: Path) -> Html:
    step = int(path.stem.removeprefix("step-")) if path.stem.removeprefix("step-").isdigit() else path.stem
    image = tag("img", src=picture_uri(path, 400), alt=f"Samples after step {step}", loading="lazy", class_="paper")
    return figure(image, f"step {number(step)}")


def _some(paths: list[Path], most: int) -> list[Path]:
    """At most so many, evenly spread, the first and the last among them."""
    if len(paths) <= most:
        return paths
    return [paths[round(i * (len(paths) - 1) / (most - 1))] for i in range(most)]


def _duration(seconds: object) -> str:
    if not isinstance(seconds, int | float):
        return "–"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def training_figures(found: Found) -> Iterator[tuple[str, Child]]:
    """How many bits the model needs, for the head of the page."""
    bits = (found.config.get("result") or {}).get("bits_per_field")
    if bits is not None:
        yield "bits a held-out field", number(bits, 4)
