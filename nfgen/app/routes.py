"""Addresses beside the page: the viewer, files of samples, the report and the run of a training."""

import io
import zipfile
from importlib import resources
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .boxes import Boxed, read_corners
from .shelf import PICTURE, TYPES, Shelf
from .things import FIELD, MESHES, Drawn
from .trainings import Trainings

ASSETS = {
    "three.min.js": ("nfgen.report", "text/javascript"),
    "viewer.js": ("nfgen.report", "text/javascript"),
    "app.css": ("nfgen.app", "text/css"),
}
"""Files that the page loads, the packages that hold them, and what they are."""
MOST_KEYS = 64
MISSING = Response("there is nothing here", 404)
OF_REPORT = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; sandbox allow-scripts"
)
"""Policy of a report, which needs nothing from anywhere, and may not ask this server for anything."""
DAY = {"cache-control": "private, max-age=86400"}


def routes(shelf: Shelf, trainings: Trainings | None) -> list[Route]:
    """The routes. They are answered by threads: meshes are written when they are asked for."""

    def asset(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in ASSETS:
            return MISSING
        package, media_type = ASSETS[name]
        return Response((resources.files(package) / "assets" / name).read_bytes(), media_type=media_type, headers=DAY)

    def thing(request: Request) -> Response:
        file = shelf.file(request.path_params["key"], request.path_params["name"])
        if file is None:
            return MISSING
        saved = _saved_as(request.path_params["name"]) if file.download else {}
        return Response(file.content, media_type=file.media_type, headers=saved | DAY)

    def boxed(request: Request) -> Response:
        sample, corners = shelf.get(request.path_params["key"]), read_corners(request.path_params["corners"])
        stem, _, suffix = request.path_params["name"].rpartition(".")
        if not isinstance(sample, Drawn) or corners is None or stem not in ("", PICTURE):
            return MISSING
        content = Boxed(sample, corners).content(stem or suffix)
        return MISSING if content is None else Response(content, media_type=TYPES.get(suffix), headers=DAY)

    def archive(request: Request) -> Response:
        keys = request.path_params["keys"].split(",")[:MOST_KEYS]
        return _zip(shelf.archive(keys, (*MESHES, "png", FIELD)), "kept.zip")

    def training(request: Request) -> Response:
        one = None if trainings is None else trainings.get(request.path_params["key"])
        what = request.path_params["what"]
        if one is not None and what == "report" and one.page.is_file():
            # The report says itself what it may load: nothing.
            policy = {"content-security-policy": OF_REPORT}
            return Response(one.page.read_bytes(), media_type="text/html", headers=policy)
        if one is not None and what == "run.zip" and one.run.is_dir():
            return _zip(_packed(one.run), "run.zip")
        return MISSING

    return [
        Route("/viewer/{name}", asset),
        Route("/shelf/{key}/{name}", thing),
        Route("/shelf/{key}/box/{corners}/{name}", boxed),
        Route("/archive/{keys}", archive),
        Route("/training/{key}/{what}", training),
    ]


def _saved_as(name: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{name}"'}


def _zip(content: bytes, name: str) -> Response:
    return Response(content, media_type="application/zip", headers=_saved_as(name))


def _packed(folder: Path) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                archive.write(path, Path(folder.name) / path.relative_to(folder))
    return packed.getvalue()
