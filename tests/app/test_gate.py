"""No file of the machine can be fetched from the app, by whatever request; uploads are limited."""

import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from .conftest import MEGABYTES

SECRET = "the secret of this machine"


def ask(address: str, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, str]:
    """Status and text of a request, whose path is sent as it is."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): text for name, text in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    finally:
        connection.close()


@pytest.fixture(scope="module")
def config(address: str) -> dict[str, Any]:
    return json.loads(ask(address, "/config")[1])


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text(SECRET)
    return tmp_path / "secret.txt"


@pytest.mark.parametrize(
    "start",
    [
        "/gradio_api/file=", "/file=", "/gradio_api/file/", "/gradio_api/proxy=file://", "/static/..", "/assets/../..",
        "/static/", "/assets/", "/assets/%2e%2e/%2e%2e", "/svelte/../../../..", "/shelf/../..", "/viewer/..",
        "/viewer/", "/viewer/%2e%2e%2f", "/training/..", "/archive/", "/gradio_api/stream/", "/gradio_api/vibe-code",
        "/gradio_api/custom_component/1/server/component/", "//",
    ],
)  # fmt: skip
def test_no_path_reaches_a_file(start: str, address: str, run: Path, secret: Path) -> None:
    for path in (secret, run / "config.json", Path("/etc/passwd")):
        status, text = ask(address, f"{start}{path}")
        assert SECRET not in text
        assert "train_ids" not in text
        assert "root:" not in text
        assert status != 200 or "PK" in text[:2], f"{start}{path}"


def test_a_forged_upload_is_not_read(address: str, secret: Path) -> None:
    """The browser names its uploads by the paths that the server gave; another path is not one of them."""
    for path in (str(secret), "/etc/passwd", "README.md", "http://127.0.0.1:9/box.stl", 7):
        for name in ("queue/join", "run/predict"):
            forged = {"path": path, "orig_name": "box.stl", "meta": {"_type": "gradio.FileData"}}
            body = json.dumps({"data": [[[forged]], None], "fn_index": 0, "session_hash": "forged"}).encode()
            assert ask(address, f"/gradio_api/{name}", "POST", body, content_type="application/json")[0] == 403
    assert ask(address, "/gradio_api/queue/join", "POST", b"{", content_type="application/json")[0] == 400
    assert ask(address, "/gradio_api/queue/join", "POST", bytes(2 << 20), content_type="application/json")[0] == 413


def test_the_page_names_no_folder_of_the_machine(address: str, config: dict[str, Any], run: Path) -> None:
    for text in (json.dumps(config), ask(address, "/")[1]):
        assert str(run) not in text
        assert str(Path(__file__).parent) not in text
        assert "nfgen-app-" not in text


def test_the_page_asks_for_nothing_from_elsewhere(address: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    connection.request("GET", "/")
    answer = connection.getresponse()
    assert answer.getheader("content-security-policy", "").startswith("default-src 'self'")
    assert answer.getheader("x-content-type-options") == "nosniff"
    connection.close()
    assert "fonts.g" not in ask(address, "/theme.css")[1]


def test_names_of_other_hosts_are_refused(address: str) -> None:
    assert ask(address, "/", host="evil.example:80")[0] == 403
    assert ask(address, "/", host=f"localhost:{urlsplit(address).port}")[0] == 200


def test_other_pages_send_nothing(address: str) -> None:
    kind = {"content_type": "text/plain", "host": urlsplit(address).netloc}
    for origin in ("http://evil.example", "null", "http://localhost:1"):
        for path in ("upload", "queue/join", "run/predict"):
            assert ask(address, f"/gradio_api/{path}", "POST", b"{}", origin=origin, **kind)[0] == 403
    own = address.rstrip("/")
    assert ask(address, "/gradio_api/queue/join", "POST", b"{", origin=own, **kind)[0] == 400


def test_uploads_are_limited(address: str) -> None:
    kind = {"content_type": "multipart/form-data; boundary=x"}
    assert ask(address, "/gradio_api/upload", "POST", bytes(MEGABYTES + 1 << 20), **kind)[0] == 413
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    connection.request("POST", "/gradio_api/upload", iter([b"part"]), {"Content-Type": kind["content_type"]})
    assert connection.getresponse().status == 411
    connection.close()
