"""`nfgen generate`: a run writes new fields, and meshes of them."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nfgen.runtime.words import counted

from . import options
from .config_options import ConfigCommand

if TYPE_CHECKING:
    from nfgen.pipeline.config import GenerateConfig


@click.command(
    cls=ConfigCommand,
    config="nfgen.pipeline.config:GenerateConfig",
    kind="samples",
    spellings={"n": ("-n",), "label": ("--class",)},
)
@click.argument("run", type=options.artifact)
@click.option("--turntable", type=click.Choice(["gif", "mp4"]), help="Also animate each mesh, and all together.")
@options.engine
@options.dry_run
@options.resume
@options.overwrite
@options.quiet
@options.out
def generate(
    run: Path,
    config: "GenerateConfig",
    turntable: str | None,
    engine: str,
    address: str | None,
    dry_run: bool,
    resume: bool,
    overwrite: bool,
    out: Path,
) -> None:
    """Generate new fields with RUN: of each a mesh, the field itself and a picture, and of all a page to look at.

    RUN is a folder, `chairs`, which ships with nfgen, or the address of one on the Hugging Face Hub, as
    hf://owner/name. What you do not say is as RUN chose when its training ended, else the default that stands below:
    `nfgen info RUN` shows under `sampling` what it chose.

    \b
    nfgen generate run -n 16 -o out
    nfgen generate run -n 8 --class chair --top-p 0.9 --format obj -o out
    """
    from nfgen.pipeline.dry_run.stages import plan_generate
    from nfgen.pipeline.generate import generate
    from nfgen.runtime.executor import create_engine

    if turntable is not None:
        from nfgen.pipeline.turntables import write_turntables
        from nfgen.viz.animation import require

        require(turntable)
    if dry_run:
        click.echo("\n".join(plan_generate(run, config).lines()))
        return
    samples = generate(run, out, config, engine=create_engine(engine, address), resume=resume, overwrite=overwrite)
    from nfgen.report import write_report  # not before the first mesh: it takes its time

    empty = sum(sample.empty for sample in samples)
    if turntable is not None and empty < len(samples):
        click.echo(f"{write_turntables(out, turntable)[0]} turns them")
    click.echo(f"{counted(len(samples), 'sample')} in {out}; {out / 'contact_sheet.png'} shows them")
    if empty < len(samples) and (note := config.meshing.size_note(config.meshing.format)) is not None:
        click.echo(note)
    changed = sum(bool(sample.mesh and sample.mesh["changes"]) for sample in samples)
    if changed:
        click.echo(f"{changed} of the meshes changed: {out / 'samples.json'} says how")
    if empty:
        click.echo(f"warning: {empty} of them have no surface; --require-surface draws again for those", err=True)
    click.echo(f"{write_report([out, run])} shows them to turn: open it in a browser")
    score = options.next_line("nfgen", "evaluate", out, "--reference", "SHAPES")
    click.echo(f"{score} · {shlex.join(['nfgen', 'report', str(out), str(run), 'FIELDS'])}")
