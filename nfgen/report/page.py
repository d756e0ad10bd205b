"""The page: one HTML file with its head, sections, scripts and styles."""

import platform
import re
from collections.abc import Sequence
from datetime import datetime
from importlib import metadata, resources
from pathlib import Path

from markupsafe import Markup

from nfgen import __version__
from nfgen.io import files
from nfgen.io.ownership import require_own

from .artifacts import Found, find_artifacts
from .markup import render
from .sections import Section, Sections

NAME = "index.html"
GENERATOR = b'<meta name="generator" content="nfgen '
LIBRARIES = ("torch", "numpy", "trimesh", "scikit-image")  # their versions may change results


def write_report(paths: Sequence[str | Path], out: str | Path | None = None) -> Path:
    """Write a web page that shows artifacts: samples, runs, tokens, field sets, shapes, single fields.

    The page is one file. It opens from disk, needs no network, and links only to mesh files beside it.

    Args:
        paths: artifacts in any order. Of another folder, such as that of `nfgen demo`, the artifacts in it are shown.
        out: file to write, or folder to write `index.html` into; by default `index.html` in the first path, or beside
            it if that is a file.

    Returns:
        The file that was written.

    Raises:
        NfgenError: if no path is given.
        ArtifactError: if a path holds no artifact or a damaged one, or if the page cannot be written there.
    """
    found = find_artifacts([Path(path) for path in paths])
    page = _target(Path(paths[0]), None if out is None else Path(out))
    sections = Sections(found, page)
    content = _page(found, sections).encode("utf-8", "replace")
    with files.writable(page, "choose another --out"):
        page.parent.mkdir(parents=True, exist_ok=True)
        files.write_atomically(page, content)
    return page


def _target(first: Path, out: Path | None) -> Path:
    """The file of the page.

    Raises:
        ArtifactError: if the file exists and is not a page.
    """
    if out is None:
        out = first / NAME if first.is_dir() else first.with_suffix(".html")
    elif out.is_dir():
        out = out / NAME
    require_own_page(out)
    return out


def require_own_page(path: Path) -> None:
    """Refuse to replace what is not a page of ours.

    Raises:
        ArtifactError: if something else is there.
    """
    require_own(path, GENERATOR, "page")


def _page(found: Sequence[Found], sections: Sections) -> str:
    assets = resources.files(__package__) / "assets"

    def asset(name: str) -> Markup:
        return Markup((assets / name).read_text(encoding="utf-8").strip())

    parts = list(sections.all())
    return render(
        "page",
        version=__version__,
        title=_title(found),
        summary=_summary(found),
        figures=sections.key_figures(),
        advice=sections.advice(),
        sections=[
            {"name": name, "title": part.title, "content": part.content}
            for part, name in zip(parts, _names(parts), strict=True)
        ],
        style=asset("page.css"),
        models=sections.models.scripts(),
        three=Markup("/*\n{}\n*/\n{}").format(asset("three.LICENSE"), asset("three.min.js")),
        viewer=asset("viewer.js"),
    )


def _names(parts: Sequence[Section]) -> list[str]:
    """A unique anchor for each section."""
    return [f"{i}-{re.sub('[^a-z0-9]+', '-', part.title.lower()).strip('-')}" for i, part in enumerate(parts, start=1)]


def _title(found: Sequence[Found]) -> str:
    """The name of the artifact, or of the folder that holds all of them."""
    parents = {one.path.resolve().parent for one in found}
    if len(found) > 1 and len(parents) == 1:
        return parents.pop().name or "Report"
    return found[0].name


def _summary(found: Sequence[Found]) -> str:
    kinds = ", ".join(dict.fromkeys(one.kind for one in found))
    latest = max(one.written for one in found)
    libraries = "".join(f", {name} {metadata.version(name)}" for name in LIBRARIES)
    return (
        f"A report on {kinds}, the latest of {latest:%d %B %Y, %H:%M}. Written {datetime.now():%d %B %Y, %H:%M} by "
        f"nfgen {__version__} with Python {platform.python_version()}{libraries}."
    )
