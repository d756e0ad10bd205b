"""Scores as lines of text."""

from typing import Any

METRICS = (("MMD x100", "mmd"), ("COV %", "cov"), ("1-NNA %", "1_nna"))
PAIR_FIGURES = (
    ("Chamfer distance x100", "cd", 100.0),
    ("F-score at 1 %, %", "f_score_1", 100.0),
    ("F-score at 2 %, %", "f_score_2", 100.0),
    ("IoU", "iou", 1.0),
    ("normal consistency", "normal_consistency", 1.0),
    ("Hausdorff 95 %", "hausdorff_95", 1.0),
)


def score_lines(scores: dict[str, Any]) -> list[str]:
    """The scores of a set, beside the ceiling and the floor."""
    lines = [
        f"{scores['generated']} generated against {scores['reference']} reference shapes, {scores['points']} points, "
        f"protocol {scores['protocol']}, seed {scores['seed']}; 95 % intervals",
        "",
        *_table(scores, "Chamfer distance", [*METRICS, ("JSD x100", "jsd")], lambda row: row),
    ]
    if scores.get("emd"):
        title = f"EMD, {scores['emd']['points']} points"
        lines += ["", *_table(scores, title, METRICS, lambda row: row.get("emd"))]
    if scores.get("frechet"):
        lines += ["", *_table(scores, "classifier", [("Fréchet distance x100", "frechet")], lambda row: row)]
        lines.append(f"its features are of {_classifier(scores.get('classifier'))}: this is not FPD on PointNet++")
    if scores["ceiling"] is None:
        lines += ["", "the ceiling and novelty need the training shapes: --train"]
    if scores["novelty"]:
        lines += ["", *_novelty(scores["novelty"])]
    if scores.get("weights"):
        found = scores["weights"]
        lines.append(
            f"nearest in weight space: {found['median']:.2f} away (median), training fields are "
            f"{found['train_median']:.2f} from each other; {found['share_near_copies']:.1%} nearer than their 5th "
            "percentile"
        )
    return [*lines, "", *_validity(scores["validity"])]


def pair_lines(result: dict[str, Any]) -> list[str]:
    """The figures of reconstructions."""
    lines = [f"{len(result['pairs'])} pairs, seed {result['seed']}", f"{'':24}{'mean':>10}{'median':>10}{'pairs':>8}"]
    for name, key, factor in PAIR_FIGURES:
        figure = result[key]
        cells = ["-" if figure[of] is None else f"{factor * figure[of]:.4g}" for of in ("mean", "median")]
        lines.append(f"{name:24}" + "".join(f"{cell:>10}" for cell in cells) + f"{figure['pairs']:>8}")
    return lines + [f"skipped {entry['id']}: {entry['reason']}" for entry in result["skipped"]]


def _table(scores: dict[str, Any], title: str, columns: Any, part: Any) -> list[str]:
    floor = scores["floor"] or {}
    rows = {
        "generated": scores,
        "real (ceiling)": scores["ceiling"],
        "one repeated": floor.get("repeated"),
        "noise": floor.get("noise"),
    }
    lines = [f"{title:17}" + "".join(f"{name:>25}" for name, _ in columns)]
    for name, row in rows.items():
        found = row and part(row)
        if found:
            lines.append(f"{name:17}" + "".join(f"{_cell(found.get(key)):>25}" for _, key in columns))
    return lines


def _cell(score: dict[str, float | None] | None) -> str:
    if score is None:
        return "-"
    value = f"{100 * (score['value'] or 0):.2f}"
    if score["low"] is None or score["high"] is None:
        return value
    return f"{value} [{100 * score['low']:.2f}, {100 * score['high']:.2f}]"


def _classifier(about: dict[str, Any] | None) -> str:
    if not about or "classes" not in about:
        return "a classifier that was given"
    return (
        f"a small classifier of {', '.join(about['classes'])}, trained on {about['shapes']} shapes, "
        f"{about['accuracy']:.0%} right on others"
    )


def _novelty(novelty: dict[str, Any]) -> list[str]:
    """Of each set the median distance to the nearest training shape, beside that of real unseen shapes."""
    named = {"generated": novelty["samples"], "real, unseen": novelty["heldout"]}
    noise = novelty.get("noise") or {}
    named |= {f"weights + {label}": one["samples"] for label, one in noise.items()}
    unseen = novelty["heldout"]["nearest_train"]
    lines = [f"{'novelty':17}{'nearest known x100':>19}{'of unseen':>11}{'nearest ref. x100':>19}{'near copies':>13}"]
    for name, one in named.items():
        ratio = one["nearest_train"] / unseen
        lines.append(
            f"{name:17}{100 * one['nearest_train']:>19.3f}{ratio:>11.2f}{100 * one['nearest_reference']:>19.3f}"
            f"{one['share_near_copies']:>13.1%}"
        )
    ratio = novelty["ratio"]
    return [*lines, f"generated to unseen: {ratio['value']:.2f} [{ratio['low']:.2f}, {ratio['high']:.2f}]"]


def _validity(validity: dict[str, Any]) -> list[str]:
    genus, volume = validity["median_genus"], validity["median_volume"]
    return [
        f"surface {validity['nonempty']:.1%}, watertight {validity['watertight']:.1%}, consistent sign "
        f"{validity['outward']:.1%}, one body {validity['single_body']:.1%}, all of it {validity['valid']:.1%}",
        f"largest body {validity['largest_share'] or 0:.1%} of the volume, median genus "
        f"{'-' if genus is None else f'{genus:g}'}, median volume {'-' if volume is None else f'{volume:.3f}'}",
    ]
