"""`nfgen train`: tokens become a model that writes new ones."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import options
from .config_options import ConfigCommand

if TYPE_CHECKING:
    from nfgen.pipeline.config import TrainConfig


@click.command(
    cls=ConfigCommand,
    config="nfgen.pipeline.config:TrainConfig",
    kind="run",
    stage="train",
    spellings={"tokenizer_minutes": ("--tokenizer-minutes", "--tune")},
)
@click.argument("source", type=options.path, metavar="FIELDS|TOKENS")
@options.preset
@click.option("--tensorboard", is_flag=True, help="Write log, pictures and meshes for TensorBoard too.")
@options.dry_run
@options.resume
@options.overwrite
@options.quiet
@options.out
def train(
    source: Path,
    config: "TrainConfig",
    tensorboard: bool,
    dry_run: bool,
    resume: bool,
    overwrite: bool,
    out: Path,
) -> None:
    """Train a model on TOKENS, or on FIELDS by a tokenizer that is fitted first.

    Where a setting of the tokenizer has the name of another one, it is called --tokenizer-steps and the like. Settings
    are listed here for gpt and vq; `nfgen train --model diffusion --tokenizer identity --help` lists those of others.
    Processes that torchrun or accelerate started share each batch.

    \b
    nfgen train fields --tokenizer vq --minutes 10 -o run
    nfgen train tokens --size small --steps 5000 --dropout 0.2 -o run
    torchrun --nproc-per-node 2 -m nfgen train tokens --size big --shard -o run
    """
    from nfgen.pipeline.dry_run.stages import plan_train
    from nfgen.pipeline.train import train
    from nfgen.runtime import launcher

    if dry_run:
        if launcher.is_main():
            click.echo("\n".join(plan_train(source, config).lines()))
        return
    run = train(source, out, config, tensorboard=tensorboard, resume=resume, overwrite=overwrite)
    if not launcher.is_main():
        return
    click.echo(f"a {run.model.name} model of {run.model.parameter_count:,} parameters is in {out}; {run.summary}")
    if tensorboard:
        click.echo(f"look: tensorboard --logdir {out / 'tensorboard'}")
    click.echo(options.next_line("nfgen", "generate", out, "-n", 16, "-o", "OUT"))
