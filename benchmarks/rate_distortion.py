"""Rate and distortion: what each tokenizer keeps of the same fields, and at how many bits.

    python benchmarks/rate_distortion.py --fields FIELDS [--only histogram]

A tenth of the fields is held out from every tokenizer. IoU is against the true shapes. `--minutes` limits vq and graph.
"""

import datetime
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from nfgen import show_progress, tokenize

CASES: list[tuple[str, dict[str, Any]]] = [
    ("identity", {}),
    ("histogram", {"bins": 256}),
    ("histogram", {"bins": 32}),
    ("histogram", {"bins": 16}),
    ("histogram", {"bins": 16, "kind": "quantile"}),
    ("histogram", {"bins": 16, "kind": "uniform"}),
    ("codebook", {"unit": "scalar", "codes": 127}),
    ("codebook", {"unit": "row"}),
    ("codebook", {"unit": "row", "depth": 4}),
    ("codebook", {"unit": "chunk", "depth": 2}),
    ("vq", {}),
    ("graph", {}),
]
RESULTS = Path(__file__).parent / "results" / "rate_distortion.jsonl"


@click.command()
@click.option("--fields", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--only", help="Only this tokenizer.")
@click.option("--minutes", default=30.0, show_default=True, help="For the training of vq, and of graph.")
def main(fields: Path, only: str | None, minutes: float) -> None:
    """Print a row of Markdown for each tokenizer, and keep the figures."""
    show_progress(True)
    click.echo("| tokenizer | tokens | bits a weight | bits a field | IoU known | IoU unseen | seconds |")
    click.echo("|---|---|---|---|---|---|---|")
    for name, settings in CASES:
        if only in (None, name):
            given = settings | ({"minutes": minutes} if name in ("vq", "graph") else {})
            click.echo(_row(fields, name, given))


def _row(fields: Path, name: str, settings: dict[str, Any]) -> str:
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = tokenize(fields, Path(folder) / "tokens", name, **settings).report
    seconds = time.monotonic() - started
    entry = {"date": str(datetime.date.today()), "tokenizer": name, "settings": settings, "seconds": seconds}
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a") as file:
        file.write(json.dumps(entry | {"report": report}) + "\n")
    label = ", ".join([name, *(f"{key} {value}" for key, value in settings.items() if key != "minutes")])
    known = {key: value["train"] for key, value in report.items()}
    bits = ["-" if known[key] is None else f"{known[key]:.3g}" for key in ("bits_per_weight", "bits_per_field")]
    unseen = report["iou_after"]["heldout"]
    cells = [label, known["tokens_per_field"], *bits, f"{known['iou_after']:.3f}", f"{unseen:.3f}", f"{seconds:.0f}"]
    return "| " + " | ".join(map(str, cells)) + " |"


if __name__ == "__main__":
    main()
