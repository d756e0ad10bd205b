"""What the page shows and offers to download, in memory, each under a key that nobody can guess."""

import io
import secrets
import zipfile
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import NamedTuple, Protocol

MOST = 192  # things; some 2 MB each
MODEL, PICTURE = "model", "picture"
"""What the page draws of a thing, and the picture that stands in without WebGL."""
TYPES = {"png": "image/png", "glb": "model/gltf-binary", "stl": "model/stl", "obj": "model/obj", "model": "text/plain"}


class File(NamedTuple):
    """What is answered to a request."""

    content: bytes
    media_type: str
    download: bool
    """The browser saves it, and does not show it."""


class Thing(Protocol):
    """Something on the shelf."""

    @property
    def name(self) -> str:
        """Of its files, without the suffix."""

    def content(self, kind: str) -> bytes | None:
        """A file by its suffix, or `MODEL` or `PICTURE`; None if there is none."""


class Shelf:
    """Things by their keys; the least recently used goes first."""

    def __init__(self) -> None:
        self._things = OrderedDict[str, Thing]()
        self._lock = Lock()

    def put(self, thing: Thing) -> str:
        """Keep a thing; returns its key."""
        key = secrets.token_urlsafe(16)
        with self._lock:
            self._things[key] = thing
            if len(self._things) > MOST:
                self._things.popitem(last=False)
        return key

    def get(self, key: str) -> Thing | None:
        """The thing of a key, if it is still there."""
        with self._lock:
            if key in self._things:
                self._things.move_to_end(key)
            return self._things.get(key)

    def file(self, key: str, name: str) -> File | None:
        """A file of a thing: `.model` and `picture.png` for the page, all others to save."""
        thing = self.get(key)
        stem, _, suffix = name.rpartition(".")
        if thing is None or stem not in ("", PICTURE, thing.name):
            return None
        content = thing.content(stem if stem == PICTURE else suffix)
        media_type = TYPES.get(suffix, "application/octet-stream")
        return None if content is None else File(content, media_type, download=stem == thing.name)

    def archive(self, keys: Sequence[str], suffixes: Sequence[str]) -> bytes:
        """A zip file of some things' files; those that are gone are left out."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for number, key in enumerate(keys, start=1):
                thing = self.get(key)
                for suffix in suffixes:
                    content = None if thing is None else thing.content(suffix)
                    if thing is not None and content is not None:
                        archive.writestr(f"{number:02d}-{thing.name}.{suffix}", content)
        return packed.getvalue()
