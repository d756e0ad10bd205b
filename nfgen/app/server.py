"""Serves the app until it is stopped."""

import asyncio
import contextlib
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nfgen.errors import ConfigError
from nfgen.io import files

from .config import AppConfig

START_SECONDS = 60.0
Say = Callable[[str], None]
"""Called with each line of text for the user."""


def serve(
    runs: Sequence[str | Path],
    config: AppConfig | None = None,
    *,
    out: str | Path | None = None,
    say: Say = print,
    **settings: Any,
) -> None:
    """Serve the app until Ctrl-C.

    Args:
        runs: folders of runs, or their addresses as `hf://owner/name`.
        config: where, and how much its users may ask for; `settings` are single ones of it, such as `port=8000`.
        out: folder in which trainings on uploaded shapes stay; none = they go when the app ends.

    Raises:
        ConfigError: if the extra `app` is missing, or the port is taken.
        ArtifactError: if a run is none, or damaged.
    """
    with _server(runs, AppConfig.given(config, settings), out) as (server, listening, address):
        say(f"open {address} (Ctrl-C ends it)")
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listening])


@contextlib.contextmanager
def serving(runs: Sequence[str | Path], config: AppConfig | None = None, **settings: Any) -> Iterator[str]:
    """Serve the app in a thread during the block; yields its address. Arguments and errors as in `serve`."""
    with _server(runs, AppConfig.given(config, settings), None) as (server, listening, address):
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        end = time.monotonic() + START_SECONDS
        while not server.started and thread.is_alive() and time.monotonic() < end:
            time.sleep(0.02)
        try:
            yield address
        finally:
            server.should_exit = True
            thread.join()


@contextlib.contextmanager
def _server(
    runs: Sequence[str | Path], config: AppConfig, out: str | Path | None
) -> Iterator[tuple[Any, socket.socket, str]]:
    _require_libraries()
    listening = _listening(config.host, config.port)
    with listening, tempfile.TemporaryDirectory(prefix="nfgen-app-", ignore_cleanup_errors=True) as folder:
        import uvicorn

        from .page import build

        if out is not None:
            with files.writable(out, "choose another --out"):
                Path(out).mkdir(parents=True, exist_ok=True)
        kept = None if out is None else Path(out).resolve()

        async def built() -> tuple[Any, Any]:
            return build(runs, config, Path(folder), kept)

        # Within a loop: without one, Gradio makes loops that nobody closes.
        application, trainings = asyncio.run(built())
        port = listening.getsockname()[1]
        shown = f"[{config.host}]" if ":" in config.host else config.host
        server = uvicorn.Server(
            uvicorn.Config(application, log_level="warning", ws="none", timeout_graceful_shutdown=2)
        )
        try:
            yield server, listening, f"http://{shown}:{port}/"
        finally:
            trainings.close()


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens, before anything is loaded.

    Raises:
        ConfigError: the port is taken, or there is no such address here.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()
    except (OSError, OverflowError, UnicodeError) as error:
        listening.close()
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"cannot listen on port {port} of {host}: {why}", "choose another: --port 0 takes any"
        ) from error
    return listening


def _require_libraries() -> None:
    """Have Gradio, and have it ask nothing of the network.

    Raises:
        ConfigError: it is missing.
    """
    if find_spec("gradio") is None:
        raise ConfigError("the app needs the package gradio", "pip install 'nfgen[app]'")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
