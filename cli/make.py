"""`nfgen make`: from a folder of shapes to new ones, by one command."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import options
from .config_options import ConfigCommand

if TYPE_CHECKING:
    from nfgen.pipeline.config import MakeConfig


@click.command(cls=ConfigCommand, config="nfgen.pipeline.config:MakeConfig", spellings={"n": ("-n",)})
@click.argument("shapes", type=options.path)
@click.option("--reference", type=options.path, help="Shapes to compare with. [default: those held out of SHAPES]")
@options.overwrite
@options.quiet
@options.out
def make(shapes: Path, config: "MakeConfig", reference: Path | None, overwrite: bool, out: Path) -> None:
    """Learn from SHAPES and make new ones: fit, tokenize, train, generate, evaluate and report.

    The same command again goes on where an interrupted one stopped.

    \b
    nfgen make my_meshes -o made
    nfgen make my_meshes --effort best -n 100 --format stl -o made
    """
    from nfgen.workflow.make import make

    click.echo(f"open {make(shapes, out, config, reference=reference, overwrite=overwrite, say=click.echo)}")
