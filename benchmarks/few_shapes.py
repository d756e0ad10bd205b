"""What a GPT makes of 50, 100, 200 and 400 shapes: the same fields, with and without the GPT that ships.

    nfgen fit known.npz -o fields
    python benchmarks/few_shapes.py chairs fields known.npz unseen.npz
    python benchmarks/few_shapes.py --plot docs/few_shapes.png

Smaller sets are parts of larger ones. Tokens are those of the tokenizer that ships, as it is, so that nothing else
has seen more shapes than the GPT; a tenth of each set tells it when to stop. Samples are compared with the unseen
shapes, in independent sets of as many. Rows that are in the results already are not made again.
"""

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from new_shapes import POINTS, Sampled, against, scored
from reference_looks import count_look

from nfgen import FieldSet, Run, keep_freed_memory, show_progress, tokenize, train
from nfgen.evaluation.measure import measure_shapes
from nfgen.io.files import write_json
from nfgen.shapes import find_shapes

RESULTS = Path(__file__).parent / "results" / "few_shapes.json"
BEGUN = {"with the GPT that ships": "auto", "from random weights": "none"}
SHOWN = {"1_nna": "1-NNA %, best 50", "cov": "COV %, higher is better", "z_u": "Z_U, copies below 0"}


@click.command()
@click.argument("name", required=False)
@click.argument("fields", type=click.Path(exists=True, path_type=Path), required=False)
@click.argument("known", type=click.Path(exists=True, path_type=Path), required=False)
@click.argument("unseen", type=click.Path(exists=True, path_type=Path), required=False)
@click.option("--counts", default="50,100,200,400", show_default=True)
@click.option("--sets", default=2, show_default=True, help="Of samples, each as large as the unseen shapes are many.")
@click.option("--work", type=click.Path(path_type=Path), default=Path("few_shapes"), show_default=True)
@click.option("--results", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
@click.option("--plot", type=click.Path(path_type=Path), help="Draw the results, and nothing else.")
@click.option("--seed", default=0, show_default=True)
def main(
    name: str | None, fields: Path, known: Path, unseen: Path, counts: str, sets: int, work: Path, results: Path,
    plot: Path | None, seed: int,
) -> None:  # fmt: skip
    """Train on parts of the FIELDS of the KNOWN shapes, and score beside the UNSEEN ones, as the set NAME."""
    if plot:
        draw(json.loads(results.read_text()), plot)
        return
    if not (name and fields and known and unseen):
        raise click.UsageError("name a set, its fields, and its known and unseen shapes")
    show_progress(True)
    keep_freed_memory()
    every = FieldSet.load(fields)
    refs = find_shapes(known)
    clouds = measure_shapes(refs, POINTS, seed, "known", in_file_frame=True)
    by_id = {refs[place].id: cloud for place, cloud in zip(clouds.kept, clouds.clouds, strict=True)}
    real = measure_shapes(find_shapes(unseen), POINTS, seed, "unseen", in_file_frame=True).clouds
    found: dict[str, Any] = json.loads(results.read_text()) if results.exists() else {}
    entry = found.setdefault(
        name, {"unseen": len(real), "real": real_scores(clouds.clouds, real, sets, seed), "rows": []}
    )
    order = np.random.default_rng(seed).permutation(len(every))
    for count in map(int, counts.split(",")):
        chosen = every.select(torch.from_numpy(np.sort(order[:count])))
        tokens = work / name / f"tokens_{count}"
        if not tokens.exists():
            tokenize(chosen, tokens, "pretrained", steps=0, seed=seed)
        for begun, init in BEGUN.items():
            if any((row["shapes"], row["begun"]) == (count, begun) for row in entry["rows"]):
                continue
            folder = work / name / f"run_{count}_{init}"
            if not folder.exists():
                train(tokens, folder, init=init, patience=0, sample_every=0, seed=seed)
            run = Run.load(folder, "last")
            learned = np.stack([by_id[id] for id in run.train_ids if id in by_id])
            count_look(unseen, f"few_shapes.py, {count} {name}, init {init}")
            scores = scored(run, Sampled(run.config["sampling"]["checkpoint"], True), learned, real, sets, seed)
            facts = {key: run.result[key] for key in ("steps", "best_step", "bits_per_field", "seconds")}
            entry["rows"].append({"shapes": count, "begun": begun, **facts, **scores})
            click.echo(json.dumps(entry["rows"][-1]))
            write_json(results, found)


def real_scores(known: np.ndarray, unseen: np.ndarray, sets: int, seed: int) -> dict[str, float]:
    """Mean scores of as many known shapes as there are unseen ones, instead of samples."""
    rng = np.random.default_rng(seed)
    each = [against(unseen, known[rng.permutation(len(known))[: len(unseen)]]) for _ in range(sets)]
    return {key: float(np.mean([one[key] for one in each])) for key in each[0]}


def draw(found: dict[str, Any], path: Path) -> None:
    """One row of charts a set: each score by the number of shapes, of both ways to begin, and what real shapes have."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, charts = plt.subplots(
        len(found), len(SHOWN), figsize=(4 * len(SHOWN), 3 * len(found)), squeeze=False, layout="constrained"
    )
    for row, (name, entry) in zip(charts, found.items(), strict=True):
        for chart, (key, title) in zip(row, SHOWN.items(), strict=True):
            factor = 1 if key == "z_u" else 100
            for begun in BEGUN:
                rows = sorted((one for one in entry["rows"] if one["begun"] == begun), key=lambda one: one["shapes"])
                chart.plot([one["shapes"] for one in rows], [factor * one[key] for one in rows], "o-", label=begun)
            chart.axhline(factor * entry["real"].get(key, 0), color="grey", linestyle="--", label="real shapes")
            chart.set(xscale="log", title=f"{name}: {title}", xlabel="shapes")
            ticks = sorted({one["shapes"] for one in entry["rows"]})
            chart.set_xticks(ticks, map(str, ticks))
            chart.minorticks_off()
    charts[0, 0].legend()
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
