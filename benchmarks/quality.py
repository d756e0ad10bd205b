"""From shapes to scores: the figures of the VQ tokenizer and the GPT on one set of shapes.

    python benchmarks/quality.py --data chairs32.npz --minutes 60
    python benchmarks/quality.py --data chairs --unseen other_chairs --minutes 20

Of one file of voxel grids the last `--reference` are held out from everything: they judge the round trip of the
tokenizer and are what the samples are compared with. Or `--unseen` names such shapes. Where shapes have classes,
samples of each are drawn and scored by themselves, too. With `--all` the held-out shapes are learned from as well:
what one would do with all the shapes one has; the scores then are those of shapes it knows. Every step is kept in the
work folder, so that an interrupted run goes on where it stopped.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from reference_looks import count_look

from nfgen import (
    FieldSet,
    FitConfig,
    GenerateConfig,
    Run,
    TrainConfig,
    evaluate,
    fit,
    generate,
    keep_freed_memory,
    show_progress,
    tokenize,
    train,
)
from nfgen.evaluation.measure import measure_samples, measure_shapes
from nfgen.fields.accuracy import field_accuracy
from nfgen.io.artifact import kind_of
from nfgen.io.files import write_json
from nfgen.metrics import chamfer_matrix
from nfgen.shapes import find_shapes
from nfgen.tokenizers import registry
from nfgen.tokens.token_set import TOKENIZER

TOKENIZER_SHARE = 0.48  # of the minutes; fitting, the GPT, generating and scoring take the rest
NO_LIMIT = 10**6  # steps
FROZEN = {"require_body": 0.95, "offset": 0.006, "resolution": 96}
"""How samples are drawn, beside what a run chooses for itself."""
POINTS = 2048  # of a cloud


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), required=True, help="Shapes; see --unseen.")
@click.option("--unseen", type=click.Path(exists=True, path_type=Path), help="[default: the last grids of an npz]")
@click.option("--minutes", default=60.0, show_default=True, help="For everything, on two cores.")
@click.option("--reference", default=200, show_default=True, help="Shapes held out, from the end.")
@click.option("--all", "every", is_flag=True, help="Learn from those held out, too.")
@click.option("--samples", default=200, show_default=True)
@click.option("--draws", default=1, show_default=True, help="Sets of samples, each of a seed of its own.")
@click.option("--size", default="tiny", show_default=True, help="Of the GPT.")
@click.option("--tokenizer-steps", type=int, help="Of its training, not half of the minutes: for a busy machine.")
@click.option("--model-steps", type=int, help="The same for the GPT. [default: as nfgen train]")
@click.option("--fit", "fitting", multiple=True, help="NAME=VALUE, a setting of the fits that is not as by default.")
@click.option("--tokenizer", "tokenizing", multiple=True, help="The same of the tokenizer, as levels=[8,5,5,5].")
@click.option("--model", "modelling", multiple=True, help="The same of the GPT, as random_order=1.")
@click.option("--sampling", multiple=True, help="The same of the samples.")
@click.option("--work", type=click.Path(path_type=Path), default=Path("quality"), show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(
    data: Path, unseen: Path | None, minutes: float, reference: int, every: bool, samples: int, draws: int,
    size: str, tokenizer_steps: int | None, model_steps: int | None, fitting: tuple[str, ...],
    tokenizing: tuple[str, ...], modelling: tuple[str, ...], sampling: tuple[str, ...],
    work: Path, seed: int,
) -> None:  # fmt: skip
    """Measure reconstruction and generation on one data set."""
    show_progress(True)
    keep_freed_memory()
    work.mkdir(parents=True, exist_ok=True)
    if unseen and every:
        raise click.UsageError("--all is for shapes of one file")
    known, unseen = (data, unseen) if unseen else _split(data, reference, work)
    clock = work / "seconds.json"
    seconds: dict[str, float] = json.loads(clock.read_text()) if clock.exists() else {}

    def step(name: str, path: Path, make: Callable[[Path], object]) -> Path:
        if kind_of(path) is None:
            started = time.monotonic()
            make(path)
            seconds[name] = time.monotonic() - started
            write_json(clock, seconds)
        return path

    fit_config = FitConfig(seed=seed).with_settings(_settings(fitting))
    fields = step("fit", work / "fields", lambda path: fit(data if every else known, path, config=fit_config))
    if not every:
        step("fit_unseen", work / "unseen_fields", lambda path: fit(unseen, path, init=fields, config=fit_config))
    settings = {"steps": tokenizer_steps or NO_LIMIT, "seed": seed, "heldout": 0.05} | _settings(tokenizing)
    settings["minutes"] = TOKENIZER_SHARE * minutes if tokenizer_steps is None else None
    tokens = step("tokenizer", work / "tokens", lambda path: tokenize(fields, path, "vq", **settings))
    config = TrainConfig(steps=model_steps, seed=seed, patience=0)
    run = step(
        "model", work / "run",
        lambda path: train(tokens, path, size=size, model_settings=_settings(modelling), config=config),
    )  # fmt: skip

    generation = GenerateConfig().with_settings(FROZEN | _settings(sampling))

    def scored(name: str, count: int, real: Path, label: str | None, draw: int = 0) -> dict[str, Any]:
        config = generation.with_settings({"seed": seed + draw})
        made = step(
            f"generate{name}", work / f"samples{name}",
            lambda path: generate(run, path, config, n=count, label=label),
        )  # fmt: skip
        looks = count_look(real, f"quality.py, {len(find_shapes(known))} known, seed {seed + draw}")
        train_fields = fields if label is None and not draw else None
        scores = evaluate(made, real, train=known, fields=train_fields, seed=seed, pictures=not draw)
        return scores | {"reference_looks": looks}

    figures = {"data": data.name, "seconds": seconds, "round_trip": round_trip(work)}
    figures["scores"] = scored("", samples, unseen, None)
    others = [scored(f"_{draw}", samples, unseen, None, draw) for draw in range(1, draws)]
    figures["draws"] = of_draws([figures["scores"], *others])
    if every:
        figures["scores"]["novelty"] = newness(work / "samples", data, seed)
    classes = Run.load(run).tokenizer.vocabulary.classes
    figures["classes"] = {
        one: scored(
            f"-{one}", samples // len(classes), unseen / one if unseen.is_dir() else work / f"unseen-{one}.npz", one
        )
        for one in classes
    }
    write_json(work / "quality.json", figures)
    for line in table(figures):
        click.echo(line)


def _settings(words: tuple[str, ...]) -> dict[str, Any]:
    """Settings from words such as levels=[8,5,5,5]."""
    pairs = (word.partition("=") for word in words)
    return {name: json.loads(value) for name, _, value in pairs}


def _split(data: Path, reference: int, work: Path) -> tuple[Path, Path]:
    """The known and the unseen shapes as two files of the same kind; those unseen of each class in one more."""
    with np.load(data, allow_pickle=False) as arrays:
        loaded = {key: arrays[key] for key in arrays}
    count = len(loaded["voxels"])
    rows = np.arange(count)
    parts = {"known": rows[: count - reference], "unseen": rows[count - reference :]}
    for label in np.unique(loaded.get("labels", [])):
        parts[f"unseen-{label}"] = parts["unseen"][loaded["labels"][parts["unseen"]] == label]
    for name, chosen in parts.items():
        np.savez(work / f"{name}.npz", **{k: v[chosen] if len(v) == count else v for k, v in loaded.items()})
    return work / "known.npz", work / "unseen.npz"


def round_trip(work: Path) -> dict[str, Any]:
    """IoU with the true shapes before and after tokenising, of the fields that there are; milliseconds a field."""
    tokenizer = registry.load(work / "tokens" / TOKENIZER)
    figures: dict[str, Any] = {}
    for name, folder in (("known", "fields"), ("unseen", "unseen_fields")):
        if kind_of(work / folder) is None:
            continue
        fields = FieldSet.load(work / folder)
        started = time.perf_counter()
        tokens = tokenizer.encode(fields.weights, fields.spec)
        encoding = time.perf_counter() - started
        decoded = tokenizer.decode(tokens)
        figures[name] = {
            "fields": len(fields),
            "iou_before": float(field_accuracy(fields.spec, fields.weights, fields).iou.mean()),
            "iou_after": float(field_accuracy(tokenizer.decoded_spec, decoded, fields).iou.mean()),
            "encode_ms": 1000 * encoding / len(fields),
        }
    low, high = tokenizer.vocabulary.bounds()
    figures["bits_per_field"] = float((high - low).double().log2().sum())
    return figures


def of_draws(scores: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Mean and standard deviation over sets of samples; none of the latter of a single set."""
    values = [
        {
            "1_nna": of["1_nna"]["value"], "cov": of["cov"]["value"], "mmd": of["mmd"]["value"],
            "mmd_of_real": of["mmd"]["value"] / of["ceiling"]["mmd"]["value"],
            "z_u": of["copying"]["cd"]["generated"]["z_u"],
            "near_copies": of["copying"]["cd"]["generated"]["copy_rate"]["value"],
            "novelty": of["novelty"]["ratio"]["value"],
            "one_piece": of["draws"]["one_piece"],
        }
        for of in scores
    ]  # fmt: skip
    return {
        key: {"mean": float(np.mean(of)), "sd": float(np.std(of, ddof=1)) if len(of) > 1 else 0.0, "values": of}
        for key in values[0]
        if (of := [one[key] for one in values])
    }


