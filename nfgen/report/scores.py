"""The scores of samples: metrics beside their ceiling and floor, validity, novelty."""

from collections.abc import Iterator, Sequence
from typing import Any

from nfgen.io import files
from nfgen.viz.html import Child, Html, facts, number, percent, table, tag
from nfgen.viz.novelty_plot import novelty_chart, novelty_sets

from .artifacts import Found

FILE = "evaluation.json"
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
    ("… expected if it were alike to both", "expected_share_closer_to_train", percent),
)


def read_scores(found: Found) -> dict[str, Any] | None:
    """What `nfgen evaluate` left in a folder of samples; None if it did not run."""
    path = found.path / FILE
    scores = files.read_json(path) if path.is_file() else None
    return scores if isinstance(scores, dict) else None


def scores_section(found: Found, scores: dict[str, Any]) -> Html:
    """Metrics with their intervals, and the shares of usable meshes."""
    rows = _rows(scores)
    more = [column for column in (JSD, FRECHET) if scores.get(column[1]) is not None]
    tables = [_table(rows, (*METRICS, *more), "Samples beside the ceiling and the floor, Chamfer distance")]
    if isinstance(scores.get("emd"), dict):
        of_emd = [(name, row["emd"]) for name, row in rows if isinstance(row.get("emd"), dict)]
        points = scores["emd"].get("points")
        tables.append(_table(of_emd, METRICS, f"The same by the exact earth mover's distance of {points} points"))
    about = (
        f"{scores.get('generated')} generated against {scores.get('reference')} reference shapes, "
        f"{scores.get('points')} points each, Chamfer distance, protocol {scores.get('protocol')}, "
        f"seed {scores.get('seed')}. Brackets hold 95 % intervals."
    )
    return tag(
        "section",
        tag("h2", found.title("Scores")),
        tag(
            "p",
            "How near the samples come to real shapes that nothing was trained on: ",
            tag("b", "MMD"),
            " is the distance of a reference shape to its nearest sample, ",
            tag("b", "COV"),
            " the share of reference shapes that are some sample's nearest, ",
            tag("b", "1-NNA"),
            " how well nearest neighbours tell samples from reference shapes.",
            class_="lead",
        ),
        tables,
        tag("p", about, _about_classifier(scores), class_="note"),
        _validity(scores.get("validity")),
        class_="scores",
    )


