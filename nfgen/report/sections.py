"""The sections of a page and their order: results first, then how they were made."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from markupsafe import Markup

from nfgen.errors import ArtifactError
from nfgen.fields.field_set import FieldSet
from nfgen.io import resuming
from nfgen.pipeline import advice
from nfgen.pipeline.sample_set import read_list

from .artifacts import FIELD, Found, read_object
from .comparison import comparison_section
from .fields import SHOWN, field_section, fields_section, values_of
from .markup import KeyFigure, render
from .mesh_codec import Models
from .provenance import origin_section, shapes_section
from .reconstruction import read_reconstruction, reconstruction_section
from .samples import MOST_SAMPLES, Neighbours, samples_section
from .scores import novelty_section, read_scores, score_figures, scores_section
from .tokens import read_round_trip, round_trip_figures, round_trip_rows, tokens_section
from .training import training_figures, training_section

Made = TypeVar("Made")


@dataclass(frozen=True)
class Section:
    """A section of the page, with its entry in the list of contents."""

    title: str
    content: Markup


class Sections:
    """The sections of a page for some artifacts.

    Args:
        page: the file that will be written; links are relative to it.
    """

    def __init__(self, found: list[Found], page: Path) -> None:
        self.found, self.page = found, page
        self.field_sets = [(one, FieldSet.load(one.path)) for one in self._of("fields")]
        self.scores = [(one, scores) for one in self._of("samples") if (scores := read_scores(one)) is not None]
        self.models = Models(self._expected())

    def _of(self, kind: str) -> list[Found]:
        return [one for one in self.found if one.kind == kind]

    def _expected(self) -> int:
        """Upper bound on the number of models of the page."""
        samples = sum(min(MOST_SAMPLES, len(read_list(one.path))) for one in self._of("samples"))
        neighbours = min(samples, sum(len(fields) for _, fields in self.field_sets))
        return samples + neighbours + (2 * SHOWN + 3) * len(self.field_sets) + len(self._of(FIELD))

    def all(self) -> Iterator[Section]:
        """The sections, in order.

        Raises:
            ArtifactError: if an artifact is damaged.
        """
        neighbours = Neighbours([fields for _, fields in self.field_sets])
        for one in self._of("samples"):
            yield _section(one, "Samples", samples_section, neighbours, self.models, self.page)
        for one, scores in self.scores:
            yield _section(one, "Scores", scores_section, scores)
            yield _section(one, "Novelty", novelty_section, scores.get("novelty"))
        for one in [*self._of("tokens"), *self._of("fields")]:
            if (result := read_reconstruction(one)) is not None:
                yield _section(one, "Reconstruction", reconstruction_section, result)
        for one in self._of("run"):
            yield _section(one, "Training", training_section)
        yield from self._round_trips()
        for one in self._of("tokens"):
            yield _section(one, "Tokens", tokens_section)
        if len(self.field_sets) > 1:
            yield Section("Field sets side by side", comparison_section(self.field_sets, self.models))
        for one, fields in self.field_sets:
            yield _section(one, "Fields", fields_section, fields, self.models)
        for one in self._of(FIELD):
            yield _section(one, "Field", field_section, self.models)
        for one in self._of("shapes"):
            yield _section(one, "Shapes", shapes_section)
        yield Section("How it was made", origin_section(self.found))

    def _round_trips(self) -> Iterator[Section]:
        """The round-trip figures stored with a run, unless the tokens are on the page."""
        for one in [] if self._of("tokens") else self._of("run"):
            if rows := round_trip_rows(read_round_trip(one)):
                yield Section(one.title("Tokens"), render("round_trip", title=one.title("Tokens"), rows=rows))

    def advice(self) -> list[str]:
        """What the figures advise: of the first field set, tokens and scores."""
        lines: list[str] = []
        for one, fields in self.field_sets[:1]:
            if ious := values_of(fields, "iou"):
                lines += _checked(one, advice.of_fields, ious)
        for one in self._of("tokens")[:1]:
            lines += _checked(one, advice.of_tokens, read_round_trip(one), _effort(one))
        for one, scores in self.scores[:1]:
            runs = [run.config for run in self._of("run")[:1]]
            lines += _checked(one, advice.of_scores, scores, _checked(one, advice.settings_of, one.config, *runs))
        return lines

    def key_figures(self) -> list[KeyFigure]:
        """The main figures of the first artifact of each kind."""
        figures: list[KeyFigure] = []
        for _, scores in self.scores[:1]:
            figures += score_figures(scores)
        for one in self._of("run")[:1]:
            figures += training_figures(one)
        for one in (self._of("tokens") or self._of("run"))[:1]:
            figures += round_trip_figures(one)
        for _, fields in self.field_sets[:1]:
            ious = values_of(fields, "iou")
            mean = f"mean IoU {sum(ious) / len(ious):.3f}" if ious else ""
            figures.append(KeyFigure("fields", f"{len(fields):,}", mean))
        return figures


def _section(one: Found, what: str, make: Callable[..., Markup], *arguments: object) -> Section:
    return Section(one.title(what), _checked(one, make, one, *arguments))


def _effort(one: Found) -> dict[str, Any]:
    """The effort of the making that an artifact is a part of, if it is one."""
    plan = read_object(one.path.resolve().parent / resuming.PLAN) or {}
    return {"effort": plan["effort"]} if "effort" in plan else {}


def _checked(one: Found, make: Callable[..., Made], *arguments: object) -> Made:
    try:
        return make(*arguments)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        # Valid JSON that nfgen did not write can fail anywhere.
        raise ArtifactError(f"{one.path} is damaged: {error!r}", "make it again") from error
