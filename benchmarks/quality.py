"""From voxels to scores: the figures of the VQ tokenizer and the GPT on one file of voxel grids.

    python benchmarks/quality.py --data chairs32.npz --minutes 60

The last `--reference` shapes are held out from everything: they judge the round trip of the tokenizer and are what the
samples are compared with. Every step is kept in the work folder, so that an interrupted run goes on where it stopped.
"""

import json
import time
from pathlib import Path
from typing import Any

import click
import numpy as np

from nfgen import (
    FieldSet,
    FitConfig,
    SamplingConfig,
    TrainConfig,
    evaluate,
    fit,
    generate,
    show_progress,
    tokenize,
    train,
)
from nfgen.artifact import kind_of
from nfgen.round_trip import judge_fields
from nfgen.storage import write_json
from nfgen.token_set import TOKENIZER
from nfgen.tokenizers import registry

TOKENIZER_SHARE, MODEL_SHARE = 0.5, 0.17  # of the minutes; fitting, generating and scoring take the rest


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), required=True, help="Voxel grids, as npz.")
@click.option("--minutes", default=60.0, show_default=True, help="For everything, on two cores.")
@click.option("--reference", default=200, show_default=True, help="Shapes held out, from the end.")
@click.option("--samples", default=200, show_default=True)
@click.option("--codes", default=64, show_default=True, help="Tokens a field.")
@click.option("--size", default="tiny", show_default=True, help="Of the GPT.")
@click.option("--views", default=32, show_default=True, help="Augmented token sequences a field.")
@click.option("--dropout", default=0.2, show_default=True)
@click.option("--temperature", default=1.0, show_default=True)
@click.option("--bodies", is_flag=True, help="Draw again for samples that come in pieces.")
@click.option("--work", type=click.Path(path_type=Path), default=Path("quality"), show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(
    data: Path, minutes: float, reference: int, samples: int, codes: int, size: str, views: int, dropout: float,
    temperature: float, bodies: bool, work: Path, seed: int,
) -> None:  # fmt: skip
    """Measure reconstruction and generation on one data set."""
    show_progress(True)
    work.mkdir(parents=True, exist_ok=True)
    known, unseen = _split(data, reference, work)
    clock = work / "seconds.json"
    seconds: dict[str, float] = json.loads(clock.read_text()) if clock.exists() else {}

    def step(name: str, path: Path, make: Any) -> None:
        if kind_of(path) is None:
            started = time.monotonic()
            make()
            seconds[name] = time.monotonic() - started
            write_json(clock, seconds)

    fit_config = FitConfig(seed=seed)
    step("fit", work / "fields", lambda: fit(known, work / "fields", config=fit_config))
    step("fit_unseen", work / "unseen_fields",
         lambda: fit(unseen, work / "unseen_fields", init=work / "fields", config=fit_config))  # fmt: skip
    step("tokenizer", work / "tokens",
         lambda: tokenize(work / "fields", work / "tokens", "vq", heldout=0.05, views=views, seed=seed, codes=codes,
                          minutes=TOKENIZER_SHARE * minutes))  # fmt: skip
    step("model", work / "run",
         lambda: train(work / "tokens", work / "run", size=size, model_settings={"dropout": dropout},
                       config=TrainConfig(minutes=MODEL_SHARE * minutes, seed=seed)))  # fmt: skip
    step("generate", work / "samples",
         lambda: generate(work / "run", samples, work / "samples", seed=seed,
                          config=SamplingConfig(temperature=temperature), resolution=96,
                          require_body=bodies))  # fmt: skip
    figures = {"data": data.name, "codes": codes, "seconds": seconds, "round_trip": round_trip(work)}
    figures["scores"] = evaluate(work / "samples", unseen, train=known, fields=work / "fields", seed=seed)
    write_json(work / "quality.json", figures)
    for line in table(figures):
        click.echo(line)


def _split(data: Path, reference: int, work: Path) -> tuple[Path, Path]:
    """The known and the unseen shapes as two files of the same kind."""
    with np.load(data, allow_pickle=False) as arrays:
        loaded = {key: arrays[key] for key in arrays}
    count = len(loaded["voxels"])
    for name, rows in (("known", slice(0, count - reference)), ("unseen", slice(count - reference, count))):
        np.savez(work / f"{name}.npz", **{k: v[rows] if len(v) == count else v for k, v in loaded.items()})
    return work / "known.npz", work / "unseen.npz"


def round_trip(work: Path) -> dict[str, Any]:
    """IoU with the true shapes before and after tokenising, of known and unseen fields; milliseconds a field."""
    tokenizer = registry.load(work / "tokens" / TOKENIZER)
    figures: dict[str, Any] = {}
    for name, folder in (("known", "fields"), ("unseen", "unseen_fields")):
        fields = FieldSet.load(work / folder)
        started = time.perf_counter()
        tokens = tokenizer.encode(fields.weights, fields.spec)
        encoding = time.perf_counter() - started
        decoded = tokenizer.decode(tokens)
        figures[name] = {
            "fields": len(fields),
            "iou_before": float(judge_fields(fields.spec, fields.weights, fields).iou.mean()),
            "iou_after": float(judge_fields(tokenizer.decoded_spec, decoded, fields).iou.mean()),
            "encode_ms": 1000 * encoding / len(fields),
        }
    low, high = tokenizer.vocabulary.bounds()
    figures["bits_per_field"] = float((high - low).double().log2().sum())
    return figures


def table(figures: dict[str, Any]) -> list[str]:
    """The figures as lines of text."""
    trip, scores = figures["round_trip"], figures["scores"]
    validity = scores["validity"]
    single = np.mean([mesh["largest_share"] >= 0.99 for mesh in validity["meshes"]])
    rows = {
        "IoU of the fit, unseen": f"{trip['unseen']['iou_before']:.3f}",
        f"IoU from {trip['bits_per_field']:.0f} bits, unseen": f"{trip['unseen']['iou_after']:.3f}",
        f"IoU from {trip['bits_per_field']:.0f} bits, known": f"{trip['known']['iou_after']:.3f}",
        "encode, ms a field": f"{trip['unseen']['encode_ms']:.1f}",
        "1-NNA %": _pair(scores, "1_nna"),
        "COV %": _pair(scores, "cov"),
        "MMD x100": _pair(scores, "mmd"),
        "with a surface / largest body holds 99 %": f"{validity['nonempty']:.1%} / {single:.1%}",
        "novelty (median ratio)": json.dumps(scores["novelty"]["ratio"] if scores["novelty"] else None),
        "seconds": ", ".join(f"{name} {value:.0f}" for name, value in figures["seconds"].items()),
    }
    return [f"{name:44}{value}" for name, value in rows.items()]


def _pair(scores: dict[str, Any], key: str) -> str:
    ours, real = scores[key], scores["ceiling"] and scores["ceiling"][key]
    ceiling = f" (real: {100 * real['value']:.2f})" if real else ""
    return f"{100 * ours['value']:.2f} [{100 * ours['low']:.2f}, {100 * ours['high']:.2f}]{ceiling}"


if __name__ == "__main__":
    main()
