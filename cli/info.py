"""`nfgen info`: what an artifact is."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import options
from .config_options import ConfigCommand

if TYPE_CHECKING:
    from nfgen.shapes.reading import ReadingConfig


@click.command(cls=ConfigCommand, config="nfgen.shapes.reading:ReadingConfig")
@click.argument("path", required=False, type=options.artifact)
@click.option("--tokenizers", is_flag=True, help="List the tokenizers and their settings.")
@click.option("--models", is_flag=True, help="List the models and their settings.")
@options.as_json
def info(path: Path | None, tokenizers: bool, models: bool, config: "ReadingConfig", as_json: bool) -> None:
    """Explain PATH: what it is, how it was made, how large it is, and what to do next.

    \b
    nfgen info run
    nfgen info --tokenizers
    """
    from nfgen.pipeline.describe import describe, describe_components, lines

    if path is None and not tokenizers and not models:
        raise click.UsageError("give a PATH, --tokenizers or --models")
    described = describe(path, config) if path is not None else describe_components(tokenizers, models)
    options.say(described, lines(described), as_json)
