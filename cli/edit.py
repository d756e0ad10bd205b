"""`nfgen edit`: shapes of one's own, varied, completed, interpolated or mixed by a run."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from nfgen.runtime.words import counted

from . import options
from .config_options import ConfigCommand

if TYPE_CHECKING:
    from nfgen.pipeline.config import EditConfig


@click.command(
    cls=ConfigCommand,
    config="nfgen.pipeline.config:EditConfig",
    spellings={"n": ("-n",), "label": ("--class",)},
)
@click.argument("how", type=click.Choice(["vary", "complete", "interpolate", "mix"]))
@click.argument("run", type=options.artifact)
@click.argument("shapes", nargs=-1, required=True, metavar="SHAPE [SHAPE]")
@options.overwrite
@options.quiet
@options.out
def edit(how: str, run: Path, config: "EditConfig", shapes: tuple[str, ...], overwrite: bool, out: Path) -> None:
    """Change shapes in the tokens of RUN, and write samples as generate does.

    `vary` draws a share of a shape's cells again, `complete` keeps those in a region and draws the rest: for runs that
    were trained with --random-order. `interpolate` goes from one shape to another, `mix` takes the lower part from the
    first and the upper part from the second: for all runs of vq tokens.

    A SHAPE is a file of a folder of samples, a field, a mesh, voxel grid or image, or FOLDER#NUMBER of samples or of a
    field set.

    \b
    nfgen edit vary run out/sample-0003.glb --share 0.4 -o varied
    nfgen edit mix run fields#0 chair.obj --axis z -o mixed
    """
    from typing import cast

    from nfgen.pipeline.config import How
    from nfgen.pipeline.edit import edit

    samples = edit(cast(How, how), run, list(shapes), out, config, overwrite=overwrite)
    from nfgen.report import write_report  # not before the first mesh: it takes its time

    empty = sum(sample.empty for sample in samples)
    click.echo(f"{counted(len(samples), 'sample')} in {out}; {out / 'contact_sheet.png'} shows them")
    if empty:
        click.echo(f"warning: {empty} of them have no surface", err=True)
    click.echo(f"{write_report([out, run])} shows them to turn: open it in a browser")
