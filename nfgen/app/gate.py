"""What of the server can be reached: the page and its questions, no file of the machine, no upload without end."""

import contextlib
import json
import re
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

from nfgen.io import files

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN = re.compile(
    r"/|/(config|theme\.css|favicon\.ico|robots\.txt|manifest\.json)/?"
    r"|/(assets|static|svelte|viewer|shelf|archive|training)/.+"
    r"|/gradio_api/(info|startup-events|upload|upload_progress|cancel|reset|app_id|run/predict|queue/(join|data|status))/?"
    r"|/gradio_api/heartbeat/[^/]+"
)
"""Paths that the page needs. Gradio has others: files by their path, a proxy, editors, profiles; they stay closed."""
UPLOAD = "/gradio_api/upload"
QUESTIONS = ("/gradio_api/queue/join", "/gradio_api/run/predict")
QUESTION_BYTES = 1 << 20
"""What is set on the page is a few hundred bytes, and a name for each uploaded file."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
FULL = 20  # uploads of the largest size that may lie on the disk at once
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'"
)
"""The browser loads nothing from elsewhere, whatever a library asks for."""
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


class Gate:
    """Lets through what the page needs.

    Args:
        app: what answers behind it.
        host: that the server listens on; on loopback, names of other hosts are refused, so that no web page of
            somebody else's can reach it by a name that it has made point here, and so is what such a page sends.
        upload_bytes: of one request.
        uploads: folder of what was uploaded.
    """

    def __init__(self, app: App, host: str, upload_bytes: int, uploads: Path) -> None:
        self._app, self._host, self._bytes, self._uploads = app, host, upload_bytes, uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # the page uses no other protocol
        refusal = self._refusal(scope)
        if refusal is None and scope["method"] == "POST" and str(scope["path"]).rstrip("/") in QUESTIONS:
            body = await _body(receive, QUESTION_BYTES)
            refusal = self._refusal_of_question(body)
            receive = _again(body or b"", receive)
        if refusal is not None:
            await _answer(send, *refusal)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                named = {name.lower() for name, _ in headers}
                more = [(name.encode(), text.encode()) for name, text in HEADERS.items() if name.encode() not in named]
                message = {**message, "headers": [*headers, *more]}
            await send(message)

        await self._app(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Status and words for a request that is not let through."""
        headers = {name.lower(): text.decode("latin-1") for name, text in scope["headers"]}
        path = str(scope["path"])
        host = headers.get(b"host", "").rpartition(":")[0] or headers.get(b"host", "")
        if self._host in LOOPBACK and host.strip("[]").lower() not in LOOPBACK:
            return 403, "this page is for its own machine"
        if self._host in LOOPBACK and scope["method"] == "POST" and not _is_own(headers):
            return 403, "this was sent by another page"
        if not OPEN.fullmatch(path) or ".." in path or "\0" in path:
            return 404, "there is nothing here"
        if scope["method"] == "POST" and path.rstrip("/") == UPLOAD:
            length = headers.get(b"content-length", "")
            if not length.isdigit():
                return 411, "say how long the upload is"
            if int(length) > self._bytes:
                return 413, f"the upload is larger than {self._bytes >> 20} MB"
            if _size(self._uploads) + int(length) > FULL * self._bytes:
                return 507, "there is no room for more uploads; try again later"
        return None

    def _refusal_of_question(self, body: bytes | None) -> tuple[int, str] | None:
        """Whether a question names a file that was not uploaded: Gradio takes any of its working folder for one."""
        if body is None:
            return 413, "the question is too long"
        try:
            within = all(self._is_uploaded(path) for path in _paths(files.parse_json(body)))
        except ValueError:
            return 400, "the question is no JSON"
        return None if within else (403, "this file was not uploaded")

    def _is_uploaded(self, path: object) -> bool:
        try:
            return isinstance(path, str) and self._uploads.resolve() in Path(path).resolve().parents
        except (OSError, ValueError, RuntimeError):
            return False


def _is_own(headers: dict[bytes, str]) -> bool:
    """Whether the page itself asks; browsers say which page does, other programs need not."""
    origin = headers.get(b"origin")
    return origin is None or origin.partition("://")[2] == headers.get(b"host")


def _paths(value: Any) -> Iterator[Any]:
    """Everything in JSON that could name a file."""
    if isinstance(value, dict):
        yield from (inner for key, inner in value.items() if key == "path" and inner is not None)
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _paths(inner)


async def _body(receive: Receive, most: int) -> bytes | None:
    """The body of a request; None if it is longer."""
    parts, size = [], 0
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """What receives a body that was read already, and then what comes after it."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


def _size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    size = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # another request may have removed it
            size += path.stat().st_size
    return size


async def _answer(send: Send, status: int, text: str) -> None:
    content = json.dumps({"error": text}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
