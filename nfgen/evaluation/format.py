"""Scores as lines of text."""

from typing import Any

from nfgen.metrics.mmd_cov_nna import ENOUGH
from nfgen.runtime.words import counted

PARTS = {"train": "known shapes", "heldout": "held-out shapes"}
METRICS = (("MMD x100", "mmd"), ("COV %", "cov"), ("1-NNA %", "1_nna"))
MORE = (("precision %", "precision"), ("recall %", "recall"), ("JSD x100", "jsd"), ("JSD PointFlow", "jsd_pointflow"))
DISTANCES = {"cd": "Chamfer distance", "light_field": "light-field distance"}
CEILING = "real (ceiling)"
WIDTH = 31  # of a column
TOO_FEW = "too few to tell"
PAIR_FIGURES = (
    ("Chamfer distance x100", "cd", 100.0),
    ("F-score at 1 %, %", "f_score_1", 100.0),
    ("F-score at 2 %, %", "f_score_2", 100.0),
    ("IoU", "iou", 1.0),
    ("normal consistency", "normal_consistency", 1.0),
    ("Hausdorff 95 %", "hausdorff_95", 1.0),
    ("normals off, median, deg", "normal_angle_median", 1.0),
    ("normals off, 95 %, deg", "normal_angle_95", 1.0),
    ("surface kept, %", "surface_kept", 100.0),
    ("thin parts kept, %", "thin_kept", 100.0),
    ("eikonal error", "eikonal", 1.0),
)


def score_lines(scores: dict[str, Any]) -> list[str]:
    """The scores of a set, beside the ceiling and the floor."""
    lines = [
        f"{scores['generated']} generated against {scores['reference']} reference shapes, {scores['points']} points, "
        f"protocol {scores['protocol']}, seed {scores['seed']}; 95 % intervals",
        *_too_few(scores),
        "",
        *_table(scores, "Chamfer distance", METRICS, lambda row: row),
        *_beside(scores),
        "",
        *_table(scores, "", MORE, lambda row: row),
    ]
    if scores.get("light_field"):
        title, columns = "light-field dist.", [("MMD", "mmd"), *METRICS[1:], *MORE[:2]]
        lines += ["", *_table(scores | scores["light_field"], title, columns, lambda row: row, ("generated", CEILING))]
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
    for key, distance in DISTANCES.items():
        found = (scores.get("copying") or {}).get(key)
        if found:
            lines += ["", *_copying(found, distance)]
    if scores.get("duplicates"):
        lines += ["", *_duplicates(scores)]
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
    lines = [
        f"{counted(len(result['pairs']), 'pair')}, seed {result['seed']}",
        f"{'':25}{'mean':>10}{'median':>10}{'pairs':>8}",
    ]
    for name, key, factor in PAIR_FIGURES:
        figure = result[key]
        cells = ["-" if figure[of] is None else f"{factor * figure[of]:.4g}" for of in ("mean", "median")]
        lines.append(f"{name:25}" + "".join(f"{cell:>10}" for cell in cells) + f"{figure['pairs']:>8}")
    for part, summary in (result.get("parts") or {}).items():
        if summary:
            figures = [f"{name} {factor * summary[key]['mean']:.4g}" for name, key, factor in PAIR_FIGURES
                       if summary[key]["mean"] is not None]  # fmt: skip
            lines.append(f"means of {PARTS[part]} ({summary['cd']['pairs']}): {'; '.join(figures)}")
    lines.append(f"true normals are of the {result['normals_of']}")
    return lines + [f"skipped {entry['id']}: {entry['reason']}" for entry in result["skipped"]]


