"""`nfgen fit`: shapes become a field set."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nfgen.runtime.words import counted

from . import options
from .config_options import ConfigCommand

if TYPE_CHECKING:
    from nfgen.fitting.config import FitConfig


@click.command(
    cls=ConfigCommand,
    config="nfgen.fitting.config:FitConfig",
    kind="fields",
    stage="fit",
    spellings={"limit": ("-n", "--limit")},
)
@click.argument("shapes", nargs=-1, required=True)
@options.preset
@click.option("--strict", is_flag=True, help="Stop at the first unusable shape instead of skipping it.")
@click.option("--cache", type=options.path, help="Folder that keeps samples for the next fit.")
@click.option("--workers", type=options.count, help="Processes that sample shapes. [default: one a processor]")
@click.option(
    "--snapshots",
    type=click.IntRange(2, options.MOST),
    help="Keep this many stages of the first fits for `nfgen report`.",
)
@options.engine
@options.dry_run
@options.resume
@options.overwrite
@options.quiet
@options.out
def fit(
    shapes: tuple[str, ...],
    config: "FitConfig",
    strict: bool,
    cache: Path | None,
    workers: int | None,
    snapshots: int | None,
    engine: str,
    address: str | None,
    dry_run: bool,
    resume: bool,
    overwrite: bool,
    out: Path,
) -> None:
    """Fit one field to each shape of SHAPES: files, folders, zip files or globs of meshes, voxel grids or images.

    `nfgen check SHAPES` shows beforehand how they are read.

    \b
    nfgen fit chairs -o fields
    nfgen fit train-images-idx3-ubyte.gz --spec mnist -n 1000 -o digits
    """
    from nfgen.pipeline.fit import fit
    from nfgen.pipeline.fit_notes import fit_notes
    from nfgen.runtime.executor import create_engine

    config = config.replace(spec=options.load_spec(config.spec))
    if dry_run:
        from nfgen.pipeline.dry_run.fit import plan_fit

        click.echo("\n".join(plan_fit(shapes, config, workers=workers).lines()))
        return
    fields = fit(
        shapes,
        out,
        config,
        strict=strict,
        workers=workers,
        snapshots=snapshots or 0,
        cache=cache,
        engine=create_engine(engine, address),
        resume=resume,
        overwrite=overwrite,
    )
    for line in fit_notes(fields):
        click.echo(line, err=True)
    click.echo(f"{counted(len(fields), 'field')} of {fields.spec.size} weights in {out}; {_figures(fields.report)}")
    click.echo(options.next_line("nfgen", "train", out, "-o", "RUN"))


def _figures(report: Sequence[dict[str, Any]]) -> str:
    mean = {key: sum(entry[key] for entry in report) / len(report) for key in ("iou", "seconds")}
    return f"mean IoU {mean['iou']:.3f} at {mean['seconds']:.2f} s a field"