def _rows(scores: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    floor = scores.get("floor") or {}
    rows = [
        ("generated", scores),
        ("real training shapes (ceiling)", scores.get("ceiling")),
        ("one sample repeated (floor)", floor.get("repeated")),
        ("noise (floor)", floor.get("noise")),
    ]
    return [(name, row) for name, row in rows if isinstance(row, dict)]


def _table(rows: list[tuple[str, dict[str, Any]]], columns: Sequence[tuple[str, str, float]], caption: str) -> Html:
    spans = [_span([row.get(key) for _, row in rows], key) for _, key, _ in columns]
    body: list[list[Child]] = [
        [name, *[_cell(row.get(key), factor, span) for (_, key, factor), span in zip(columns, spans, strict=True)]]
        for name, row in rows
    ]
    return table(["", *[name for name, _, _ in columns]], body, caption)


def _about_classifier(scores: dict[str, Any]) -> str | None:
    if scores.get("frechet") is None:
        return None
    about = scores.get("classifier") or {}
    trained = f" of {', '.join(about['classes'])}" if about.get("classes") else ""
    return f" The Fréchet distance is of features of a small classifier{trained}: it is not FPD on PointNet++."


def _span(scores: list[Any], key: str) -> float:
    """The end of the column's bars: 1 for shares; a little above the largest but one where one dwarfs the rest."""
    if key not in OPEN_ENDED:
        return 1.0
    values = sorted(_high(score) for score in scores if score is not None)
    if not values:
        return 1.0
    return 1.1 * (values[-2] if len(values) > 2 and values[-1] > 3 * values[-2] else values[-1]) or 1.0


def _high(score: Any) -> float:
    return float(score["value"] if score["high"] is None else score["high"])


def _cell(score: Any, factor: float, span: float) -> Child:
    """The value, its interval, and both as a bar."""
    if score is None:
        return "–"
    value = float(score["value"])
    # Of fewer than four shapes there is no interval.
    low, high = (value if score[end] is None else float(score[end]) for end in ("low", "high"))
    beyond = value > span
    left, right = (min(100.0, max(0.0, 100 * end / span)) for end in (low, high))
    place = min(100.0, 100 * value / span)
    bar = tag(
        "span",
        tag("i", style=f"left:{left:.1f}%;width:{max(right - left, 0.5):.1f}%"),
        tag("b", style=f"left:{place:.1f}%", class_="beyond" if beyond else None),
        class_="interval",
        aria_hidden="true",
    )
    digits = 1 if span == 1 else 2
    return [
        tag("strong", f"{factor * value:.{digits}f}"),
        tag("small", f" [{factor * low:.{digits}f}, {factor * high:.{digits}f}]"),
        bar,
    ]


def _validity(validity: Any) -> Child:
    if not isinstance(validity, dict):
        return None
    shares = [(name, percent(validity[key])) for name, key in VALIDITY if key in validity]
    figures = [
        ("largest body's share of the volume", percent(validity.get("largest_share"))),
        ("median genus", number(validity.get("median_genus"))),
        ("median volume, cubed coordinate units", number(validity.get("median_volume"))),
    ]
    return [tag("h3", "Are they solids?"), facts([*shares, *figures])]


def novelty_section(found: Found, novelty: dict[str, Any] | None) -> Html:
    """How far samples are from the training shapes, beside real shapes that cannot be copies."""
    if novelty is None:
        content: Child = tag(
            "p",
            "Not measured: ",
            tag("code", "nfgen evaluate --train SHAPES"),
            " compares the samples with the shapes that were trained on.",
            class_="lead",
        )
    else:
        content = _novelty(novelty)
    return tag("section", tag("h2", found.title("Novelty")), content, class_="novelty")


def _novelty(novelty: dict[str, Any]) -> Child:
    ratio, sets = novelty["ratio"], novelty_sets(novelty)
    rows: list[list[Child]] = [
        [name, *[wording(one["medians"][key]) for one in sets.values()]] for name, key, wording in NOVELTY
    ]
    interval = f"(95 % interval {ratio['low']:.2f} to {ratio['high']:.2f})"
    return [
        tag(
            "p",
            "The samples' distance to the nearest training shape is ",
            tag("b", f"{ratio['value']:.2f} times"),
            f" that of real unseen shapes {interval}: 1 is as new as those, near 0 are copies.",
            class_="lead",
        ),
        tag(
            "div",
            novelty_chart(novelty),
            tag(
                "div",
                table(["", *sets], rows, "Distances and shares"),
                tag(
                    "p",
                    f"Chamfer distances. Left of the upright line, at {number(novelty['copy_threshold'])}, lie "
                    "suspected copies. Below the diagonal a shape is nearer to the reference than to training."
                    + (
                        " Known weights with noise on them are copies by construction: a model that scores like them "
                        "has learned nothing else."
                        if len(sets) > 2
                        else ""
                    ),
                    class_="note",
                ),
            ),
            class_="beside",
        ),
    ]


def score_figures(scores: dict[str, Any]) -> Iterator[tuple[str, Child]]:
    """The three metrics with their intervals, for the head of the page."""
    for name, key, unit in KEY_FIGURES:
        score = scores.get(key)
        if isinstance(score, dict):
            value, low, high = (
                "–" if score[end] is None else f"{100 * float(score[end]):.{1 if unit else 2}f}"
                for end in ("value", "low", "high")
            )
            if key == "1_nna" and scores.get("enough") is False:
                yield name, ["too few to tell", tag("small", f"{low} to {high}")]
                continue
            yield name, [f"{value}{unit}", tag("small", f"{low} to {high}")]