def _beside(scores: dict[str, Any]) -> list[str]:
    """What 1-NNA does not see, wherever it stands: pieces, normals and pictures; how the samples were chosen."""
    lines = [f"in one piece {scores['validity']['single_body']:.1%}, largest body {_share(scores['validity'])}"]
    normals, c2st = scores.get("normals"), scores.get("c2st")
    if normals:
        lines.append(f"ripple of normals {normals['ripple']:.1f} degrees, real {normals['ripple_real']:.1f}")
    if c2st:
        kid, beside = c2st["kid"], c2st["kid_real"]
        real = "not known" if c2st["real"] is None else f"{_cell(c2st['real'])}"
        lines += [
            f"C2ST % {_cell(c2st['accuracy'])} by {c2st['views']} views of {c2st['shapes'][0]} generated and "
            f"{c2st['shapes'][1]} real shapes ({c2st['pictures_of']}); real against real {real}; 50 = cannot be told",
            f"KID {kid['value']:.2f} [{kid['low']:.2f}, {kid['high']:.2f}]"
            + (f", real {beside['value']:.2f} [{beside['low']:.2f}, {beside['high']:.2f}]" if beside else ""),
        ]
    elif normals:
        lines.append(f"C2ST: {TOO_FEW}, ten of each kind are needed")
    draws = scores.get("draws")
    if draws:
        lines.append(
            f"{draws['kept']} of {draws['drawn']} draws kept; dropped: {draws['empty']} empty, {draws['in_pieces']} in "
            f"pieces, {draws['alike']} alike"
            + (f", {draws['crowded']} where too many fell (--balanced)" if draws.get("crowded") else "")
            + f"; of those meshed {draws['one_piece']:.1%} have 99 % of their volume in one piece, before redraws and "
            "offsets, crumbs included"
        )
    if scores.get("distinct") is not None:
        chosen = "drawn again until they differ (--distinct)" if scores["distinct"] else "independent draws"
        lines.append(f"samples are {chosen}")
    return lines


def _share(validity: dict[str, Any]) -> str:
    return "-" if validity["largest_share"] is None else f"{validity['largest_share']:.1%} of the volume"


def _table(
    scores: dict[str, Any], title: str, columns: Any, part: Any, shown: tuple[str, ...] | None = None
) -> list[str]:
    floor = scores["floor"] or {}
    rows = {
        "generated": scores,
        CEILING: scores["ceiling"],
        "one repeated": floor.get("repeated"),
        "noise": floor.get("noise"),
    }
    lines = [f"{title:17}" + "".join(f"{name:>{WIDTH}}" for name, _ in columns)]
    for name, row in rows.items():
        found = row and part(row)
        if found and (shown is None or name in shown):
            hidden = ["1_nna"] if name == "generated" and not scores["enough"] else []
            cells = [_cell(found.get(key), key in hidden, 1 if head == "MMD" else 100) for head, key in columns]
            lines.append(f"{name:17}" + "".join(f"{cell:>{WIDTH}}" for cell in cells))
    return lines


def _too_few(scores: dict[str, Any]) -> list[str]:
    if scores["enough"]:
        return []
    return [f"{TOO_FEW}: scores need {ENOUGH} shapes of each kind; of these only the intervals say something"]


def _cell(score: dict[str, float | None] | None, hidden: bool = False, factor: float = 100) -> str:
    """The value, or only words where it would mislead, and the interval."""
    if score is None:
        return "-"
    value = TOO_FEW if hidden else f"{factor * (score['value'] or 0):.2f}"
    if score["low"] is None or score["high"] is None:
        return value
    return f"{value} [{factor * score['low']:.2f}, {factor * score['high']:.2f}]"


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


def _copying(found: dict[str, dict[str, Any]], distance: str) -> list[str]:
    """Z_U and the copy rate of each set."""
    lines = [f"{'copies':17}{'Z_U':>8}{'shapes':>12}{'copy rate':>24}{'expected':>10}   by {distance}"]
    for name, one in found.items():
        rate = one["copy_rate"]
        share = f"{rate['value']:.1%} [{rate['low']:.1%}, {rate['high']:.1%}]"
        shapes = f"{one['samples']}/{one['heldout']}"
        verdict = "copies" if one["copies"] else "none found"
        lines.append(
            f"{name:17}{one['z_u']:>8.2f}{shapes:>12}{share:>24}{one['expected_copy_rate']:>10.1%}   {verdict}"
        )
    return lines


def _duplicates(scores: dict[str, Any]) -> list[str]:
    found = scores["duplicates"]
    lines = [
        f"{found['count']} of {scores['reference']} references are the same as a training shape, within sampling noise"
    ]
    if found["scores"]:
        figures = ", ".join(f"{name} {_cell(found['scores'][key])}" for name, key in METRICS)
        lines.append(f"without them: {figures}")
    return lines


def _validity(validity: dict[str, Any]) -> list[str]:
    genus, volume = validity["median_genus"], validity["median_volume"]
    return [
        f"surface {validity['nonempty']:.1%}, watertight {validity['watertight']:.1%}, consistent sign "
        f"{validity['outward']:.1%}, one body {validity['single_body']:.1%}, all of it {validity['valid']:.1%}",
        f"largest body {validity['largest_share'] or 0:.1%} of the volume, median genus "
        f"{'-' if genus is None else f'{genus:g}'}, median volume {'-' if volume is None else f'{volume:.3f}'}",
    ]
