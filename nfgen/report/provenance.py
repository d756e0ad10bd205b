"""Where it all comes from: shapes, settings, versions, dates."""

from collections.abc import Iterator, Sequence
from typing import Any

from nfgen.io import files
from nfgen.viz.html import Child, Html, details, facts, figure, number, table, tag

from .artifacts import Found
from .data_uris import picture_uri

MOST_SETTINGS = 80  # rows of a table of settings
LONGEST = 200  # letters of a value
JUDGED = ("evaluation.json", "reconstruction.json")  # what `nfgen evaluate` leaves in an artifact


def shapes_section(found: Found) -> Html:
    """A picture of shapes that were made by a built-in family."""
    sheet = found.path / "contact_sheet.png"
    picture = None
    if sheet.is_file():
        alt = f"Shapes of {found.name}, row by row"
        image = tag("img", src=picture_uri(sheet, 1200), alt=alt, loading="lazy", class_="paper sheet")
        picture = figure(image, f"The first shapes of {found.name}")
    return tag(
        "section",
        tag("h2", found.title("Shapes")),
        facts(
            [
                ("kind", str(found.config.get("kind", "–"))),
                ("shapes", number(found.config.get("n"))),
                ("seed", number(found.config.get("seed"))),
            ]
        ),
        picture,
    )


def origin_section(found: Sequence[Found]) -> Html:
    """Of each artifact its place, its date, the version and the settings that made it."""
    rows: list[list[Child]] = [
        [
            tag("code", str(one.path)),
            one.kind,
            tag("time", f"{one.written:%Y-%m-%d %H:%M}"),
            str(one.config.get("nfgen", "–")),
        ]
        for one in found
    ]
    return tag(
        "section",
        tag("h2", "How it was made"),
        table(["path", "holds", "written", "by nfgen"], rows, "Artifacts of this page"),
        _commands(found),
        [_settings(one) for one in found],
    )


def _commands(found: Sequence[Found]) -> Child:
    """The command lines, in the order in which they ended."""
    commands = [command for _, command in sorted(line for one in found for line in _lines(one))]
    if not commands:
        return None
    return [tag("h3", "Command lines"), tag("pre", tag("code", "\n".join(commands)), tabindex=0)]


def _lines(found: Found) -> Iterator[tuple[float, str]]:
    """When and by which command the artifact was made, and judged."""
    if found.config.get("command"):
        yield found.written.timestamp(), str(found.config["command"])
    for name in JUDGED if found.path.is_dir() else ():
        path = found.path / name
        judged = files.read_json(path) if path.is_file() else None
        if isinstance(judged, dict) and judged.get("command"):
            yield path.stat().st_mtime, str(judged["command"])


def _settings(found: Found) -> Html | None:
    pairs = list(_flat(found.settings))[:MOST_SETTINGS]
    rows: list[list[Child]] = [[tag("code", key), value] for key, value in pairs]
    title = f"Settings of {found.name}"
    return details(title, table(["setting", "value"], rows, title)) if rows else None


def _flat(settings: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Settings within settings as `outer.inner`."""
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield f"{prefix}{key}", text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
