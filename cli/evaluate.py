"""`nfgen evaluate`: scores of generated shapes against real ones, and of reconstructions against their shapes."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import options
from .config_options import ConfigCommand

if TYPE_CHECKING:
    from nfgen.evaluation.config import EvaluateConfig


@click.command(
    cls=ConfigCommand,
    config="nfgen.evaluation.config:EvaluateConfig",
    kind="scores",
    spellings={"limit": ("-n", "--limit")},
)
@click.argument("generated", type=options.path)
@click.option("--reference", required=True, help="Shapes that were not trained on: file, folder or glob.")
@click.option("--train", help="Shapes that were trained on: adds novelty and the ceiling.")
@click.option("--fields", help="Field set that was trained on: adds the novelty of its weights plus noise.")
@click.option("--classifier", help="Adds a Fréchet distance: a classifier's file, or labelled shapes to train one on.")
@click.option("--pairs", is_flag=True, help="GENERATED are reconstructions: compare each with its own shape.")
@click.option("--fits", help="Field set of the references: pictures show these surfaces, as voxels show stairs.")
@click.option("-o", "--out", type=options.path, help="Folder for the results. [default: that of samples]")
@options.quiet
@options.as_json
def evaluate(
    generated: Path,
    config: "EvaluateConfig",
    reference: str,
    train: str | None,
    fields: str | None,
    classifier: str | None,
    pairs: bool,
    fits: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Score GENERATED, samples of `nfgen generate` or any shapes, against real shapes.

    With --pairs, GENERATED are a field set, tokens, or shapes with the names of the references.

    \b
    nfgen evaluate out --reference test --train train --fields fields --emd 256
    nfgen evaluate fields --reference train --pairs --json
    """
    from nfgen.evaluation import evaluate, evaluate_pairs, pair_lines, score_lines

    if pairs:
        if train or fields or classifier or fits:
            raise click.UsageError(
                "--pairs compares shape by shape: --train, --fields, --classifier, --fits are of sets"
            )
        scores = evaluate_pairs(generated, reference, config, out=out)
    else:
        scores = evaluate(
            generated, reference, config, train=train, fields=fields, classifier=classifier, fits=fits, out=out
        )
    options.say(scores, pair_lines(scores) if pairs else score_lines(scores), as_json)
