"""Provenance: shapes, settings, versions, dates, command lines."""

from collections.abc import Iterator, Sequence
from typing import Any

from markupsafe import Markup

from nfgen.viz.html import number

from .artifacts import Found, read_object
from .data_uris import picture_uri
from .markup import render

MOST_SETTINGS = 80  # rows of a table of settings
LONGEST = 200  # characters of a value
EVALUATIONS = ("evaluation.json", "reconstruction.json")  # files that `nfgen evaluate` writes


def shapes_section(found: Found) -> Markup:
    """A picture of shapes that were made by a built-in family."""
    sheet = found.path / "contact_sheet.png"
    return render(
        "shapes",
        title=found.title("Shapes"),
        name=found.name,
        figures=[
            ("kind", str(found.config.get("kind", "–"))),
            ("shapes", number(found.settings.get("n"))),
            ("seed", number(found.settings.get("seed"))),
        ],
        sheet=picture_uri(sheet, 1200) if sheet.is_file() else None,
    )


def origin_section(found: Sequence[Found]) -> Markup:
    """Path, date, version, settings and command line of each artifact."""
    artifacts = [
        (
            Markup("<code>{}</code>").format(one.path),
            one.kind,
            Markup("<time>{}</time>").format(f"{one.written:%Y-%m-%d %H:%M}"),
            str(one.config.get("nfgen", "–")),
        )
        for one in found
    ]
    commands = [command for _, command in sorted(line for one in found for line in _lines(one))]
    settings = [(f"Settings of {one.name}", rows) for one in found if (rows := _settings(one))]
    return render("origin", artifacts=artifacts, commands=commands, settings=settings)


def _lines(found: Found) -> Iterator[tuple[float, str]]:
    """Time and command line that made the artifact, and of its evaluations."""
    if found.config.get("command"):
        yield found.written.timestamp(), str(found.config["command"])
    for name in EVALUATIONS if found.path.is_dir() else ():
        path = found.path / name
        if (evaluated := read_object(path)) and evaluated.get("command"):
            yield path.stat().st_mtime, str(evaluated["command"])


def _settings(found: Found) -> list[tuple[Markup, str]]:
    pairs = list(_flat(found.settings))[:MOST_SETTINGS]
    return [(Markup("<code>{}</code>").format(key), value) for key, value in pairs]


def _flat(settings: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings, named `outer.inner`."""
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield f"{prefix}{key}", text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
