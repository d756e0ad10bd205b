"""Which parts of a page the artifacts give, and in which order: what came out first, then how it came about."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nfgen.field_set import FieldSet
from nfgen.samples import read_list

from .artifacts import FIELD, Found
from .fields import SHOWN, comparison_section, field_section, fields_section
from .html import Child, Html, details, facts, figure, number, percent, table, tag
from .models import Models
from .pictures import picture_uri
from .samples import MOST_SAMPLES, Neighbours, samples_section
from .scores import novelty_section, read_scores, scores_section
from .tokens import round_trip_table, tokens_section
from .training import training_section

MOST_SETTINGS = 60  # rows of a table of settings


@dataclass(frozen=True)
class Section:
    """A part of the page and its entry in the list of contents."""

    title: str
    content: Html


class Sections:
    """The parts of a page for some artifacts.

    Args:
        page: the file that will be written; links are relative to it.
    """

    def __init__(self, found: list[Found], page: Path) -> None:
        self.found, self.page = found, page
        self.field_sets = [(one, FieldSet.load(one.path)) for one in self._of("fields")]
        self.scores = {one.path: read_scores(one) for one in self._of("samples")}
        self.models = Models(self._expected())

    def _of(self, kind: str) -> list[Found]:
        return [one for one in self.found if one.kind == kind]

    def _expected(self) -> int:
        """Most models that the page can hold."""
        samples = sum(min(MOST_SAMPLES, len(read_list(one.path))) for one in self._of("samples"))
        neighbours = min(samples, sum(len(fields) for _, fields in self.field_sets))
        return samples + neighbours + 2 * SHOWN * len(self.field_sets) + len(self._of(FIELD))

    def all(self) -> Iterator[Section]:
        """The parts, in their order."""
        neighbours = Neighbours([fields for _, fields in self.field_sets])
        for one in self._of("samples"):
            yield Section(one.title("Samples"), samples_section(one, neighbours, self.models, self.page))
        for one in self._of("samples"):
            scores = self.scores[one.path]
            if scores is not None:
                yield Section(one.title("Scores"), scores_section(one, scores))
                yield Section(one.title("Novelty"), novelty_section(one, scores.get("novelty")))
        for one in self._of("run"):
            yield Section(one.title("Training"), training_section(one))
        yield from self._round_trips()
        for one in self._of("tokens"):
            yield Section(one.title("Tokens"), tokens_section(one))
        if len(self.field_sets) > 1:
            yield Section("Field sets side by side", comparison_section(self.field_sets))
        for one, fields in self.field_sets:
            yield Section(one.title("Fields"), fields_section(one, fields, self.models))
        for one in self._of(FIELD):
            yield Section(one.title("Field"), field_section(one, self.models))
        for one in self._of("shapes"):
            yield Section(one.title("Shapes"), _shapes_section(one))
        yield Section("How it was made", _origin_section(self.found))

    def _round_trips(self) -> Iterator[Section]:
        """The tokens' figures that a run keeps, unless the tokens themselves are on the page."""
        if self._of("tokens"):
            return
        for one in self._of("run"):
            figures = round_trip_table(one.config.get("report") or {})
            if figures is not None:
                title = one.title("Tokens")
                yield Section(title, tag("section", tag("h2", title), figures))

    def key_figures(self) -> Html | None:
        """The few figures that say most; None if there are none."""
        pairs = [pair for one in self._of("samples") for pair in _score_figures(self.scores[one.path])][:3]
        for one in self._of("run")[:1]:
            pairs.append(("bits a held-out field", number((one.config.get("result") or {}).get("bits_per_field"), 4)))
        for one in (self._of("tokens") or self._of("run"))[:1]:
            pairs += _round_trip_figures(one)
        for _, fields in self.field_sets[:1]:
            ious = [entry["iou"] for entry in fields.report if "iou" in entry]
            pairs.append(("fields",
                          [f"{len(fields):,}", tag("small", f"mean IoU {sum(ious) / len(ious):.3f}") if ious else None]))
        kept = [(name, value) for name, value in pairs if value not in ("–", None)]
        return tag("dl", [tag("div", tag("dt", name), tag("dd", value)) for name, value in kept],
                   class_="key-figures") if kept else None


def _score_figures(scores: dict[str, Any] | None) -> Iterator[tuple[str, Child]]:
    for name, key, factor, unit in (("1-NNA, best at 50 %", "1_nna", 100, " %"), ("COV, more is better", "cov", 100, " %"),
                                    ("MMD × 100, less is better", "mmd", 100, "")):
        score = (scores or {}).get(key)
        if isinstance(score, dict):
            low, high = factor * score["low"], factor * score["high"]
            digits = 1 if unit else 2
            yield name, [f"{factor * score['value']:.{digits}f}{unit}", tag("small", f"{low:.{digits}f} to {high:.{digits}f}")]


def _round_trip_figures(found: Found) -> Iterator[tuple[str, Child]]:
    from nfgen import artifact

    report = artifact.read_json(found.path / "report.json") if found.kind == "tokens" else found.config.get("report")
    after = (report or {}).get("iou_after") or {}
    if after.get("heldout") is not None:
        before = (report["iou_before"] or {}).get("heldout")
        yield "IoU after tokens, held out", [f"{after['heldout']:.3f}", tag("small", f"{number(before)} before")]


def _shapes_section(found: Found) -> Html:
    sheet = found.path / "contact_sheet.png"
    kind, count = str(found.config.get("kind", "shape")), found.config.get("n")
    return tag(
        "section",
        tag("h2", found.title("Shapes")),
        facts([("kind", kind), ("shapes", number(count)), ("seed", number(found.config.get("seed")))]),
        figure(tag("img", src=picture_uri(sheet, 1000), alt=f"Shapes of {found.name}, row by row", loading="lazy",
                   class_="paper sheet"), f"The first shapes of {found.name}")
        if sheet.is_file() else None,
    )


def _origin_section(found: list[Found]) -> Html:
    rows: list[list[Child]] = [
        [tag("code", str(one.path)), one.kind, f"{one.written:%Y-%m-%d %H:%M}", str(one.config.get("nfgen", "–"))]
        for one in found
    ]
    return tag(
        "section",
        tag("h2", "How it was made"),
        table(["path", "holds", "written", "by nfgen"], rows, "Artifacts of this page"),
        [_settings(one) for one in found],
    )


def _settings(found: Found) -> Child:
    pairs = list(_flat(found.settings))
    command = found.config.get("command")
    if not pairs and not command:
        return None
    rows: list[list[Child]] = [[tag("code", key), value] for key, value in pairs[:MOST_SETTINGS]]
    return [
        tag("pre", tag("code", str(command)), tabindex=0) if command else None,
        details(f"Settings of {found.name}", table(["setting", "value"], rows, f"Settings of {found.name}")) if rows else None,
    ]


def _flat(settings: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Settings within settings as `outer.inner`."""
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield f"{prefix}{key}", text if len(text) < 200 else f"{text[:199]}…"
