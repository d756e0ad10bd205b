"""`nfgen tokenize`: a field set becomes tokens."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nfgen.runtime.words import counted

from . import options
from .config_options import ConfigCommand

if TYPE_CHECKING:
    from nfgen.tokenizers.config import TokenizeConfig


@click.command(
    cls=ConfigCommand,
    config="nfgen.tokenizers.config:TokenizeConfig",
    kind="tokens",
    stage="tokenize",
    spellings={"minutes": ("--minutes", "--tune")},
)
@click.argument("fields", type=options.path)
@options.preset
@options.engine
@options.dry_run
@options.resume
@options.overwrite
@options.quiet
@options.as_json
@options.out
def tokenize(
    fields: Path,
    config: "TokenizeConfig",
    engine: str,
    address: str | None,
    dry_run: bool,
    resume: bool,
    overwrite: bool,
    as_json: bool,
    out: Path,
) -> None:
    """Fit a tokenizer on FIELDS and encode them; print what the round trip keeps.

    Its settings are listed here for vq; `nfgen tokenize --tokenizer histogram --help` lists those of histogram.

    \b
    nfgen tokenize fields --tokenizer vq --max-tokens 64 -o tokens
    nfgen tokenize fields --tokenizer histogram --bins 64 --kind quantile -o tokens
    """
    import json

    from nfgen.pipeline.dry_run.stages import plan_tokenize
    from nfgen.pipeline.tokenize import tokenize
    from nfgen.runtime.executor import create_engine

    if dry_run:
        plan = plan_tokenize(fields, config=config)
        click.echo(json.dumps(plan.to_json()) if as_json else "\n".join(plan.lines()))
        return
    tokens = tokenize(
        fields, out, config=config, engine=create_engine(engine, address), resume=resume, overwrite=overwrite
    )
    if as_json:
        click.echo(json.dumps(tokens.report))
        return
    click.echo(f"{counted(len(tokens), 'field')} of {tokens.vocabulary.length} tokens in {out}")
    for line in table(tokens.report):
        click.echo(line)
    click.echo(options.next_line("nfgen", "train", out, "-o", "RUN"))


def table(report: dict[str, dict[str, Any]]) -> list[str]:
    """The figures of a round trip as lines of text."""

    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.4g}"

    head = f"{'':18}{'train':>12}{'heldout':>12}"
    return [head, *(f"{key:18}{number(of['train']):>12}{number(of['heldout']):>12}" for key, of in report.items())]
