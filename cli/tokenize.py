"""`nfgen tokenize`: a field set becomes tokens."""

from pathlib import Path
from typing import Any

import click

from . import options


@click.command(context_settings=options.FREE_SETTINGS)
@options.words("FIELDS")
@click.option("--tokenizer", help="identity, histogram, codebook, vq, graph, or a plug-in. [default: vq]")
@options.preset
@click.option(
    "--heldout",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.1,
    show_default=True,
    help="Share of fields that nothing is learned from.",
)
@click.option(
    "--views",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Token sequences of augmented copies to store for each field (vq, graph).",
)
@options.engine
@options.dry_run
@options.seed
@options.resume
@options.overwrite
@options.quiet
@options.as_json
@options.out
def tokenize(
    words: tuple[str, ...],
    tokenizer: str | None,
    preset: str | None,
    heldout: float,
    views: int,
    engine: str,
    address: str | None,
    dry_run: bool,
    seed: int,
    resume: bool,
    overwrite: bool,
    as_json: bool,
    out: Path,
) -> None:
    """Fit a tokenizer on FIELDS and encode them; print what the round trip keeps.

    Settings of the tokenizer are options too: `nfgen info --tokenizers` lists them.

    \b
    nfgen tokenize fields --tokenizer vq --codes 64 -o tokens
    nfgen tokenize fields --tokenizer histogram --bins 64 --kind quantile -o tokens
    """
    import json

    from nfgen.pipeline.dry_run.stages import plan_tokenize
    from nfgen.pipeline.recipes import with_recipe
    from nfgen.pipeline.tokenize import tokenize
    from nfgen.runtime.executor import create_engine

    fields, settings = options.parse_one(words)
    settings = with_recipe(preset, "tokenize", {"tokenizer": tokenizer, **settings})
    if dry_run:
        name = settings.pop("tokenizer", "vq")
        plan = plan_tokenize(fields, name, heldout=heldout, views=views, **settings)
        click.echo(json.dumps(plan.to_json()) if as_json else "\n".join(plan.lines()))
        return
    tokens = tokenize(
        fields,
        out,
        settings.pop("tokenizer", "vq"),
        heldout=heldout,
        seed=seed,
        views=views,
        engine=create_engine(engine, address),
        resume=resume,
        overwrite=overwrite,
        **settings,
    )
    if as_json:
        click.echo(json.dumps(tokens.report))
        return
    click.echo(f"{len(tokens)} fields are {tokens.vocabulary.length} tokens each, in {out}")
    for line in table(tokens.report):
        click.echo(line)
    click.echo(options.next_line("nfgen", "train", out, "-o", "RUN"))


def table(report: dict[str, dict[str, Any]]) -> list[str]:
    """The figures of a round trip as lines of text."""

    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.4g}"

    head = f"{'':18}{'train':>12}{'heldout':>12}"
    return [head, *(f"{key:18}{number(of['train']):>12}{number(of['heldout']):>12}" for key, of in report.items())]
