"""The page: its tabs, its looks, and the server application that answers for it."""

import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import fastapi
import gradio as gr

from .config import AppConfig
from .draw_tab import DrawTab
from .drawing import Drawing
from .edit_tab import EditTab
from .editing import Editing
from .gate import LOOPBACK, Gate
from .grid import plain_html
from .routes import routes
from .runs import Runs
from .shapes_tab import ShapesTab
from .shelf import Shelf
from .trainings import Trainings
from .tray import Tray
from .uploads import Uploads

WAITING = 64  # requests in line at most
FORGOTTEN = (600, 3600)  # seconds: how often old uploads are looked for, and how old they are
SYSTEM_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
MONO_FONTS = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def build(runs: Sequence[str | Path], config: AppConfig, folder: Path, out: Path | None) -> tuple[Gate, Trainings]:
    """The application, for a server of the ASGI kind, and its trainings.

    Args:
        folder: for uploads, and for trainings if `out` is None.
        out: in which trainings are made.

    Raises:
        ArtifactError: a run is none, or damaged.
    """
    uploaded = folder / "uploads"
    uploaded.mkdir()
    os.environ["GRADIO_TEMP_DIR"] = str(uploaded)
    shelf = Shelf()
    offered = Runs(runs, config.device, show_paths=config.host in LOOPBACK)
    trainings = Trainings(folder if out is None else out)
    blocks = _blocks(offered, shelf, trainings if config.train else None, folder, config)
    application = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None, routes=[*routes(shelf, trainings)])
    application = gr.mount_gradio_app(
        application,
        blocks,
        "/",
        server_name=config.host,
        server_port=config.port,
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=config.upload_mb << 20,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=_theme(),
        head=_head(),
    )
    return Gate(application, config.host, config.upload_mb << 20, uploaded), trainings


def _blocks(runs: Runs, shelf: Shelf, trainings: Trainings | None, folder: Path, config: AppConfig) -> gr.Blocks:
    with gr.Blocks(title="nfgen", analytics_enabled=False, delete_cache=FORGOTTEN, fill_width=True) as blocks:
        plain_html((resources.files(__package__) / "assets" / "title.html").read_text(encoding="utf-8"))
        drawing = Drawing(runs, shelf, config.most)
        tray = Tray(drawing)
        with gr.Tab("Draw"):
            drawn = DrawTab(runs, drawing, tray, config.most)
        with gr.Tab("Edit") as tab:
            edit = EditTab(Editing(runs, drawing, config.most), drawing, tray, config.most)
        with gr.Tab("Your shapes"):
            ShapesTab(runs, Uploads(folder, config.uploads), trainings, shelf, drawn.run)
        tray.place()
        edit.follow(tab)
    blocks.queue(max_size=WAITING, default_concurrency_limit=1, api_open=False)
    return blocks


def _theme() -> gr.themes.Base:
    """Fonts of the system: nothing is fetched from elsewhere."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.orange,
        neutral_hue=gr.themes.colors.stone,
        radius_size=gr.themes.sizes.radius_lg,
        font=SYSTEM_FONTS,
        font_mono=MONO_FONTS,
    )


def _head() -> str:
    """Scripts that draw the models; they run when the page is parsed, and find tiles as they come."""
    return (
        '<link rel="stylesheet" href="viewer/app.css">'
        '<script defer src="viewer/three.min.js"></script>'
        '<script defer src="viewer/viewer.js"></script>'
    )
