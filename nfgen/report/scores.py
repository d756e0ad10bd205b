"""The scores of samples: metrics with ceiling and floor, validity, novelty."""

from collections.abc import Iterator, Sequence
from typing import Any

from markupsafe import Markup

from nfgen.viz.html import number, percent
from nfgen.viz.novelty_plot import novelty_plot, novelty_sets

from .artifacts import Found, read_object
from .data_uris import picture_uri
from .markup import KeyFigure, render

FILE, GIVEAWAYS = "evaluation.json", "giveaways.png"
DISTANCES = {"cd": "Chamfer", "light_field": "light field"}
# Column heading, key, and the factor to the unit of the heading.
METRICS = (("MMD × 100 ↓", "mmd", 100.0), ("COV % ↑", "cov", 100.0), ("1-NNA %, best at 50", "1_nna", 100.0))
OPEN_ENDED = ("mmd", "frechet")  # the others are shares
JSD, FRECHET = ("JSD % ↓", "jsd", 100.0), ("Fréchet × 100 ↓", "frechet", 100.0)
VALIDITY = (
    ("has a surface", "nonempty"),
    ("watertight", "watertight"),
    ("faces outward", "outward"),
    ("one body", "single_body"),
    ("watertight, outward and one body", "valid"),
)
# As above, and the unit.
KEY_FIGURES = (
    ("1-NNA, best at 50\N{NO-BREAK SPACE}%", "1_nna", " %"),
    ("COV, more is better", "cov", " %"),
    ("MMD × 100, less is better", "mmd", ""),
)
NOVELTY = (
    ("median distance to the nearest training shape", "nearest_train", number),
    ("median distance to the nearest reference shape", "nearest_reference", number),
    ("nearer to a training shape than 95 % of those are to each other", "share_near_copies", percent),
    ("nearer to a training than to a reference shape", "share_closer_to_train", percent),
    ("… expected if both were equally near", "expected_share_closer_to_train", percent),
)


def read_scores(found: Found) -> dict[str, Any] | None:
    """The result of `nfgen evaluate` in a folder of samples; None if it did not run."""
    return read_object(found.path / FILE)


def scores_section(found: Found, scores: dict[str, Any]) -> Markup:
    """Metrics with their intervals, and the shares of usable meshes."""
    rows = _rows(scores)
    more = [column for column in (JSD, FRECHET) if scores.get(column[1]) is not None]
    tables = [_table(rows, (*METRICS, *more), "Samples, ceiling and floor, Chamfer distance")]
    if isinstance(scores.get("emd"), dict):
        of_emd = [(name, row["emd"]) for name, row in rows if isinstance(row.get("emd"), dict)]
        points = scores["emd"].get("points")
        tables.append(_table(of_emd, METRICS, f"The same by the exact earth mover's distance of {points} points"))
    return render(
        "scores",
        title=found.title("Scores"),
        scores=scores,
        tables=tables,
        classes=(scores.get("classifier") or {}).get("classes"),
        validity=_validity(scores.get("validity")),
        giveaways=picture_uri(sheet) if (sheet := found.path / GIVEAWAYS).is_file() else None,
        told=percent(((scores.get("c2st") or {}).get("accuracy") or {}).get("value")),
        copying=_copying(scores.get("copying")),
    )


def _copying(copying: dict[str, Any] | None) -> dict[str, object] | None:
    """Z_U and the copy rate by each distance."""
    if not copying:
        return None
    rows = [
        [name, DISTANCES.get(distance, distance), f"{one['z_u']:.1f}", percent(one["copy_rate"]["value"]),
         percent(one["expected_copy_rate"]), "copies" if one["copies"] else "none found"]
        for distance, sets in copying.items()
        for name, one in sets.items()
    ]  # fmt: skip
    return {"columns": ["", "distance", "Z_U", "copy rate", "of unseen", ""], "rows": rows}


