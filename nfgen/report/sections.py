"""Which parts of a page the artifacts give, and in which order: what came out first, then how it came about."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nfgen.errors import ArtifactError
from nfgen.fields.field_set import FieldSet
from nfgen.pipeline.sample_set import read_list
from nfgen.viz.html import Html, tag

from .artifacts import FIELD, Found
from .comparison import comparison_section
from .fields import SHOWN, field_section, fields_section
from .mesh_codec import Models
from .provenance import origin_section, shapes_section
from .reconstruction import read_reconstruction, reconstruction_section
from .samples import MOST_SAMPLES, Neighbours, samples_section
from .scores import novelty_section, read_scores, score_figures, scores_section
from .tokens import read_round_trip, round_trip_figures, round_trip_table, tokens_section
from .training import training_figures, training_section


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
        self.scores = [(one, scores) for one in self._of("samples") if (scores := read_scores(one)) is not None]
        self.models = Models(self._expected())

    def _of(self, kind: str) -> list[Found]:
        return [one for one in self.found if one.kind == kind]

    def _expected(self) -> int:
        """Most models that the page can hold."""
        samples = sum(min(MOST_SAMPLES, len(read_list(one.path))) for one in self._of("samples"))
        neighbours = min(samples, sum(len(fields) for _, fields in self.field_sets))
        return samples + neighbours + (2 * SHOWN + 3) * len(self.field_sets) + len(self._of(FIELD))

    def all(self) -> Iterator[Section]:
        """The parts, in their order.

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
        """The tokens' figures that a run keeps, unless the tokens themselves are on the page."""
        for one in [] if self._of("tokens") else self._of("run"):
            figures = round_trip_table(read_round_trip(one))
            if figures is not None:
                yield Section(one.title("Tokens"), tag("section", tag("h2", one.title("Tokens")), figures))

    def key_figures(self) -> Html | None:
        """The few figures that say most, of the first artifact of each kind; None if there are none."""
        figures = []
        for _, scores in self.scores[:1]:
            figures += list(score_figures(scores))
        for one in self._of("run")[:1]:
            figures += list(training_figures(one))
        for one in (self._of("tokens") or self._of("run"))[:1]:
            figures += list(round_trip_figures(one))
        for _, fields in self.field_sets[:1]:
            ious = [float(entry["iou"]) for entry in fields.report if isinstance(entry.get("iou"), int | float)]
            mean = tag("small", f"mean IoU {sum(ious) / len(ious):.3f}") if ious else None
            figures.append(("fields", [f"{len(fields):,}", mean]))
        if not figures:
            return None
        return tag(
            "dl", [tag("div", tag("dt", name), tag("dd", value)) for name, value in figures], class_="key-figures"
        )


def _section(one: Found, what: str, make: Callable[..., Html], *arguments: object) -> Section:
    try:
        return Section(one.title(what), make(one, *arguments))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        # JSON that parses but is not what nfgen writes fails anywhere.
        raise ArtifactError(f"{one.path} is damaged: {error!r}", "make it again") from error
