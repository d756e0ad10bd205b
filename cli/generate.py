"""`nfgen generate`: a run writes new fields, and meshes of them."""

import shlex
from pathlib import Path

import click

from . import options


@click.command()
@click.argument("run", type=options.artifact)
@click.option("-n", "count", type=options.count, default=16, show_default=True, help="How many.")
@click.option("--temperature", type=click.FloatRange(0), default=1.0, show_default=True, help="Below 1: more usual.")
@click.option("--top-k", type=options.count, help="Draw from the k likeliest tokens.")
@click.option(
    "--top-p",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Draw from the likeliest tokens that together hold this share.",
)
@click.option(
    "--min-p",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Draw from tokens at least this share as likely as the likeliest.",
)
@click.option(
    "--guidance", type=click.FloatRange(0), default=1.0, show_default=True, help="Weight of the class; 1 = none."
)
@click.option(
    "--contrast",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="With --weights last: weight of what was learned since the lowest held-out loss, such as 0.5; 0 = none.",
)
@click.option("--class", "label", help="Name of the class. [default: any]")
@click.option("--prefix", help="First tokens by comma, or a field file whose first tokens are taken.")
@click.option("--prefix-length", type=options.count, help="How many tokens of the field file.")
@click.option("--require-surface", is_flag=True, help="Draw again for fields without a surface.")
@click.option(
    "--require-body",
    type=click.FloatRange(0, 1),
    default=0.0,
    help="Draw again for those, too, whose largest body holds less than this share of the volume, such as 0.95.",
)
@click.option("--distinct", is_flag=True, help="Draw again for a sample that another one is a variation of.")
@click.option(
    "--thicken",
    type=click.FloatRange(-1, 1, min_open=True, max_open=True),
    default=0.0,
    help="Move surfaces outwards so far, such as 0.006 (shapes are 2 wide), so that thin parts hold together.",
)
@click.option(
    "--resolution", type=click.IntRange(8, 1024), default=128, show_default=True, help="Marching cubes cells."
)
@click.option(
    "--format",
    type=click.Choice(["glb", "obj", "ply", "stl", "off", "3mf"]),
    default="glb",
    show_default=True,
    help="Of the meshes.",
)
@click.option("--turntable", type=click.Choice(["gif", "mp4"]), help="Also animate each mesh, and all together.")
@click.option("--batch", "batch_size", type=options.count, help="Samples at once. [default: as memory allows]")
@click.option(
    "--weights",
    "which",
    type=click.Choice(["best", "last"]),
    default="best",
    show_default=True,
    help="Which checkpoint.",
)
@options.engine
@options.dry_run
@options.seed
@options.device
@options.resume
@options.overwrite
@options.quiet
@options.out
def generate(
    run: Path,
    count: int,
    temperature: float,
    top_k: int | None,
    top_p: float,
    min_p: float,
    guidance: float,
    contrast: float,
    label: str | None,
    prefix: str | None,
    prefix_length: int | None,
    require_surface: bool,
    require_body: float,
    distinct: bool,
    thicken: float,
    resolution: int,
    format: str,
    turntable: str | None,
    batch_size: int | None,
    which: str,
    engine: str,
    address: str | None,
    dry_run: bool,
    seed: int,
    device: str,
    resume: bool,
    overwrite: bool,
    out: Path,
) -> None:
    """Generate new fields with RUN: of each a mesh, the field itself and a picture, and of all a page to look at.

    RUN is a folder, or the address of one on the Hugging Face Hub, as hf://owner/name.

    \b
    nfgen generate run -n 16 -o out
    nfgen generate run -n 8 --class chair --top-p 0.9 --format obj -o out
    """
    from nfgen.models.generation.config import SamplingConfig
    from nfgen.pipeline.dry_run.stages import plan_generate
    from nfgen.pipeline.generate import generate
    from nfgen.pipeline.run import Run, read_prefix
    from nfgen.runtime.executor import create_engine

    if turntable is not None:
        from nfgen.pipeline.turntables import write_turntables
        from nfgen.viz.animation import require

        require(turntable)
    loaded = Run.load(run, which, device)
    first = None if prefix is None else read_prefix(loaded, prefix, prefix_length)
    config = SamplingConfig(
        temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, guidance=guidance, contrastive_weight=contrast
    )
    if dry_run:
        plan = plan_generate(
            loaded, count, config=config, label=label, resolution=resolution, format=format, batch_size=batch_size
        )
        click.echo("\n".join(plan.lines()))
        return
    samples = generate(
        loaded,
        count,
        out,
        config=config,
        seed=seed,
        label=label,
        prefix=first,
        batch_size=batch_size,
        require_surface=require_surface,
        require_body=require_body,
        distinct=distinct,
        thicken=thicken,
        resolution=resolution,
        format=format,
        engine=create_engine(engine, address),
        resume=resume,
        overwrite=overwrite,
    )
    from nfgen.report import write_report  # not before the first mesh: it takes its time

    empty = sum(sample.empty for sample in samples)
    if turntable is not None and empty < len(samples):
        click.echo(f"{write_turntables(out, turntable)[0]} turns them")
    click.echo(f"{len(samples)} samples are in {out}; {out / 'contact_sheet.png'} shows them")
    if empty:
        click.echo(f"warning: {empty} of them have no surface; --require-surface draws again for those", err=True)
    click.echo(f"{write_report([out, run])} shows them to turn: open it in a browser")
    score = options.next_line("nfgen", "evaluate", out, "--reference", "SHAPES")
    click.echo(f"{score} · {shlex.join(['nfgen', 'report', str(out), str(run), 'FIELDS'])}")
