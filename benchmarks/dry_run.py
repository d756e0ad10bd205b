"""Does `--dry-run` tell the time within a factor of two? Each command is planned, then run.

python benchmarks/dry_run.py [-n 64]
python benchmarks/dry_run.py --fields FIELDS --only vq --steps 60 --samples 4    # without the fit
"""

import datetime
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

import nfgen
from nfgen.pipeline.config import TrainConfig
from nfgen.pipeline.dry_run.estimate import Plan, timed
from nfgen.pipeline.dry_run.fit import plan_fit
from nfgen.pipeline.dry_run.stages import plan_generate, plan_tokenize, plan_train

TOKENIZERS: dict[str, dict[str, Any]] = {"histogram": {}, "codebook": {"unit": "row", "depth": 4}, "vq": {}}
RESULTS = Path(__file__).parent / "results" / "dry_run.jsonl"


@click.command()
@click.option("-n", "count", type=click.IntRange(8), default=64, show_default=True, help="Shapes.")
@click.option("--fields", type=click.Path(path_type=Path), help="Take these fields; the fit is left out.")
@click.option("--steps", type=click.IntRange(20), default=300, show_default=True, help="Of model and vq tokenizer.")
@click.option("--samples", type=click.IntRange(1), default=16, show_default=True, help="To generate.")
@click.option("--only", multiple=True, type=click.Choice(list(TOKENIZERS)), help="Tokenizers.  [default: all]")
def main(count: int, fields: Path | None, steps: int, samples: int, only: tuple[str, ...]) -> None:
    def compare(what: str, plan: Plan, work: Callable[[], Any]) -> None:
        real = timed(work)
        line = {
            "date": datetime.date.today().isoformat(),
            "what": what,
            "shapes": count,
            "planned": round(plan.total_seconds, 2),
            "real": round(real, 2),
            "ratio": round(plan.total_seconds / real, 2),
        }
        click.echo(json.dumps(line))
        with RESULTS.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def compare_stages(tokenizer: str, fields: Path, folder: Path) -> None:
        tokens, run, out = (folder / f"{tokenizer}-{what}" for what in ("tokens", "run", "out"))
        settings = TOKENIZERS[tokenizer] | ({"steps": steps} if tokenizer == "vq" else {})
        plan = plan_tokenize(fields, tokenizer, **settings)
        compare(f"tokenize {tokenizer}", plan, lambda: nfgen.tokenize(fields, tokens, tokenizer, **settings))
        if tokenizer == "histogram":
            return  # a model of so many tokens takes too long
        plan, config = plan_train(tokens, steps=steps), TrainConfig(steps=steps)
        compare(f"train on {tokenizer}", plan, lambda: nfgen.train(tokens, run, config=config))
        plan = plan_generate(run, n=samples)
        compare(f"generate by {tokenizer}", plan, lambda: nfgen.generate(run, out, n=samples))

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if fields is None:
            chairs, fields = folder / "chairs", folder / "fields"
            nfgen.write_shapes("chair", chairs, n=count)
            compare("fit", plan_fit(chairs, workers=1), lambda: nfgen.fit(chairs, folder / "fields", workers=1))
        count = len(nfgen.FieldSet.load(fields))
        for tokenizer in only or TOKENIZERS:
            compare_stages(tokenizer, fields, folder)


if __name__ == "__main__":
    main()
