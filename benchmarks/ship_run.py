"""A run as it ships with nfgen: its files, a card that says how it was made, and a picture of its samples.

python benchmarks/ship_run.py demo/run demo/samples nfgen/shipped/chairs
"""

from pathlib import Path

import click

from nfgen import Run


@click.command()
@click.argument("run", type=click.Path(exists=True, path_type=Path))
@click.argument("samples", type=click.Path(exists=True, path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
def main(run: Path, samples: Path, out: Path) -> None:
    """Write RUN, with the picture of its SAMPLES, as OUT."""
    loaded = Run.load(run, "last")
    loaded.save_pretrained(out, samples=samples, address=out.name, license="mit", overwrite=True)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    click.echo(f"{out}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
