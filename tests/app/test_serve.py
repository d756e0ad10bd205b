"""A mistake of who serves the app is one line of problem and one of remedy."""

import importlib.util
import socket
from pathlib import Path

import pytest

from nfgen.app.config import AppConfig

from ..commands import run as command


def test_a_taken_port_and_a_strange_host(run: Path) -> None:
    pytest.importorskip("gradio", reason="the extra app is not installed")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = command("app", run, "--port", taken.getsockname()[1], status=2).stderr
    assert "cannot listen on port" in said
    assert "--port 0" in said
    assert "cannot listen" in command("app", run, "--host", "no.such.host.invalid", "--port", 0, status=2).stderr


def test_what_is_no_run(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("gradio", reason="the extra app is not installed")
    for path in (tmp_path / "missing", run.parent / "fields"):
        lines = command("app", path, "--port", 0, status=2).stderr.strip().splitlines()
        assert len(lines) == 2
        assert lines[0].startswith("nfgen: ")


def test_without_the_extra_the_command_names_it(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr("nfgen.app.server.find_spec", lambda name: None if name == "gradio" else found(name))
    said = command("app", run, status=2).stderr
    assert "needs the package gradio" in said
    assert "nfgen[app]" in said


def test_only_this_machine_is_served_unless_it_is_said() -> None:
    assert AppConfig().host == "127.0.0.1"
