"""`nfgen demo`: the whole path on a built-in family."""

from pathlib import Path

import click

from . import options


@click.command()
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), default=Path("demo"), show_default=True, help="Folder to write."
)
@click.option("--kind", default="chair", show_default=True, help="Family of shapes.")
@click.option(
    "-n", "count", type=click.IntRange(8, options.MOST), default=200, show_default=True, help="Shapes to learn from."
)
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    default=8.0,
    show_default=True,
    help="About how long it may take.",
)
@options.seed
@options.overwrite
@options.quiet
def demo(out: Path, kind: str, count: int, minutes: float, seed: int, overwrite: bool) -> None:
    """Make shapes, fit, tokenize, train, generate, evaluate and report.

    \b
    nfgen demo
    nfgen demo --kind vase --minutes 4 -o vases
    """
    from nfgen.demo import run_demo

    page = run_demo(out, kind=kind, count=count, minutes=minutes, seed=seed, overwrite=overwrite, say=click.echo)
    click.echo(f"open {page}")
