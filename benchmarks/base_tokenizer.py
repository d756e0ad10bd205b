"""The tokenizer that ships with nfgen: trained on random solids and on real parts, measured on shapes of other kinds.

    python benchmarks/base_tokenizer.py --data technic.zip --data glands.npz --measure chairs.npz --minutes 75

It is made by the product's own commands: `nfgen fit` of each set of shapes, and `nfgen tokenize --solids 0.7` of all
fields together. Random solids need neither shapes nor fits; without `--data` the fields are those of the built-in
families. `--credit` says whose shapes they are, and under which licence, for the card. Sets to measure are fitted,
encoded and decoded as they are, each class by itself; and, a third of each set that was held out, after a tuning of
`--tune` minutes on the others. Every step is kept in the work folder, so that an interrupted run goes on. What is
trained already is only measured:

    python benchmarks/base_tokenizer.py --tokenizer base-3d --measure modelnet7.npz
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import torch
from tables import grid

from nfgen import FieldSet, VQTokenizer, fit, keep_freed_memory, show_progress, tokenize
from nfgen.io import artifact
from nfgen.io.files import content_digest, read_json, write_json
from nfgen.io.model_card import tokenizer_card
from nfgen.pipeline.make_shapes import write_shapes
from nfgen.runtime.provenance import made_by
from nfgen.shapes.synthetic import FAMILIES
from nfgen.tokenizers import registry
from nfgen.tokenizers.base import FILE
from nfgen.tokens.round_trip import token_report
from nfgen.tokens.token_set import TokenSet

FIGURES = ("bits_per_field", "iou_before", "iou_after", "normal_cosine", "normal_angle_median", "eikonal_after")
SETTINGS = {"base": "none", "solids": 0.7, "cells": (2, 5, 6), "steps": 10**6, "views": 0, "heldout": 0.05}
"""Cells nearly as wide as deep and high, as the stream's solids are."""
SOLIDS = "random solids of nfgen, an endless stream, seven of ten shapes in training"
COLUMNS = {
    "iou_before": "IoU of the fits", "iou_after": "IoU", "normal_cosine": "cosine of normals",
    "eikonal_after": "eikonal error",
}  # fmt: skip
OF_A_FAMILY = 40
HELD_OUT = 1 / 3  # of a set, from its tuning


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), multiple=True, help="Shapes to learn from.")
@click.option("--credit", multiple=True, help="Origin and licence of the data, for the card.")
@click.option("-n", "most", default=600, show_default=True, help="Shapes of each set at most.")
@click.option("--measure", type=click.Path(exists=True, path_type=Path), multiple=True, help="Shapes to measure on.")
@click.option("--tokenizer", "trained", help="Measure this one, and train none.")
@click.option("--minutes", default=75.0, show_default=True, help="Of the training.")
@click.option("--tune", default=3.0, show_default=True, help="Minutes of a tuning; 0 = measure none.")
@click.option("--work", type=click.Path(path_type=Path), default=Path("base"), show_default=True)
@click.option("--name", default="base-3d", show_default=True, help="Of the tokenizer, a folder in the work folder.")
def main(
    data: tuple[Path, ...], credit: tuple[str, ...], most: int, measure: tuple[Path, ...], trained: str | None,
    minutes: float, tune: float, work: Path, name: str,
) -> None:  # fmt: skip
    """Train, measure, and write the tokenizer with its card."""
    show_progress(True)
    keep_freed_memory()
    work.mkdir(parents=True, exist_ok=True)
    made = work / name
    if not trained:
        if not artifact.is_artifact(work / "tokens"):
            fields = together([_fields(work, path, most) for path in data or _families(work)])
            tokenize(fields, work / "tokens", "vq", minutes=minutes, resume=True, **SETTINGS)
        with made_by(None):
            registry.load(work / "tokens" / "tokenizer").save(made, overwrite=True)
    figures: dict[str, Any] = {"measured": measured(work, trained or str(made), measure, most, tune)}
    if not trained:
        credits = list(credit or [path.name for path in data])
        figures |= {"digest": content_digest(made / FILE), "data": credits, "minutes": minutes}
        (made / "README.md").write_text(card(made, figures), encoding="utf-8")
    write_json(work / "base_tokenizer.json", figures)
    click.echo("\n".join(measured_table(figures)))


