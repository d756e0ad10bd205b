"""`nfgen push`: a run or a tokenizer to the Hugging Face Hub, or to a folder of its kind."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import options
from .config_options import ConfigCommand

if TYPE_CHECKING:
    from nfgen.pipeline.config import PushConfig


@click.command(cls=ConfigCommand, config="nfgen.pipeline.config:PushConfig")
@click.argument("source", type=options.path, metavar="RUN")
@click.argument("repo", required=False)
@click.option("--samples", type=options.path, help="Samples of RUN: their sheet and scores go on the card.")
@click.option("-o", "--out", type=options.path, help="Write the folder instead of uploading it.")
@options.overwrite
@options.quiet
def push(
    source: Path, config: "PushConfig", repo: str | None, samples: Path | None, out: Path | None, overwrite: bool
) -> None:
    """Upload RUN, with a model card, as the repository REPO of the Hugging Face Hub (owner/name).

    RUN may be a fitted tokenizer too. `hf auth login` says who you are, once.

    \b
    nfgen push run owner/chairs --samples out --license mit
    nfgen push run --space -o draw-chairs
    """
    from nfgen.io.artifact import kind_of
    from nfgen.pipeline.run import Run
    from nfgen.tokenizers.registry import load

    if (repo is None) == (out is None):
        raise click.UsageError("say where to: REPO as owner/name, or -o FOLDER")
    license, private, message = config.license, config.private, config.message
    if config.space:
        from nfgen.app.space import push_space, write_space

        if out is not None:
            write_space(source, out, samples=samples, license=license, overwrite=overwrite)
            click.echo(f"{out} is ready: {out / 'README.md'} says what it is")
        else:
            click.echo(
                push_space(source, str(repo), samples=samples, license=license, private=private, message=message)
            )
        return
    if kind_of(source) == "tokenizer":
        if samples or license:
            raise click.UsageError("--samples and --license are for runs")
        tokenizer = load(source)
        if out is not None:
            tokenizer.save_pretrained(out, overwrite=overwrite)
        else:
            click.echo(tokenizer.push_to_hub(str(repo), private=private, message=message))
    else:
        run = Run.load(source)
        if out is not None:
            run.save_pretrained(out, samples=samples, license=license, overwrite=overwrite)
        else:
            click.echo(run.push_to_hub(str(repo), samples=samples, license=license, private=private, message=message))
    following = options.next_line("nfgen", "generate", f"hf://{repo}", "-n", 16, "-o", "OUT")
    click.echo(f"{out} is ready" if out is not None else following)
