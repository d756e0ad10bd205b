"""`nfgen fit`: shapes become a field set."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options

if TYPE_CHECKING:
    from nfgen.shapes.reading import ReadingConfig


@click.command(context_settings=options.FREE_SETTINGS)
@options.words("SHAPES…")
@click.option(
    "--spec",
    help="Architecture: talk, talk-2d, nef-gpt, mnist, hyperdiffusion, or a JSON file. [default: talk]",
)
@click.option(
    "--init",
    help="Where fits start: random (unconditioned), first (conditioned), shared, or the path of a field. [default: "
    "shared]",
)
@options.preset
@click.option("-n", "limit", type=click.IntRange(1), help="Use only the first so many shapes.")
@click.option("--strict", is_flag=True, help="Stop at the first unusable shape instead of skipping it.")
@click.option("--cache", type=click.Path(path_type=Path), help="Folder that keeps samples for the next fit.")
@click.option("--workers", type=click.IntRange(1), help="Processes that sample shapes. [default: one a processor]")
@click.option("--snapshots", type=click.IntRange(2), help="Keep so many stages of the first fits for `nfgen report`.")
@options.reading
@options.engine
@options.dry_run
@options.seed
@options.resume
@options.overwrite
@options.quiet
@options.out
def fit(
    words: tuple[str, ...],
    spec: str | None,
    init: str | None,
    preset: str | None,
    limit: int | None,
    strict: bool,
    cache: Path | None,
    workers: int | None,
    snapshots: int | None,
    reading: "ReadingConfig",
    engine: str,
    address: str | None,
    dry_run: bool,
    seed: int,
    resume: bool,
    overwrite: bool,
    out: Path,
) -> None:
    """Fit one field to each shape of SHAPES: files, folders, zip files or globs of meshes, voxel grids or images.

    `nfgen check SHAPES` shows beforehand how they are read.

    Settings such as --steps 600, --points 1024, --pull 1e-5, --tolerance, --near, --uniform, --augment 2 or
    --normalize none are options too.

    \b
    nfgen fit chairs -o fields
    nfgen fit train-images-idx3-ubyte.gz --spec mnist -n 1000 -o digits
    """
    from nfgen.pipeline.fit import fit_fields, sort_settings
    from nfgen.pipeline.fit_notes import fit_notes
    from nfgen.pipeline.recipes import with_recipe
    from nfgen.runtime.executor import create_engine

    shapes, settings = options.parse_words(words)
    settings = with_recipe(preset, "fit", {"spec": spec, "init": init, "seed": seed, **settings})
    spec, init = settings.pop("spec", "talk"), settings.pop("init", "shared")
    fit_config, sample_config = sort_settings(settings)
    if dry_run:
        from nfgen.pipeline.dry_run.fit import plan_fit

        plan = plan_fit(
            shapes,
            spec=options.load_spec(spec),
            init=init,
            config=fit_config,
            samples=sample_config,
            reading=reading,
            limit=limit,
            workers=workers,
        )
        click.echo("\n".join(plan.lines()))
        return
    fields = fit_fields(
        shapes,
        out,
        spec=options.load_spec(str(spec)),
        init=str(init),
        config=fit_config,
        samples=sample_config,
        reading=reading,
        limit=limit,
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
    click.echo(f"{len(fields)} fields of {fields.spec.size} weights are in {out}; {_figures(fields.report)}")
    click.echo(options.next_line("nfgen", "train", out, "-o", "RUN"))


def _figures(report: Sequence[dict[str, Any]]) -> str:
    mean = {key: sum(entry[key] for entry in report) / len(report) for key in ("iou", "seconds")}
    return f"mean IoU {mean['iou']:.3f} at {mean['seconds']:.2f} s a field"
