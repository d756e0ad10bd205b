"""`nfgen report`: a page to look at."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import options
from .config_options import ConfigCommand

if TYPE_CHECKING:
    from nfgen.pipeline.config import ReportConfig


@click.command(cls=ConfigCommand, config="nfgen.pipeline.config:ReportConfig")
@click.argument("paths", nargs=-1, required=True, type=options.path)
@click.option("-o", "--out", type=options.path, help="File to write. [default: index.html in the first PATH]")
@options.quiet
def report(paths: tuple[Path, ...], config: "ReportConfig", out: Path | None) -> None:
    """Write a web page that shows artifacts: samples, runs, tokens, field sets.

    \b
    nfgen report out
    nfgen report out run fields -o report.html
    """
    from nfgen.report import write_report, write_turntable

    page = write_report(paths, out)
    click.echo(f"{page} is ready: open it in a browser")
    if config.turntable is not None:
        click.echo(f"{write_turntable(paths, page.with_suffix('.' + config.turntable))} turns its models")