def _rows(scores: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    floor = scores.get("floor") or {}
    rows = [
        ("generated", scores),
        ("real training shapes (ceiling)", scores.get("ceiling")),
        ("one sample repeated (floor)", floor.get("repeated")),
        ("noise (floor)", floor.get("noise")),
    ]
    return [(name, row) for name, row in rows if isinstance(row, dict)]


def _table(
    rows: list[tuple[str, dict[str, Any]]], columns: Sequence[tuple[str, str, float]], caption: str
) -> dict[str, object]:
    spans = [_span([row.get(key) for _, row in rows], key) for _, key, _ in columns]
    body = [
        [name, *[_cell(row.get(key), factor, span) for (_, key, factor), span in zip(columns, spans, strict=True)]]
        for name, row in rows
    ]
    return {"columns": [name for name, _, _ in columns], "rows": body, "caption": caption}


def _span(scores: list[Any], key: str) -> float:
    """The end of the column's bars: 1 for shares; near the second largest value if the largest is far above it."""
    if key not in OPEN_ENDED:
        return 1.0
    values = sorted(_high(score) for score in scores if score is not None)
    if not values:
        return 1.0
    return 1.1 * (values[-2] if len(values) > 2 and values[-1] > 3 * values[-2] else values[-1]) or 1.0


def _high(score: Any) -> float:
    return float(score["value"] if score["high"] is None else score["high"])


def _cell(score: Any, factor: float, span: float) -> str:
    """The value, its interval, and a bar of both."""
    if score is None:
        return "–"
    value = float(score["value"])
    # There is no interval for fewer than four shapes.
    low, high = (value if score[end] is None else float(score[end]) for end in ("low", "high"))
    left, right = (min(100.0, max(0.0, 100 * end / span)) for end in (low, high))
    digits = 1 if span == 1 else 2
    return render(
        "score",
        value=f"{factor * value:.{digits}f}",
        low=f"{factor * low:.{digits}f}",
        high=f"{factor * high:.{digits}f}",
        left=f"{left:.1f}",
        width=f"{max(right - left, 0.5):.1f}",
        at=f"{min(100.0, 100 * value / span):.1f}",
        beyond=value > span,
    )


def _validity(validity: Any) -> list[tuple[str, str]]:
    if not isinstance(validity, dict):
        return []
    return [
        *[(name, percent(validity[key])) for name, key in VALIDITY if key in validity],
        ("largest body's share of the volume", percent(validity.get("largest_share"))),
        ("median genus", number(validity.get("median_genus"))),
        ("median volume, cubed coordinate units", number(validity.get("median_volume"))),
    ]


def novelty_section(found: Found, novelty: dict[str, Any] | None) -> Markup:
    """Distances of samples to the training shapes, compared with those of held-out shapes, which are no copies."""
    title = found.title("Novelty")
    if novelty is None:
        return render("novelty", title=title, novelty=None)
    sets = novelty_sets(novelty)
    rows = [[name, *[wording(one["medians"][key]) for one in sets.values()]] for name, key, wording in NOVELTY]
    chart = novelty_plot(novelty).chart()
    return render("novelty", title=title, novelty=novelty, sets=list(sets), rows=rows, chart=chart)


def score_figures(scores: dict[str, Any]) -> Iterator[KeyFigure]:
    """The three metrics with their intervals, for the head of the page."""
    for name, key, unit in KEY_FIGURES:
        score = scores.get(key)
        if isinstance(score, dict):
            value, low, high = (
                "–" if score[end] is None else f"{100 * float(score[end]):.{1 if unit else 2}f}"
                for end in ("value", "low", "high")
            )
            few = key == "1_nna" and scores.get("enough") is False
            yield KeyFigure(name, "too few to tell" if few else f"{value}{unit}", f"{low} to {high}")
    validity, c2st, normals = (scores.get(key) or {} for key in ("validity", "c2st", "normals"))
    if "single_body" in validity:
        yield KeyFigure("in one piece", percent(validity["single_body"]), "")
    if c2st:
        real = "" if c2st["real"] is None else f"real {100 * c2st['real']['value']:.0f}"
        share = f"{100 * c2st['accuracy']['value']:.0f} %"
        yield KeyFigure("C2ST by pictures, best at 50\N{NO-BREAK SPACE}%", share, real)
    if normals:
        yield KeyFigure("ripple of normals", f"{normals['ripple']:.1f}°", f"real {normals['ripple_real']:.1f}°")
