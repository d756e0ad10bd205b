"""`nfgen shapes`: meshes of the built-in parametric families."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import options
from .config_options import ConfigCommand

if TYPE_CHECKING:
    from nfgen.pipeline.config import ShapesConfig


@click.command(cls=ConfigCommand, config="nfgen.pipeline.config:ShapesConfig", kind="shapes", spellings={"n": ("-n",)})
@click.argument("kind")
@options.overwrite
@options.quiet
@options.out
def shapes(kind: str, config: "ShapesConfig", overwrite: bool, out: Path) -> None:
    """Make meshes of a built-in family: KIND is airplane, chair, mug, table or vase.

    \b
    nfgen shapes chair -n 256 -o chairs
    nfgen shapes vase -n 64 --seed 7 -o vases
    """
    from nfgen.pipeline.make_shapes import write_shapes

    write_shapes(kind, out, config, overwrite=overwrite)
    click.echo(f"{config.n} meshes of the family {kind} are in {out}; {out / 'contact_sheet.png'} shows them")
    click.echo(options.next_line("nfgen", "fit", out, "-o", "FIELDS"))
