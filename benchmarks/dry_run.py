"""Does `--dry-run` tell the time within a factor of two? Each command is planned, then run.

python benchmarks/dry_run.py [-n 64]
"""

import datetime
import json
import tempfile
import time
from pathlib import Path

import click

import nfgen
from nfgen.fit_plan import plan_fit
from nfgen.models.train_config import TrainConfig
from nfgen.pipeline import plan_generate, plan_tokenize, plan_train
from nfgen.plan import Plan, timed

RESULTS = Path(__file__).parent / "results" / "dry_run.jsonl"


@click.command()
@click.option("-n", "count", type=click.IntRange(8), default=64, show_default=True, help="Shapes.")
@click.option("--steps", type=click.IntRange(20), default=300, show_default=True, help="Of model and vq tokenizer.")
def main(count: int, steps: int) -> None:
    def compare(what: str, plan: Plan, real: float) -> None:
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

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        nfgen.write_shapes("chair", count, folder / "chairs")
        plan = plan_fit(folder / "chairs", workers=1)
        compare("fit", plan, timed(lambda: nfgen.fit(folder / "chairs", folder / "fields", workers=1)))
        for label, tokenizer, settings in (
            ("tokenize histogram", "histogram", {}),
            ("tokenize codebook", "codebook", {"unit": "row", "depth": 4}),
            ("tokenize vq", "vq", {"steps": steps}),
        ):
            plan = plan_tokenize(folder / "fields", tokenizer, **settings)
            started = time.perf_counter()
            nfgen.tokenize(folder / "fields", folder / tokenizer, tokenizer, **settings)
            compare(label, plan, time.perf_counter() - started)
        for tokens in ("vq", "codebook"):
            plan = plan_train(folder / tokens, {"steps": steps})
            config = TrainConfig(steps=steps)
            started = time.perf_counter()
            run = nfgen.train(folder / tokens, folder / f"run-{tokens}", config=config)
            compare(f"train on {tokens}", plan, time.perf_counter() - started)
            plan = plan_generate(run, 16)
            started = time.perf_counter()
            nfgen.generate(run, 16, folder / f"out-{tokens}")
            compare(f"generate by {tokens}", plan, time.perf_counter() - started)


if __name__ == "__main__":
    main()
