"""`nfgen app`: a page to draw from runs in a browser."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import options
from .config_options import ConfigCommand

if TYPE_CHECKING:
    from nfgen.app.config import AppConfig


@click.command(cls=ConfigCommand, config="nfgen.app.config:AppConfig")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("-o", "--out", type=options.path, help="Folder to keep trainings in. [default: they are not kept]")
@options.quiet
def app(runs: tuple[str, ...], config: "AppConfig", out: Path | None) -> None:
    """Serve a page that draws new shapes from each RUN, on this machine alone unless --host says otherwise.

    RUN is a folder, `chairs`, which ships with nfgen, or the address of one on the Hugging Face Hub, as
    hf://owner/name. Needs the extra `app`.

    \b
    nfgen app chairs
    nfgen app made/run other/run --port 8000 -o trainings
    """
    from nfgen.app import serve

    serve(runs, config, out=out, say=click.echo)
