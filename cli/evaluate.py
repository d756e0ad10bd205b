"""`nfgen evaluate`: scores of generated shapes against real ones, and of reconstructions against their shapes."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import options

if TYPE_CHECKING:
    from nfgen.shapes.reading import ReadingConfig


@click.command()
@click.argument("generated", type=click.Path(path_type=Path))
@click.option("--reference", required=True, help="Shapes that were not trained on: file, folder or glob.")
@click.option("--train", help="Shapes that were trained on: adds novelty and the ceiling.")
@click.option("--fields", help="Field set that was trained on: adds the novelty of its weights plus noise.")
@click.option("--protocol", default="nfgen", show_default=True, help="nfgen, hyperdiffusion or nef-gpt.")
@click.option(
    "--points", type=click.IntRange(16, 2**20), default=2048, show_default=True, help="Of each cloud, by area."
)
@click.option("--emd", type=click.IntRange(1, 1024), help="Score by exact EMD of so many points too; 256 are quick.")
@click.option("--classifier", help="Adds a Fréchet distance: a classifier's file, or labelled shapes to train one on.")
@click.option("--pairs", is_flag=True, help="GENERATED are reconstructions: compare each with its own shape.")
@click.option("--pictures/--no-pictures", default=True, show_default=True, help="C2ST, KID, light-field distance.")
@click.option("--fits", help="Field set of the references: pictures show these surfaces, as voxels show stairs.")
@click.option("-n", "limit", type=options.count, help="Use only the first so many references.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Folder for the results. [default: that of samples]")
@options.reading
@options.seed
@options.quiet
@options.as_json
def evaluate(
    generated: Path,
    reference: str,
    train: str | None,
    fields: str | None,
    protocol: str,
    points: int,
    emd: int | None,
    classifier: str | None,
    pairs: bool,
    pictures: bool,
    fits: str | None,
    limit: int | None,
    out: Path | None,
    reading: "ReadingConfig",
    seed: int,
    as_json: bool,
) -> None:
    """Score GENERATED, samples of `nfgen generate` or any shapes, against real shapes.

    With --pairs, GENERATED are a field set, tokens, or shapes with the names of the references.

    \b
    nfgen evaluate out --reference test --train train --fields fields --emd 256
    nfgen evaluate fields --reference train --pairs --json
    """
    import json

    from nfgen.evaluation import evaluate, evaluate_pairs, pair_lines, score_lines

    if pairs:
        if train or fields or emd or classifier or fits:
            raise click.UsageError(
                "--pairs compares shape by shape: --train, --fields, --fits, --emd, --classifier are for sets"
            )
        given = reading if options.said(reading) else None
        scores = evaluate_pairs(generated, reference, reading=given, limit=limit, seed=seed, out=out)
    else:
        scores = evaluate(
            generated,
            reference,
            train=train,
            fields=fields,
            protocol=protocol,
            points=points,
            emd=emd,
            classifier=classifier,
            reading=reading,
            limit=limit,
            pictures=pictures,
            fits=fits,
            seed=seed,
            out=out,
        )
    if as_json:
        click.echo(json.dumps(scores, allow_nan=False))
        return
    for line in pair_lines(scores) if pairs else score_lines(scores):
        click.echo(line)