def newness(samples: Path, data: Path, seed: int) -> dict[str, Any]:
    """How far samples are from all shapes of a file, by the median; 1 = as far as these are from each other."""
    made = measure_samples(samples, POINTS, seed).clouds
    known = measure_shapes(find_shapes(data), POINTS, seed + 1, "known", in_file_frame=True).clouds
    among = chamfer_matrix(known)
    np.fill_diagonal(among, np.inf)
    return {"ratio": float(np.median(chamfer_matrix(made, known).min(1)) / np.median(among.min(1)))}


def table(figures: dict[str, Any]) -> list[str]:
    """The figures as lines of text."""
    trip, scores = figures["round_trip"], figures["scores"]
    validity = scores["validity"]
    single = np.mean([mesh["largest_share"] >= 0.99 for mesh in validity["meshes"]])
    bits = f"from {trip['bits_per_field']:.0f} bits"
    tripped = [(name, trip[name]) for name in ("unseen", "known") if name in trip]
    rows = {
        **{f"IoU of the fit, {name}": f"{of['iou_before']:.3f}" for name, of in tripped},
        **{f"IoU {bits}, {name}": f"{of['iou_after']:.3f}" for name, of in tripped},
        "encode, ms a field": f"{tripped[0][1]['encode_ms']:.1f}",
        "1-NNA %": _pair(scores, "1_nna"),
        "COV %": _pair(scores, "cov"),
        "MMD x100": _pair(scores, "mmd"),
        "reference looked at, this time included": f"{scores['reference_looks']} times",
        "with a surface / largest body holds 99 %": f"{validity['nonempty']:.1%} / {single:.1%}",
        **{
            f"{key}, mean and sd of the draws": f"{of['mean']:.4g} +- {of['sd']:.2g}"
            for key, of in figures["draws"].items()
        },
        "novelty (median ratio)": json.dumps(scores["novelty"]["ratio"] if scores["novelty"] else None),
        **{
            f"class {name}: 1-NNA, COV, MMD": ", ".join(_pair(scores, key) for key in ("1_nna", "cov", "mmd"))
            for name, scores in figures["classes"].items()
        },
        "seconds": ", ".join(f"{name} {value:.0f}" for name, value in figures["seconds"].items()),
    }
    return [f"{name:44}{value}" for name, value in rows.items()]


def _pair(scores: dict[str, Any], key: str) -> str:
    ours, real = scores[key], scores["ceiling"] and scores["ceiling"][key]
    ceiling = f" (real: {100 * real['value']:.2f})" if real else ""
    interval = "" if ours["low"] is None else f" [{100 * ours['low']:.2f}, {100 * ours['high']:.2f}]"
    return f"{100 * ours['value']:.2f}{interval}{ceiling}"


if __name__ == "__main__":
    main()
