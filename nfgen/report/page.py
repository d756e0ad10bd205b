"""The page: its head, its parts, its scripts, in one file that needs nothing else."""

import platform
import re
import string
from collections.abc import Sequence
from datetime import datetime
from importlib import metadata, resources
from pathlib import Path

from nfgen import __version__
from nfgen.errors import ArtifactError
from nfgen.io import files
from nfgen.viz.html import Html, tag

from .artifacts import Found, find_artifacts
from .sections import Section, Sections

NAME = "index.html"
GENERATOR = b'<meta name="generator" content="nfgen '
HEAD = 1000  # bytes of a page that hold it
LIBRARIES = ("torch", "numpy", "trimesh", "scikit-image")  # whose versions may change results


def write_report(paths: Sequence[str | Path], out: str | Path | None = None) -> Path:
    """Write a web page that shows artifacts: samples, runs, tokens, field sets, shapes, single fields.

    The page is one file: it opens from disk, asks no network, and links only to mesh files that lie beside it.

    Args:
        paths: artifacts in any order; a folder that is none gives the artifacts within it, as that of `nfgen demo`.
        out: file to write, or folder to write `index.html` into; by default `index.html` in the first path, beside
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
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        files.write_atomically(page, content)
    except OSError as error:
        raise ArtifactError(f"cannot write {page}: {error.strerror or error}", "choose another --out") from error
    return page


def _target(first: Path, out: Path | None) -> Path:
    """Where the page goes.

    Raises:
        ArtifactError: if a file that is no page is there.
    """
    if out is None:
        out = first / NAME if first.is_dir() else first.with_suffix(".html")
    elif out.is_dir():
        out = out / NAME
    require_own_page(out)
    return out


def require_own_page(path: Path) -> None:
    """Refuse to replace what is not a page of ours: a slip of the keyboard must not cost somebody a file.

    Raises:
        ArtifactError: if something else is there.
    """
    if not path.exists():
        return
    head = b""
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(HEAD)
    if GENERATOR not in head:
        raise ArtifactError(f"{path} is there already and no page of nfgen", "choose another --out")


def _page(found: Sequence[Found], sections: Sections) -> str:
    assets = resources.files(__package__) / "assets"

    def asset(name: str) -> str:
        return (assets / name).read_text(encoding="utf-8").strip()

    parts = list(sections.all())
    names = _names(parts)
    title = _title(found)
    contents = [tag("li", tag("a", part.title, href=f"#{name}")) for part, name in zip(parts, names, strict=True)]
    header = [
        tag("h1", title),
        tag("p", _summary(found), class_="lead"),
        sections.key_figures(),
        tag("nav", tag("ul", contents), aria_label="Contents"),
    ]
    body = [tag("div", part.content, id=name) for part, name in zip(parts, names, strict=True)]
    return string.Template(asset("page.html")).substitute(
        version=__version__,
        title=tag("title", title)[len("<title>") : -len("</title>")],
        style=asset("page.css"),
        header=tag("div", header),
        body="\n".join(body),
        footer=tag("p", f"Made by nfgen {__version__}. The models are drawn by three.js, © its authors, MIT licence."),
        models=sections.models.scripts(),
        three=f"/*\n{asset('three.LICENSE')}\n*/\n{asset('three.min.js')}",
        viewer=asset("viewer.js"),
    )


def _names(parts: Sequence[Section]) -> list[str]:
    """An address for each part, unlike all others."""
    return [f"{i}-{re.sub('[^a-z0-9]+', '-', part.title.lower()).strip('-')}" for i, part in enumerate(parts, start=1)]


def _title(found: Sequence[Found]) -> str:
    """The name that the artifacts have in common: that of their folder, if they are several."""
    parents = {one.path.resolve().parent for one in found}
    if len(found) > 1 and len(parents) == 1:
        return parents.pop().name or "Report"
    return found[0].name


def _summary(found: Sequence[Found]) -> Html:
    kinds = ", ".join(dict.fromkeys(one.kind for one in found))
    latest = max(one.written for one in found)
    libraries = "".join(f", {name} {metadata.version(name)}" for name in LIBRARIES)
    return tag(
        "span",
        f"A report on {kinds}, the latest of {latest:%d %B %Y, %H:%M}. Written {datetime.now():%d %B %Y, %H:%M} by "
        f"nfgen {__version__} with Python {platform.python_version()}{libraries}.",
    )
