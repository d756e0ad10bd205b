"""`nfgen shapes`: meshes of the built-in parametric families."""

from pathlib import Path

import click

from . import options


@click.command()
@click.argument("kind")
@click.option("-n", "count", type=options.count, default=64, show_default=True, help="How many.")
@click.option("--resolution", type=click.IntRange(8, 512), default=96, show_default=True, help="Marching cubes cells.")
@options.seed
@options.overwrite
@options.quiet
@options.out
def shapes(kind: str, count: int, resolution: int, seed: int, overwrite: bool, out: Path) -> None:
    """Make meshes of a built-in family: KIND is airplane, chair, mug, table or vase.

    \b
    nfgen shapes chair -n 256 -o chairs
    nfgen shapes vase -n 64 --seed 7 -o vases
    """
    from nfgen.pipeline.make_shapes import write_shapes

    write_shapes(kind, count, out, seed=seed, resolution=resolution, overwrite=overwrite)
    click.echo(f"{count} meshes of the family {kind} are in {out}; {out / 'contact_sheet.png'} shows them")
    click.echo(options.next_line("nfgen", "fit", out, "-o", "FIELDS"))
