"""`nfgen demo`: the whole path on a built-in family."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import options
from .config_options import ConfigCommand

if TYPE_CHECKING:
    from nfgen.pipeline.config import DemoConfig


@click.command(cls=ConfigCommand, config="nfgen.pipeline.config:DemoConfig", spellings={"n": ("-n",)})
@click.option("-o", "--out", type=options.path, default=Path("demo"), show_default=True, help="Folder to write.")
@options.overwrite
@options.quiet
def demo(out: Path, config: "DemoConfig", overwrite: bool) -> None:
    """Make shapes, fit, tokenize, train, generate, evaluate and report.

    \b
    nfgen demo
    nfgen demo --kind vase --minutes 4 -o vases
    """
    from nfgen.demo import run_demo

    page = run_demo(out, config, overwrite=overwrite, say=click.echo)
    click.echo(f"open {page}")
