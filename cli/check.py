"""`nfgen check`: how shapes are read, before anything is fitted."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import options
from .config_options import ConfigCommand

if TYPE_CHECKING:
    from nfgen.shapes.reading import ReadingConfig


@click.command(cls=ConfigCommand, config="nfgen.shapes.reading:ReadingConfig")
@click.argument("shapes", nargs=-1, required=True)
@click.option("-n", "limit", type=options.count, help="Look at the first N shapes only.")
@click.option("--workers", type=options.count, help="Processes that read shapes. [default: one a processor]")
@options.as_json
@options.quiet
@click.option("-o", "--out", type=options.path, help="PNG file to write: a thumbnail of each shape.")
def check(
    shapes: tuple[str, ...],
    config: "ReadingConfig",
    limit: int | None,
    workers: int | None,
    as_json: bool,
    out: Path | None,
) -> None:
    """Read all SHAPES as `nfgen fit` would, and print what was found, a line a shape.

    Of each: class, format, extent in the file's units, the axis that points up, faces in the file and triangles read,
    bodies, whether it is closed, doubled triangles, and the share of its surface that is open and lost.

    \b
    nfgen check chairs -o chairs.png
    nfgen check scans.zip --up y --json
    """
    from nfgen.pipeline.check_shapes import check_shapes

    report = check_shapes(list(shapes), reading=config, limit=limit, workers=workers, sheet=out)
    options.say(report.to_json(), (*report.discovery.lines(), *report.lines()), as_json)
    if as_json:
        return
    if out is not None:
        click.echo(f"{out} shows them")
    click.echo(options.next_line("nfgen", "fit", *shapes, *config.as_options(), "-o", "FIELDS"))
