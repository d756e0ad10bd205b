"""`nfgen evaluate`: scores of generated shapes against real ones."""

from pathlib import Path

import click

from . import options


@click.command()
@click.argument("generated", type=click.Path(path_type=Path))
@click.option("--reference", required=True, help="Shapes that were not trained on: file, folder or glob.")
@click.option("--train", help="Shapes that were trained on: adds novelty and the ceiling.")
@click.option("--protocol", default="nfgen", show_default=True, help="nfgen, hyperdiffusion or nef-gpt.")
@click.option("--points", type=click.IntRange(16), default=2048, show_default=True, help="Of each cloud, by area.")
@click.option("-n", "limit", type=click.IntRange(2), help="Use only the first so many references.")
@options.seed
@options.quiet
@options.as_json
def evaluate(
    generated: Path,
    reference: str,
    train: str | None,
    protocol: str,
    points: int,
    limit: int | None,
    seed: int,
    as_json: bool,
) -> None:
    """Score GENERATED, samples of `nfgen generate` or any shapes, against real shapes.

    \b
    nfgen evaluate out --reference heldout_chairs
    nfgen evaluate out --reference test --train train --protocol hyperdiffusion --json
    """
    import json

    from nfgen.evaluation import evaluate, score_lines

    scores = evaluate(generated, reference, train=train, protocol=protocol, points=points, limit=limit, seed=seed)
    if as_json:
        click.echo(json.dumps(scores, allow_nan=False))
        return
    for line in score_lines(scores):
        click.echo(line)
