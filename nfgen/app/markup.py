"""The page's HTML: cards of samples, lines for the user, the state of a training."""

import shlex
import time
from collections.abc import Sequence

from markupsafe import Markup

from nfgen.viz import html

from .things import MESHES, Drawn
from .trainings import STEPS, Training

WORDS = ("fit fields", "learn tokens", "train the model", "draw samples", "compare", "write the report")
"""What the steps of a training are called on the page."""
SHOWN = 12  # last lines of a training


def card(key: str, sample: Drawn) -> Markup:
    """A sample to turn, its nearest training shape, its files and its seed."""
    title = f"Sample {sample.number}" + (f", {sample.label}" if sample.label else "")
    return _render("card", key=key, sample=sample, title=title)


def kept(samples: Sequence[tuple[int, str, Drawn]]) -> Markup:
    """The samples that a user keeps with their numbers, small, and all their files in one."""
    return _render("kept", samples=samples, formats=[*MESHES, "safetensors"])


def chosen(shapes: Sequence[tuple[str, str, Drawn, str]]) -> Markup:
    """The shapes of an edit: of each the words below it, its key, itself, and the corners of the box around it."""
    return _render("chosen", shapes=shapes)


def command(lines: Sequence[str]) -> Markup:
    """The commands that make what is shown, to copy."""
    return _render("command", lines=lines)


def line(text: str, kind: str = "note") -> Markup:
    """A line that screen readers say; `kind` is note, or problem."""
    return _render("line", text=text, kind=kind)


def checked(lines: Sequence[str], sheet: str | None) -> Markup:
    """What `nfgen check` says, and the key of its pictures."""
    return _render("checked", lines=lines, sheet=sheet)


def training(one: Training, before: int) -> Markup:
    """How far a training is, or how it ended.

    Args:
        before: how many it waits for.
    """
    seconds = one.seconds if one.ended else time.monotonic() - one.started
    return _render(
        "training",
        one=one,
        before=before,
        steps=list(zip(STEPS, WORDS, strict=True)),
        minutes=f"{seconds / 60:.1f}",
        command=shlex.join(one.command),
        lines=list(one.lines)[-SHOWN:],
        has_run=one.run.is_dir(),
        has_page=one.page.is_file(),
    )


def _render(template: str, **values: object) -> Markup:
    return html.render(f"{template}.html", __package__, **values)
