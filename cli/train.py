"""`nfgen train`: tokens become a model that writes new ones."""

from pathlib import Path

import click

from . import options


@click.command(context_settings=options.FREE_SETTINGS)
@options.words("FIELDS|TOKENS")
@click.option("--tokenizer", help="For FIELDS: the tokenizer to fit first. [default: vq]")
@click.option("--model", help="gpt; for continuous tokens regression, or diffusion. [default: gpt or regression]")
@click.option("--size", help="tiny, small, medium, big or mnist. [default: tiny]")
@options.preset
@click.option("--steps", type=click.IntRange(1), help="Optimizer steps. [default: 2000]")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), help="Stop after so much time instead.")
@click.option(
    "--heldout",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.1,
    show_default=True,
    help="For FIELDS: share of fields that nothing is learned from.",
)
@click.option(
    "--views",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="For FIELDS: augmented token sequences of each field (vq, graph).",
)
@click.option("--accumulate", type=click.IntRange(1), help="Passes of a step, at least: less memory. [default: 1]")
@click.option("--shard", is_flag=True, help="Several processes: spread the weights, not a copy in each (FSDP).")
@click.option("--tensorboard", is_flag=True, help="Write log, pictures and meshes for TensorBoard too.")
@options.dry_run
@options.seed
@options.device
@options.resume
@options.overwrite
@options.quiet
@options.out
def train(
    words: tuple[str, ...],
    tokenizer: str | None,
    model: str | None,
    size: str | None,
    preset: str | None,
    steps: int | None,
    minutes: float | None,
    heldout: float,
    views: int,
    accumulate: int | None,
    shard: bool,
    tensorboard: bool,
    dry_run: bool,
    seed: int,
    device: str,
    resume: bool,
    overwrite: bool,
    out: Path,
) -> None:
    """Train a model on TOKENS, or on FIELDS by a tokenizer that is fitted first.

    Settings of training, model and tokenizer are options too, as --dropout 0.2, --batch-size 32 or --codes 64;
    --tokenizer-steps is the tokenizer's where --steps is the training's. Processes that torchrun or accelerate
    started share each batch.

    \b
    nfgen train fields --tokenizer vq --minutes 10 -o run
    nfgen train tokens --size small --steps 5000 --dropout 0.2 -o run
    torchrun --nproc-per-node 2 -m nfgen train tokens --size big --shard -o run
    """
    from nfgen.pipeline.dry_run.stages import plan_train
    from nfgen.pipeline.train import train_from_settings
    from nfgen.runtime import launcher

    source, settings = options.parse_one(words)
    given = {"steps": steps, "minutes": minutes, "seed": seed, "device": device}
    given |= {"accumulate": accumulate, "shard": shard or None}
    given = {key: value for key, value in given.items() if value is not None} | settings
    if dry_run and not launcher.is_main():
        return
    if dry_run:
        plan = plan_train(
            source, given, tokenizer=tokenizer, model=model, size=size, preset=preset, heldout=heldout, views=views
        )
        click.echo("\n".join(plan.lines()))
        return
    run = train_from_settings(
        source,
        out,
        given,
        tokenizer=tokenizer,
        model=model,
        size=size,
        preset=preset,
        heldout=heldout,
        views=views,
        tensorboard=tensorboard,
        resume=resume,
        overwrite=overwrite,
    )
    if not launcher.is_main():
        return
    click.echo(f"a {run.model.name} model of {run.model.parameter_count:,} parameters is in {out}; {run.summary}")
    if tensorboard:
        click.echo(f"look: tensorboard --logdir {out / 'tensorboard'}")
    click.echo(options.next_line("nfgen", "generate", out, "-n", 16, "-o", "OUT"))