def measured(work: Path, base: str, sets: Sequence[Path], most: int, tune: float) -> dict[str, Any]:
    """Figures of a tokenizer, for each class of each set as it is, and for each set after a tuning.

    Args:
        base: its folder, or the name of one that ships with nfgen.
    """
    tokenizer, found = VQTokenizer.from_pretrained(base), {}
    for path in sets:
        fields = FieldSet.load(_fields(work, path, most))
        for name, part in _classes(path.stem, fields):
            none = torch.zeros(len(part), dtype=torch.bool)
            as_it_is = _figures(token_report(tokenizer, part, none), "train") | {"fields": len(part)}
            found[name] = {"as it is": as_it_is}
        if tune:
            tuned = work / f"tuned_{path.stem}"
            if not artifact.is_artifact(tuned):
                tokenize(fields, tuned, "pretrained", base=base, minutes=tune, heldout=HELD_OUT, views=0, synthetic=0)
            found.setdefault(path.stem, {})[f"tuned for {tune:g} minutes, held out"] = _figures(
                read_json(tuned / "report.json"), "heldout"
            ) | {"fields": int(TokenSet.load(tuned).heldout.sum())}
    return found


def _classes(name: str, fields: FieldSet) -> list[tuple[str, FieldSet]]:
    """The fields of each class and what they are called; all of them where there are none."""
    if not fields.classes:
        return [(name, fields)]
    rows = [(fields.labels == number).nonzero()[:, 0] for number in range(len(fields.classes))]
    return [(f"{name}, {kind}", fields.select(of)) for kind, of in zip(fields.classes, rows, strict=True)]


def card(made: Path, figures: dict[str, Any]) -> str:
    """The model card: data, licence and figures."""
    found = artifact.read_config(made, "tokenizer")
    data = "".join(f"\n- {source}" for source in [SOLIDS, *figures["data"]])
    about = (
        f"## Data\n{data}\n\n"
        f"Trained for {figures['minutes']:g} minutes; digest of the weights `{figures['digest']}`.\n\n"
        "## Figures\n\nShapes are fitted, encoded and decoded; IoU is that with the true shapes.\n\n"
        + "\n".join(["<!-- table: base -->", *measured_table(figures), "<!-- end -->"])
    )
    return tokenizer_card(
        made.name, found["tokenizer"], found["settings"], found["spec"], address=made.name, license="mit", about=about
    )


def measured_table(figures: dict[str, Any]) -> list[str]:
    """The figures of each set that was measured, as a table in Markdown."""
    rows = [
        [name, how, str(of["fields"]), *(f"{of[key]:.3f}" for key in COLUMNS)]
        for name, found in figures["measured"].items()
        for how, of in found.items()
    ]
    return grid(["shapes", "tokenizer", "number", *COLUMNS.values()], rows)


def together(folders: Sequence[Path]) -> FieldSet:
    """The fields of several sets as one, the name of its set as class of each."""
    sets = [FieldSet.load(folder) for folder in folders]
    labels = [torch.full((len(fields),), number) for number, fields in enumerate(sets)]
    parts = [replace(fields, labels=label) for fields, label in zip(sets, labels, strict=True)]
    return FieldSet.joined(
        parts, spec=sets[0].spec, classes=tuple(folder.name for folder in folders), uniform_eval=sets[0].uniform_eval
    )


def _families(work: Path) -> list[Path]:
    """Shapes of the built-in families."""
    for kind in FAMILIES:
        if not artifact.is_artifact(work / kind):
            write_shapes(kind, work / kind, n=OF_A_FAMILY, seed=0)
    return [work / kind for kind in FAMILIES]


def _fields(work: Path, shapes: Path, most: int) -> Path:
    made = work / f"fields_{shapes.stem}"
    if not artifact.is_artifact(made):
        fit(shapes, made, limit=most, resume=True)
    return made


def _figures(report: dict[str, dict[str, Any]], part: str) -> dict[str, float]:
    return {key: report[key][part] for key in FIGURES}


if __name__ == "__main__":
    main()
