"""A Hugging Face Hub for one repository, on loopback: what its client library asks for in uploads and downloads.

Small files arrive inside the commit, safetensors by Git LFS, as on the real one.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class StubHub(ThreadingHTTPServer):
    """The server; `files` are those of the repository `repo` once it was made."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repo: str | None = None
        self.private = False
        self.kind = "models"
        self.files: dict[str, bytes] = {}
        self.objects: dict[str, bytes] = {}
        self.address = f"http://127.0.0.1:{self.server_port}"


@contextmanager
def running() -> Iterator[StubHub]:
    """A stub that answers until the end of the body."""
    with StubHub() as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    server: StubHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *words: Any) -> None:
        pass

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, value: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for key, text in (headers or {}).items():
            self.send_header(key, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _missing(self) -> None:
        self._answer({"error": "not found"}, 404, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "not found"})

    def do_POST(self) -> None:
        path, body, hub = urlsplit(self.path).path, self._body(), self.server
        if path == "/api/repos/create":
            asked = json.loads(body)
            owner, name = asked.get("organization"), asked["name"]
            if owner == "stranger":
                return self._answer({"error": "You don't have the rights"}, 403)
            hub.repo = f"{owner}/{name}" if owner else name
            hub.kind = f"{asked.get('type') or 'model'}s"
            # The library said "private": true until it learned a third visibility.
            hub.private = asked.get("private") is True or asked.get("visibility") == "private"
            return self._answer({"url": f"{hub.address}/{hub.repo}", "name": hub.repo, "id": "1"})
        if path.startswith(f"/api/{hub.kind}/{hub.repo}/preupload/"):
            modes = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
                    "shouldIgnore": False,
                    "oid": None,
                }
                for file in json.loads(body)["files"]
            ]
            return self._answer({"files": modes})
        if path.removeprefix("/spaces") == f"/{hub.repo}.git/info/lfs/objects/batch":
            objects = [
                o | {"actions": {"upload": {"href": f"{hub.address}/lfs/{o['oid']}"}}}
                for o in json.loads(body)["objects"]
            ]
            return self._answer({"transfer": "basic", "objects": objects})
        if path.startswith(f"/api/{hub.kind}/{hub.repo}/commit/"):
            for line in map(json.loads, body.splitlines()):
                value = line["value"]
                if line["key"] == "file":
                    hub.files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    hub.files[value["path"]] = hub.objects[value["oid"]]
            url = f"{hub.address}/{hub.repo}/commit/{COMMIT}"
            return self._answer({"success": True, "commitOid": COMMIT, "commitUrl": url, "hookOutput": ""})
        if path == "/api/validate-yaml":
            return self._answer({"errors": [], "warnings": []})
        return self._missing()

    def do_PUT(self) -> None:
        content, oid = self._body(), self.path.rpartition("/")[2]
        assert hashlib.sha256(content).hexdigest() == oid
        self.server.objects[oid] = content
        self._answer(b"", headers={"ETag": oid})

    def do_GET(self) -> None:
        path, hub = unquote(urlsplit(self.path).path), self.server
        about = {
            "_id": "1",
            "id": hub.repo,
            "sha": COMMIT,
            "private": hub.private,
            "siblings": [{"rfilename": name} for name in hub.files],
            "tags": [],
            "downloads": 0,
            "likes": 0,
        }
        one = f"/api/models/{hub.repo}"
        if path in (one, f"{one}/revision/main", f"{one}/revision/{COMMIT}"):
            return self._answer(about)
        if path.startswith(f"/api/models/{hub.repo}/revision/"):
            return self._answer({"error": "no revision"}, 404, {"X-Error-Code": "RevisionNotFound"})
        if path.startswith(f"/api/models/{hub.repo}/tree/"):
            tree = [
                {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for name, content in hub.files.items()
            ]
            return self._answer(tree)
        start = f"/{hub.repo}/resolve/"
        if path.startswith(start):
            name = path[len(start) :].partition("/")[2]
            if name not in hub.files:
                return self._answer({"error": "no file"}, 404, {"X-Error-Code": "EntryNotFound"})
            content = hub.files[name]
            return self._answer(
                content, headers={"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
            )
        return self._missing()

    do_HEAD = do_GET
