"""`nfgen report`: a page to look at."""

from pathlib import Path

import click

from . import options


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="File to write. [default: index.html in the first PATH]"
)
@click.option("--turntable", type=click.Choice(["gif", "mp4"]), help="Also write an animation of the first models.")
@options.quiet
def report(paths: tuple[Path, ...], out: Path | None, turntable: str | None) -> None:
    """Write a web page that shows artifacts: samples, runs, tokens, field sets.

    \b
    nfgen report out
    nfgen report out run fields -o report.html
    """
    from nfgen.report import write_report, write_turntable

    page = write_report(paths, out)
    click.echo(f"{page} is ready: open it in a browser")
    if turntable is not None:
        click.echo(f"{write_turntable(paths, page.with_suffix('.' + turntable))} turns its models")
